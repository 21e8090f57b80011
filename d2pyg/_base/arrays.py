"""Arrays of users as one plain array or tensor: lists, columns of vectors, bfloat16 from a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, KeysView, Sequence, ValuesView
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.masked import MaskedTensor

from d2pyg._base.columns import as_plain, package_of, refuse_missing


class SupportsArray(Protocol):
    """Frames, tables and columns of other packages."""

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray[Any, Any]: ...


ArrayLike = Tensor | np.ndarray[Any, Any] | Sequence[Any] | SupportsArray

_NO_VALUE = ("NAType", "NaTType")  # of pandas, which need not be installed
_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)  # torch computes little with them


def as_tensor(name: str, values: ArrayLike) -> Tensor:
    """A tensor that shares the memory of an array where it can, detached."""
    given, values = values, as_plain(name, values)
    if isinstance(values, Tensor):
        check_unmasked(name, values)
        return _dense(name, values)
    if isinstance(values, list | tuple) and values and all(isinstance(v, Tensor) for v in values):
        return _stacked(name, values)
    array = as_array(name, values)
    if array.dtype.names is None and (array.dtype == "V2" or array.dtype.name == "bfloat16"):
        return _shared(array.view(np.int16)).view(torch.bfloat16)  # numpy.load says V2 for bfloat16
    if array.dtype.kind == "O" and array.size == 0:
        array = array.astype(np.float64)  # as numpy takes an empty list
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        got = f"dtype {array.dtype}" if array.ndim else type(given).__name__
        if array.ndim == 0 and isinstance(values, np.ndarray):
            got = f"a 0-d array of {type(array.item()).__name__}"
        raise TypeError(
            f"Expected {name!r} to hold numbers of at most 64 bits (got {got}). "
            f"{remedy_for(name, given)}"
        )
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = as_signed(name, array)
    return _shared(array)


def as_array(name: str, values: Any) -> np.ndarray[Any, Any]:
    """A plain array of a list, a column, a table: nothing in it is masked, missing or ragged.

    An array of objects that are vectors of one length, as a column of a table is, becomes [N, d].
    """
    values = as_plain(name, values)
    if isinstance(values, list | tuple) and values and package_of(values[0]):
        values = [as_plain(f"{name}[{i}]", entry) for i, entry in enumerate(values)]
    check_unmasked(name, values)
    kind = type(values).__name__
    try:
        try:
            array = np.asarray(values)
        except (TypeError, RuntimeError):  # tensors in lists that need gradients, or on a GPU
            array = np.asarray(_without_tensors(values))
    except ValueError as error:
        raise ValueError(
            f"Expected {name!r} to be an array of one shape (got {kind} with parts of several "
            f"lengths). Give every entry the same length."
        ) from error
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"Expected {name!r} to be what numpy.asarray takes (got {kind}). Pass an array."
        ) from error
    if array.dtype.kind != "O" or array.ndim == 0:
        return array
    entries = array.ravel().tolist()
    check_present(name, array)
    vectors = array.ndim == 1 and all(isinstance(e, list | tuple | np.ndarray | Tensor) for e in entries)
    return as_array(name, entries) if vectors and entries else array


def check_present(name: str, array: np.ndarray[Any, Any]) -> None:
    """Refuses arrays of objects of which some are missing."""
    missing = np.array([_is_missing(entry) for entry in array.ravel().tolist()], dtype=bool)
    if missing.any():
        by_row = missing.reshape(len(array), -1)
        example = array.ravel()[missing][0]
        total, first = int(missing.sum()), int(by_row.any(axis=1).nonzero()[0][0])
        refuse_missing(name, total, first, str(example))


def as_signed(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Unsigned integers as int64."""
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"Expected {name!r} to be below 2**63 (got {array.max()}). Convert it, such as with "
            f"numpy.asarray({name}).astype(str) for names or .astype('float64') for scores."
        )
    return array.astype(np.int64)


def check_unmasked(name: str, values: Any) -> None:
    """Refuses arrays, also in lists, with masked entries: a fill value is no data."""
    if isinstance(values, list | tuple):
        mask = np.array([entry is np.ma.masked for entry in values], dtype=bool)
        fill = "a number of your own"
        for i, entry in enumerate(values):
            if isinstance(entry, list | tuple | np.ma.MaskedArray) and not mask[i]:
                check_unmasked(f"{name}[{i}]", entry)
    elif isinstance(values, MaskedTensor):
        mask = ~values.get_mask().cpu().numpy()
        fill = f"{name}.to_tensor(value)"
    elif isinstance(values, np.ma.MaskedArray):
        mask = np.atleast_1d(np.ma.getmaskarray(values)).astype(bool)
        fill = f"{name}.filled(value)"
    else:
        return
    if mask.any():
        raise TypeError(
            f"Expected {name!r} to have no masked values (got {int(mask.sum())}, the first at row "
            f"{int(mask.nonzero()[0][0])}). Fill them with {fill}, or leave out these samples."
        )


def _dense(name: str, tensor: Tensor) -> Tensor:
    if isinstance(tensor, MaskedTensor):
        return _dense(name, tensor.get_data())
    if tensor.device.type == "meta":
        remedy = "Load its values first."
    elif tensor.is_nested:
        remedy = f"Pass rows of one length, such as {name}.to_padded_tensor(0.0)."
    elif tensor.is_quantized:
        remedy = f"Convert it with {name}.dequantize()."
    elif tensor.layout != torch.strided:
        remedy = f"Convert it with {name}.to_dense()."
    else:
        signed = tensor.detach()
        if tensor.dtype in _UNSIGNED:
            signed = signed.to(torch.int64)
            if bool((signed < 0).any()):
                raise ValueError(
                    f"Expected {name!r} to be below 2**63 (got {tensor.dtype} beyond). Convert it, such "
                    f"as with {name}.double() for scores."
                )
        return signed
    raise TypeError(
        f"Expected {name!r} to be a dense tensor with data (got layout {tensor.layout} on "
        f"{tensor.device}). {remedy}"
    )


def _stacked(name: str, tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of one shape, along a new first dimension."""
    dense = [as_tensor(f"{name}[{i}]", tensor) for i, tensor in enumerate(tensors)]
    shapes = sorted({tuple(tensor.shape) for tensor in dense})
    if len(shapes) > 1:
        raise ValueError(
            f"Expected {name!r} to be an array of one shape (got tensors of shape {shapes[0]} and "
            f"{shapes[1]}). Give every entry the same length."
        )
    return torch.stack([tensor.to(dense[0].device) for tensor in dense])


def _shared(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor in the memory of an array of numbers, where torch knows how."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():  # read-only memory is fine: nothing here writes to its input
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _is_missing(entry: Any) -> bool:
    """None, NaN, or what pandas puts in their place."""
    if isinstance(entry, float | np.floating):
        return bool(entry != entry)
    return entry is None or type(entry).__name__ in _NO_VALUE


def _without_tensors(values: Any) -> Any:
    if isinstance(values, Tensor):
        return values.detach().tolist()
    return [_without_tensors(entry) for entry in values] if isinstance(values, list | tuple) else values


def remedy_for(name: str, values: Any) -> str:
    """A conversion that works for these values: each is tried."""
    if isinstance(values, Iterator | KeysView | ValuesView):
        return f"Pass list({name})."
    conversions: list[tuple[str, Callable[[], Any]]] = [
        (f"numpy.asarray({name}, dtype='float32')", lambda: np.asarray(values, dtype="float32")),
        (f"numpy.stack(numpy.asarray({name}))", lambda: np.stack(list(np.asarray(values)))),
        (f"numpy.abs({name})", lambda: np.abs(values).astype("float32")),  # complex
        (f"[value.as_py() for value in {name}]", lambda: np.asarray([v.as_py() for v in values])),
    ]
    for text, convert in conversions:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # complex numbers lose a part
            try:
                if convert().dtype.kind in "biuf" and np.ndim(convert()):
                    return f"Pass {text}."
            except Exception:
                continue
    return "Pass a tensor or an array of numbers."
