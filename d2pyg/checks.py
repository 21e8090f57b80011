"""Checks at the public doors. Each error names the argument, the rule, the value and the way out."""

from __future__ import annotations

import math
import numbers
import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

ArrayLike = Tensor | np.ndarray[Any, Any] | Sequence[Any]

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_CHECK_ELEMENTS = 1 << 24  # elements looked at together, so that a memory-mapped file streams


def as_tensor(name: str, values: ArrayLike) -> Tensor:
    """A tensor that shares the memory of an array where it can, detached."""
    if isinstance(values, Tensor):
        if values.layout != torch.strided or values.is_nested or values.device.type == "meta":
            raise TypeError(
                f"Expected {name!r} to be a dense tensor with data (got layout {values.layout} on "
                f"{values.device}). Convert it, such as with {name}.to_dense()."
            )
        return values.detach()
    array = as_array(name, values)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise TypeError(
            f"Expected {name!r} to hold numbers of at most 64 bits (got dtype {array.dtype}). "
            f"Convert it, such as with numpy.asarray({name}, dtype='float32')."
        )
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = as_signed(name, array)  # torch computes little with unsigned integers
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings():  # read-only memory is fine: nothing here writes to its input
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def as_array(name: str, values: Any) -> np.ndarray[Any, Any]:
    """An array of a list or another sequence."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"Expected {name!r} to be an array of one shape (got {type(values).__name__} with parts "
            f"of several lengths). Give every entry the same length."
        ) from error


def as_signed(name: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Unsigned integers as int64."""
    if array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(
            f"Expected {name!r} to be below 2**63 (got {array.max()}). Convert it, such as with "
            f"{name}.astype(str) for names or {name}.astype('float64') for scores."
        )
    return array.astype(np.int64)


def as_flag(name: str, value: Any) -> bool:
    """True or False, and nothing that is merely taken for one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"Expected {name!r} to be True or False (got {type(value).__name__} {value!r}). "
            f"Pass one of the two."
        )
    return bool(value)


def as_embeddings(values: Tensor | np.ndarray[Any, Any], name: str = "embeddings") -> Tensor:
    """Embeddings as a floating tensor [N, d], N and d at least 1, all finite."""
    if not isinstance(values, Tensor | np.ndarray):
        raise TypeError(
            f"Expected {name!r} to be a tensor, an array or a kNN graph "
            f"(got {type(values).__name__}). Pass numpy.asarray({name}, dtype='float32')."
        )
    tensor = as_tensor(name, values)
    if tensor.dtype not in _FLOATS:
        raise TypeError(
            f"Expected {name!r} to be floating point of 16, 32 or 64 bits (got {tensor.dtype}). "
            f"Convert them, such as with {name}.astype('float32')."
        )
    if tensor.dim() != 2:
        raise ValueError(
            f"Expected {name!r} to have two dimensions, samples and features "
            f"(got shape {tuple(tensor.shape)}). Reshape to (N, d)."
        )
    if 0 in tensor.shape:
        raise ValueError(
            f"Expected {name!r} to have at least one sample and one feature "
            f"(got shape {tuple(tensor.shape)}). Check that the file or array is complete."
        )
    check_finite(name, tensor)
    return tensor


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuses NaN and infinity, and says how many rows have them and which is the first."""
    rows_together = max(1, _CHECK_ELEMENTS // max(1, tensor[0].numel()))
    bad_rows, first = 0, -1
    for start in range(0, len(tensor), rows_together):
        chunk = tensor[start : start + rows_together]
        bad = ~torch.isfinite(chunk).flatten(1).all(dim=1) if chunk.dim() > 1 else ~chunk.isfinite()
        count = int(bad.sum())
        if count and first < 0:
            first = start + int(bad.nonzero()[0])
        bad_rows += count
    if bad_rows:
        raise ValueError(
            f"Expected {name!r} to be finite (got NaN or infinity in {bad_rows} of {len(tensor)} "
            f"rows, the first at row {first}). Repair or leave out these samples."
        )


def as_scores(scores: ArrayLike, num_samples: int, signed: bool = False) -> Tensor:
    """Scores as float64 [N], finite and, unless ``signed``, at least 0."""
    tensor = as_tensor("scores", scores)
    if tensor.dtype is torch.bool or tensor.is_complex():
        raise TypeError(
            f"Expected 'scores' to be floats or integers (got {tensor.dtype}). Convert them first."
        )
    check_length("scores", tensor, num_samples)
    tensor = tensor.to(as_device(None, tensor.device)).double()
    check_finite("scores", tensor)
    negative = tensor < 0
    if not signed and bool(negative.any()):
        raise ValueError(
            f"Expected 'scores' to be at least 0, higher is harder (got {int(negative.sum())} "
            f"negative, the first at row {int(negative.nonzero()[0])}: "
            f"{float(tensor[negative][0]):g}). Where low means hard, as with AUM, pass "
            f"scores.max() - scores."
        )
    return tensor


def as_columns(scores: ArrayLike | None, num_samples: int, columns: int | None) -> Tensor | None:
    """Several scores a sample as float64 [N, F], the first at least 0; None where one is wanted."""
    tensor = None if scores is None else as_tensor("scores", scores)
    several = tensor is not None and tensor.dim() == 2
    if columns is None and not several:
        return None
    if tensor is None or tensor.shape != (num_samples, columns):
        got = "none" if tensor is None else f"shape {tuple(tensor.shape)}"
        rule = f"have shape ({num_samples}, {columns}), as the 'in_channels' of the forward layer says"
        if columns is None:
            rule = f"have one value for each of the {num_samples} samples"
        raise ValueError(
            f"Expected 'scores' to {rule} (got {got}). Several numbers a sample need a 'forward' layer "
            f"of your own with 'in_channels', which makes one of them."
        )
    as_scores(tensor[:, 0], num_samples)
    tensor = tensor.to(as_device(None, tensor.device)).double()
    check_finite("scores", tensor)
    return tensor


def as_labels(name: str, labels: ArrayLike, num_samples: int, what: str = "samples") -> Tensor:
    """Labels as int64 [N]."""
    if not isinstance(labels, Tensor) and as_array(name, labels).dtype.kind in "USO":
        raise TypeError(
            f"Expected {name!r} to be integers (got dtype {np.asarray(labels).dtype}). For names, "
            f"pass numpy.unique({name}, return_inverse=True)[1]."
        )
    tensor = as_tensor(name, labels)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
        raise TypeError(
            f"Expected {name!r} to be integers (got {tensor.dtype}). Convert them, such as with "
            f"{name}.astype('int64')."
        )
    check_length(name, tensor, num_samples, what)
    return tensor.to(torch.int64)


def as_index(name: str, index: ArrayLike, num_samples: int | None) -> Tensor:
    """Distinct sample indices as int64 [I], each in 0..N-1, or at least 0 where N is not known."""
    tensor = as_tensor(name, index)
    if tensor.numel() == 0:
        return torch.empty(0, dtype=torch.int64)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
        raise TypeError(
            f"Expected {name!r} to be integer indices (got {tensor.dtype}). For a mask, pass "
            f"mask.nonzero()."
        )
    tensor = tensor.to(torch.int64)
    if tensor.dim() != 1:
        raise ValueError(
            f"Expected {name!r} to have one dimension (got shape {tuple(tensor.shape)}). Flatten it."
        )
    low, high = int(tensor.min()), int(tensor.max())
    if low < 0 or (num_samples is not None and high >= num_samples):
        rule = "be at least 0" if num_samples is None else f"lie in 0 to {num_samples - 1}, the samples"
        raise ValueError(
            f"Expected {name!r} to {rule} (got {low if low < 0 else high}). "
            f"Leave out what is not in this data set."
        )
    if len(tensor.unique()) < len(tensor):
        raise ValueError(
            f"Expected {name!r} to name each sample once "
            f"(got {len(tensor) - len(tensor.unique())} repeated). Pass its unique values."
        )
    return tensor


def check_length(name: str, tensor: Tensor, num_samples: int, what: str = "samples") -> None:
    """One value a sample."""
    if tensor.dim() != 1 or len(tensor) != num_samples:
        raise ValueError(
            f"Expected {name!r} to have one value for each of the {num_samples} {what} "
            f"(got shape {tuple(tensor.shape)}). Check that both come from the same data set."
        )


def as_count(name: str, value: Any, low: int, high: int | None, meaning: str, remedy: str) -> int:
    """A whole number between ``low`` and ``high``; ``meaning`` says what the upper end is."""
    try:
        count = operator.index(value)
    except TypeError:
        count = None
    if count is None or isinstance(value, bool):
        raise TypeError(
            f"Expected {name!r} to be a whole number (got {type(value).__name__} {value!r}). {remedy}"
        )
    if count < low or (high is not None and count > high):
        rule = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"Expected {name!r} to be {rule}{meaning} (got {count}). {remedy}")
    return count


def as_real(name: str, value: Any, remedy: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"Expected {name!r} to be a number (got {type(value).__name__} {value!r}). {remedy}"
        )
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"Expected {name!r} to be finite (got {number}). {remedy}")
    return number


def check_gamma(name: str, value: Any) -> float:
    """A decay: finite and at least 0."""
    gamma = as_real(name, value, "The paper uses 0 to 1.")
    if gamma < 0:
        raise ValueError(
            f"Expected {name!r} to be at least 0 (got {gamma:g}). A negative gamma would weigh "
            f"distant samples more than close ones; the paper uses 0 to 1."
        )
    return gamma


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of a few names."""
    if value not in allowed:
        raise ValueError(
            f"Expected {name!r} to be one of {', '.join(allowed)} (got {value!r}). "
            f"Choose one of these names."
        )
    return str(value)


def as_device(device: str | torch.device | None, default: torch.device) -> torch.device:
    """The device to compute on: one that is there, and the CPU for MPS, which has no float64."""
    try:
        place = default if device is None else torch.device(device)
        torch.empty(1, device=place).item()
    except (RuntimeError, AssertionError, TypeError) as error:  # torch raises any, with long texts
        raise ValueError(
            f"Expected 'device' to be one that this torch can use (got {str(device)!r}). "
            f"Pass 'cpu'{' or ' + repr('cuda') if torch.cuda.is_available() else ''}."
        ) from error
    return torch.device("cpu") if place.type == "mps" else place
