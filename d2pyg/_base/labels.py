"""Classes of samples: whole numbers, truth values or names, as 0..C-1 in the order of their values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_array, as_integers, as_tensor, check_length
from d2pyg._base.columns import package_of
from d2pyg._base.names import Names, text_of


class Classes(NamedTuple):
    """The class of each sample, and the user's names of the classes."""

    code: Tensor  # int64 [N], 0..C-1
    values: list[Any]  # [C], ascending


def as_classes(name: str, labels: ArrayLike, num_samples: int, what: str = "samples") -> Classes:
    """Labels as classes by ascending value: integers at least 0, truth values, or text.

    The integers of a ``ClassLabel`` column of datasets keep their order, and have its names as values.

    Example:
        >>> as_classes("labels", ["dog", "cat", "dog"], 3)
        Classes(code=tensor([1, 0, 1]), values=['cat', 'dog'])
        >>> as_classes("labels", [7, 3, 7], 3)
        Classes(code=tensor([1, 0, 1]), values=[3, 7])
    """
    array, text = _read(name, labels)
    if text is not None:
        return _named(name, text, num_samples, what)
    values, code = _numbers(name, array, num_samples, what).unique(return_inverse=True)
    names = _class_names(labels)
    if names is not None and values.numel() and int(values[-1]) < len(names):
        return Classes(code, [names[value] for value in values.tolist()])
    is_flag = array.dtype in (torch.bool, np.bool_)
    return Classes(code, values.bool().tolist() if is_flag else values.tolist())


def as_labels(name: str, labels: ArrayLike, num_samples: int, what: str = "samples") -> Tensor:
    """Labels as int64 [N]: integers as they are, truth values as 0 and 1, text as :func:`as_classes`."""
    array, text = _read(name, labels)
    if text is not None:
        return _named(name, text, num_samples, what).code
    return _numbers(name, array, num_samples, what)


def as_groups(name: str, groups: ArrayLike, num_samples: int) -> tuple[Tensor, list[str] | None]:
    """Groups as :func:`as_labels`, and the names of 0, 1, ... where they are text.

    Example:
        >>> as_groups("batch", ["b", "a", "b"], 3), as_groups("batch", [7, 3], 2)
        ((tensor([1, 0, 1]), ['a', 'b']), (tensor([7, 3]), None))
    """
    array, text = _read(name, groups)
    if text is None:
        return _numbers(name, array, num_samples), None
    code, names = _named(name, text, num_samples)
    return code, names


def as_targets(name: str, labels: ArrayLike, num_samples: int, num_columns: int) -> Tensor:
    """The column of logits of each sample's class, int64 [N]. Names are in sorted order.

    Every column needs a name. Otherwise names would not tell the columns.
    """
    array, text = _read(name, labels)
    if text is None:
        is_flag = array.dtype in (torch.bool, np.bool_)
        return (_numbers if is_flag else as_integers)(name, array, num_samples)
    code, values = _named(name, text, num_samples)
    if len(values) != num_columns:
        raise ValueError(
            f"Expected {name!r} to name all of the {num_columns} classes that 'logits' have columns "
            f"for, in sorted order (got {len(values)}). Pass the number of each sample's column."
        )
    return code


def num_values(name: str, values: ArrayLike) -> int:
    """How many values there are."""
    return values.numel() if isinstance(values, Tensor) else as_array(name, values).size


def _read(name: str, labels: ArrayLike) -> tuple[Tensor | Names, Names | None]:
    """Labels as a tensor or an array, and their text if they are names."""
    if isinstance(labels, Tensor):
        return labels, None
    array = as_array(name, labels)
    return array, text_of(array)


def _named(name: str, text: Names, num_samples: int, what: str = "samples") -> Classes:
    values, code = np.unique(text.astype(object), return_inverse=True)
    codes = torch.from_numpy(code.reshape(text.shape))
    check_length(name, codes, num_samples, what)
    return Classes(codes, values.tolist())


def _numbers(name: str, labels: Any, num_samples: int, what: str = "samples") -> Tensor:
    codes = f"numpy.unique({name}, return_inverse=True)[1]"
    if isinstance(labels, Tensor) and labels.device.type != "cpu":
        codes = f"{name}.unique(return_inverse=True)[1]"
    if labels.dtype in (torch.bool, np.bool_):
        labels = as_tensor(name, labels).to(torch.int64)
    tensor = as_integers(name, labels, num_samples, what, f"For classes of other kinds, pass {codes}.")
    negative = tensor < 0
    if bool(negative.any()):
        first = int(negative.nonzero()[0])
        raise ValueError(
            f"Expected {name!r} to be at least 0 (got {int(negative.sum())} negative, the first at row "
            f"{first}: {int(tensor[first])}). Leave unlabeled {what} out; for a class of its own, pass "
            f"{codes}."
        )
    return tensor


def _class_names(values: Any) -> list[str] | None:
    """The names of the integers 0, 1, ... in a ``ClassLabel`` column of datasets."""
    if package_of(values) != "datasets":
        return None
    features = getattr(getattr(values, "source", None), "features", None) or {}
    names = getattr(features.get(getattr(values, "column_name", None)), "names", None)
    return None if names is None else list(names)
