"""Names of samples: whole numbers or text of any length, including file names that are not UTF-8."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg._base.arrays import as_array, as_signed, as_tensor, check_present
from d2pyg._base.columns import as_plain

Names = np.ndarray[Any, Any]
_SMALL = 1 << 18  # characters that fixed width may always take: 1 MiB


def as_ids(ids: Any, num_samples: int) -> Names:
    """Names of the samples, [N], all different: int64, or text.

    An array of fixed width stays one. Other text becomes an array by :func:`as_text`. Bytes are decoded
    as ``os.fsdecode`` decodes file names.
    """
    array = _array_of(ids)
    if array.dtype.kind == "u":
        array = as_signed("ids", array)
    elif array.dtype.kind == "i":
        array = array.astype(np.int64)
    elif array.dtype.kind == "U":
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    elif not all(isinstance(name, str) for name in array.flat) or array.dtype.kind != "O":
        raise TypeError(
            f"Expected 'ids' to be integers or strings (got dtype {array.dtype}). Convert them, such as "
            f"with [str(name) for name in ids]."
        )
    if array.shape != (num_samples,):
        raise ValueError(
            f"Expected 'ids' to have one name for each of the {num_samples} samples "
            f"(got shape {array.shape}). Check that both come from the same data set."
        )
    names = array.tolist()
    if array.dtype.kind in "UO":
        _check_encodable(names)
    if len(set(names)) < num_samples:
        name, count = Counter(names).most_common(1)[0]
        raise ValueError(
            f"Expected 'ids' to name each sample once (got {name!s:.100} {count} times). Repeated names "
            f"could delete what is to be kept."
        )
    return array


def as_text(names: Sequence[str]) -> Names:
    """Text as an array of fixed width, or of objects if one long name would make that too wide.

    Example:
        >>> as_text(["a", "bc"]).dtype, as_text([*"0123456789", "b" * 10**6]).dtype
        (dtype('<U2'), dtype('O'))
    """
    width = max(map(len, names), default=0)
    is_wasteful = width * len(names) > max(_SMALL, 4 * sum(map(len, names)))
    if is_wasteful or any(name.endswith("\0") for name in names):  # which fixed width drops
        return _objects(names)
    return np.asarray(names, dtype=str)


def text_of(array: Names) -> Names | None:
    """The text of an array of text, bytes or both; None for other arrays.

    Example:
        >>> text_of(np.array([b"a", "b"], dtype=object)), text_of(np.array([1, 2])) is None
        (array(['a', 'b'], dtype='<U1'), True)
    """
    if array.dtype.kind == "U":
        return array
    if array.dtype.kind in "OST" and all(isinstance(name, str | bytes) for name in array.flat):
        text: Names = as_text([_as_str(name) for name in array.flat])
        return np.reshape(text, array.shape)
    return None


def encoded(names: Names) -> list[bytes]:
    """Text as UTF-8. File names that are not UTF-8 keep their original bytes."""
    return [name.encode("utf-8", "surrogateescape") for name in names.tolist()]


def decoded(names: Sequence[bytes]) -> Names:
    """The inverse of :func:`encoded`."""
    return as_text([_as_str(name) for name in names])


def _array_of(ids: Any) -> Names:
    if isinstance(ids, Tensor):
        return np.asarray(as_tensor("ids", ids).cpu())
    ids = as_plain("ids", ids)
    if isinstance(ids, list | tuple) and any(isinstance(name, str | bytes) for name in ids):
        array = _objects(ids)  # else all are as wide as the longest, and numbers become text
        check_present("ids", array)
    else:
        array = as_array("ids", ids)
    text = text_of(array)
    return array if text is None else text


def _objects(names: Sequence[Any]) -> Names:
    array = np.empty(len(names), dtype=object)
    array[:] = names
    return array


def _as_str(name: str | bytes) -> str:
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)


def _check_encodable(names: list[str]) -> None:
    for name in names:
        try:
            is_kept = name.isascii() or _as_str(name.encode("utf-8", "surrogateescape")) == name
        except UnicodeEncodeError:
            is_kept = False
        if not is_kept:
            raise ValueError(
                f"Expected 'ids' to be text that files can hold (got {name!a:.100}, with a lone "
                f"surrogate). Convert them, such as with name.encode('utf-8', "
                f"'backslashreplace').decode()."
            )
