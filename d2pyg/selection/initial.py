"""The samples chosen before a selection: indices in order, names, a mask, or a coreset."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_array, as_index, as_tensor, check_length, shown
from d2pyg._base.names import Names, text_of
from d2pyg.coreset.coreset import Coreset

_EITHER = "Pass torch.as_tensor(initial) for indices, or numpy.isin(ids, initial) for names, a mask."


def as_initial(
    initial: ArrayLike | Coreset | None,
    num_samples: int,
    ids: Names | None = None,
    either: str = _EITHER,
) -> Tensor:
    """The samples that are taken first, int64 [I], in the order in which they are taken.

    Args:
        initial: Distinct indices or names, in order; a mask, bool [N], in order of index; a coreset (its
            own initial samples, then its picks); or None.
        num_samples: N.
        ids: Names of the samples, as :func:`d2pyg._base.names.as_ids` returns them.
        either: The advice of the error where integers could be both.

    Text is looked up in ``ids``. So are the samples of a coreset that has ids too; any other coreset
    must be of N samples. A tensor holds indices, as ``coreset.index`` does. Other integers are indices
    too, unless ``ids`` are integers. Then they are names if one of them is no index, and indices if none
    of them names another sample. Otherwise they are refused.

    Example:
        >>> as_initial([4, 0], 5), as_initial([True, False, False, False, True], 5)
        (tensor([4, 0]), tensor([0, 4]))
        >>> as_initial(["c", "a"], 3, np.array(["a", "b", "c"]))
        tensor([2, 0])
        >>> as_initial(d2pyg.select(torch.eye(3), [1, 2, 9], budget=1, initial=[1]), 3)
        tensor([1, 2])
    """
    if initial is None:
        return torch.empty(0, dtype=torch.int64)
    if isinstance(initial, Coreset):
        return _of_coreset(initial, num_samples, ids)
    index: Tensor | None
    if isinstance(initial, Tensor):
        index = as_tensor("initial", initial)
    else:
        array = as_array("initial", initial)
        text = text_of(array) if array.ndim else None
        if text is not None and len(text):
            return named("initial", text, ids)
        are_numbers = array.ndim == 1 and array.dtype.kind in "iu"
        if are_numbers and ids is not None and ids.dtype.kind == "i" and _are_names(array, ids, either):
            return named("initial", array, ids)
        index = as_tensor("initial", array) if array.dtype.kind == "b" else None
    if index is not None and index.dtype is torch.bool:
        check_length("initial", index, num_samples)
        index = index.nonzero().flatten()
    given = initial if index is None else index
    return as_index("initial", given, num_samples).clone()  # the caller's may change later


def named(name: str, names: Names, ids: Names | None) -> Tensor:
    """The samples of these names [I], int64."""
    entries: list[Any] = names.ravel().tolist()
    if ids is None:
        raise ValueError(
            f"Expected {name!r} to be indices, a mask or a coreset where samples have no names (got "
            f"{shown(entries[0])}). Pass indices, or the names of all samples as 'ids'."
        )
    place = {entry: i for i, entry in enumerate(ids.tolist())}
    unknown = [entry for entry in entries if entry not in place]
    if unknown:
        raise ValueError(
            f"Expected {name!r} to name samples that are among 'ids' (got {len(unknown)} of "
            f"{len(entries)} that are not, such as {unknown[0]!r:.60}). Leave them out, or pass names "
            f"of the kind of {ids[:1].tolist()[0]!r:.40}."
        )
    return as_index(name, torch.tensor([place[entry] for entry in entries]), len(ids))


def _of_coreset(coreset: Coreset, num_samples: int, ids: Names | None) -> Tensor:
    total = len(coreset.scores)
    before = as_index("initial", coreset.settings.get("initial") or [], total)
    index = torch.cat([before.cpu(), coreset.index.cpu()])
    if ids is not None and coreset.ids is not None and not np.array_equal(ids, coreset.ids):
        return named("initial", coreset.ids[index.numpy()], ids)
    if total != num_samples:
        raise ValueError(
            f"Expected 'initial' to be a coreset of these {num_samples} samples (got one of {total}). "
            f"Pass one that was selected from the same data set, or 'ids' to both selections."
        )
    return as_index("initial", index, num_samples)


def _are_names(numbers: np.ndarray[Any, Any], ids: Names, either: str) -> bool:
    """Whether integers are names and not indices. An error if they could be either."""
    outside = (numbers < 0) | (numbers >= len(ids))
    if outside.any():
        return bool(np.isin(numbers, ids).any())  # else an error about indices helps more
    other = np.isin(numbers, ids) & (ids[numbers] != numbers)
    if other.any():
        raise ValueError(
            f"Expected 'initial' to be either indices or names, where 'ids' are integers (got "
            f"{numbers[other][0]}, which is both). {either}"
        )
    return False
