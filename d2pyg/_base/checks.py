"""Checks of public arguments. Each error names the argument, the rule, the value and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set, ValuesView
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.arrays import ArrayLike, as_array, as_signed, as_tensor, check_unmasked, remedy_for
from d2pyg._base.choice import check_choice, shown
from d2pyg._base.located import Located
from d2pyg._base.no_values import NoValues
from d2pyg._base.rows import as_rows
from d2pyg._base.scalars import (
    as_count,
    as_device,
    as_flag,
    as_name,
    as_real,
    check_gamma,
)

__all__ = [
    "FLOATS",
    "ArrayLike",
    "as_array",
    "as_columns",
    "as_count",
    "as_device",
    "as_embeddings",
    "as_flag",
    "as_index",
    "as_integers",
    "as_name",
    "as_real",
    "as_scores",
    "as_signed",
    "as_tensor",
    "check_choice",
    "check_finite",
    "check_gamma",
    "check_length",
    "check_unmasked",
    "is_finite",
    "shown",
]

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_CHECK_ELEMENTS = 1 << 22  # elements looked at together, so that a memory-mapped file streams


def as_embeddings(values: ArrayLike, name: str = "embeddings") -> Tensor:
    """Embeddings as a floating tensor [N, d], N and d at least 1, all finite."""
    given = values
    values = as_rows(name, values)
    if isinstance(values, str | bytes) or not (
        hasattr(values, "__array__") or isinstance(values, Sequence)
    ):
        raise TypeError(
            f"Expected {name!r} to be a tensor, an array or a kNN graph (got {type(given).__name__}). "
            f"{remedy_for(name, given)}"
        )
    tensor = as_tensor(name, values)
    if tensor.dtype not in FLOATS:
        remedy = remedy_for(name, given)
        if isinstance(given, Tensor):
            remedy = f"Pass {name}.abs()." if tensor.is_complex() else f"Pass {name}.float()."
        raise TypeError(
            f"Expected {name!r} to be floating point of 16, 32 or 64 bits (got {tensor.dtype}). {remedy}"
        )
    if tensor.dim() != 2:
        whole = name
        if not isinstance(given, Tensor):
            array = np.asarray(given)
            if array.dtype.kind == "O":
                whole = f"numpy.stack({name})"
            elif array is not given:
                whole = f"numpy.asarray({name})"
        raise ValueError(
            f"Expected {name!r} to have two dimensions, samples and features "
            f"(got shape {tuple(tensor.shape)}). Reshape to (N, d), such as with "
            f"{whole}.reshape(len({name}), -1)."
        )
    if 0 in tensor.shape:
        raise ValueError(
            f"Expected {name!r} to have at least one sample and one feature "
            f"(got shape {tuple(tensor.shape)}). Check that the file or array is complete."
        )
    check_finite(name, tensor, given.place_of if isinstance(given, Located) else str)
    return tensor


def is_finite(tensor: Tensor) -> bool:
    """Whether there is neither NaN nor infinity, in one pass: the extremes are NaN if any value is."""
    return not tensor.numel() or bool(torch.stack(tensor.aminmax()).isfinite().all())


def check_finite(name: str, tensor: Tensor, place_of: Callable[[int], str] = str) -> None:
    """Refuses NaN and infinity, and says how many rows have them and which is the first."""
    rows_together = max(1, _CHECK_ELEMENTS // max(1, tensor[:1].numel()))
    bad_rows, first = 0, -1
    for start in range(0, len(tensor), rows_together):
        chunk = tensor[start : start + rows_together]
        if is_finite(chunk):
            continue
        bad = ~torch.isfinite(chunk).flatten(1).all(dim=1) if chunk.dim() > 1 else ~chunk.isfinite()
        count = int(bad.sum())
        if count and first < 0:
            first = start + int(bad.nonzero()[0])
        bad_rows += count
    if bad_rows:
        raise ValueError(
            f"Expected {name!r} to be finite (got NaN or infinity in {bad_rows} of {len(tensor)} "
            f"rows, the first at row {place_of(first)}). Repair or leave out these samples."
        )


def as_scores(scores: ArrayLike, num_samples: int, signed: bool = False) -> Tensor:
    """Scores as float64 [N], finite and, unless ``signed``, at least 0."""
    tensor = as_tensor("scores", scores)
    if tensor.dtype is torch.bool or tensor.is_complex():
        convert = "scores.abs()" if tensor.is_complex() else "scores.double()"
        raise TypeError(
            f"Expected 'scores' to be floats or integers (got {tensor.dtype}). Convert them with "
            f"{convert if isinstance(scores, Tensor) else 'numpy.asarray(scores, dtype=float)'}."
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
    """Several scores per sample as float64 [N, F], the first at least 0; None if one is expected."""
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
            f"Expected 'scores' to {rule} (got {got}). Several numbers per sample need your "
            f"own 'forward' layer with 'in_channels', which combines them into one."
        )
    as_scores(tensor[:, 0], num_samples)
    tensor = tensor.to(as_device(None, tensor.device)).double()
    check_finite("scores", tensor)
    return tensor


def as_integers(
    name: str,
    values: ArrayLike,
    num_samples: int,
    what: str = "samples",
    remedy: str = "Pass whole numbers.",
) -> Tensor:
    """Whole numbers as int64 [N]."""
    array = values if isinstance(values, Tensor) else as_array(name, values)
    tensor = as_tensor(name, array) if _is_numeric(array) else None
    if tensor is not None and tensor.is_floating_point():
        check_finite(name, tensor.reshape(-1))
    if not _is_whole(tensor):
        got = f"dtype {array.dtype}" if tensor is None else tensor.dtype
        raise TypeError(f"Expected {name!r} to be integers (got {got}). {remedy}")
    check_length(name, tensor, num_samples, what)
    return tensor.to(torch.int64)


def as_index(name: str, index: ArrayLike, num_samples: int | None) -> Tensor:
    """Distinct sample indices as int64 [I], each in 0..N-1, or at least 0 where N is not known."""
    if isinstance(index, NoValues) and hasattr(index, "__array__"):  # a coreset, which holds indices
        index = np.asarray(index)
    array = index if isinstance(index, Tensor) else as_array(name, index)
    if array.ndim and 0 in array.shape:
        return torch.empty(0, dtype=torch.int64)
    tensor = as_tensor(name, array) if _is_numeric(array) else None
    if not _is_whole(tensor):
        got, remedy = type(index).__name__, "Pass the numbers of samples, such as coreset.index."
        if isinstance(index, Set):
            got, remedy = f"{got}, which has no order", f"Pass sorted({name})."
        if isinstance(index, Iterator | ValuesView):
            remedy = f"Pass list({name})."
        if tensor is not None:
            got = str(tensor.dtype)
            remedy = f"Convert them, such as with numpy.asarray({name}, dtype='int64')."
        if got == "torch.bool":
            tensors = isinstance(index, Tensor)
            mask = f"{name}.nonzero().flatten()" if tensors else f"numpy.flatnonzero({name})"
            remedy = f"For a mask, pass {mask}."
        raise TypeError(f"Expected {name!r} to be integer indices (got {got}). {remedy}")
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
    """One value per sample."""
    if tensor.dim() != 1 or len(tensor) != num_samples:
        raise ValueError(
            f"Expected {name!r} to have one value for each of the {num_samples} {what} "
            f"(got shape {tuple(tensor.shape)}). Check that both come from the same data set."
        )


def _is_numeric(array: Tensor | np.ndarray[Any, Any]) -> bool:
    return isinstance(array, Tensor) or array.dtype.kind in "biuf"


def _is_whole(tensor: Tensor | None) -> TypeGuard[Tensor]:
    """Integers, and no truth values."""
    return tensor is not None and not (
        tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool
    )
