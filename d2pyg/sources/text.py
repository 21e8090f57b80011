"""Text files, plain or compressed, and values that were read from them as arrays."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from d2pyg._base.compressed import SUFFIXES, decompressed
from d2pyg._base.names import as_text
from d2pyg.sources.table import Array

COMPRESSED = ("", *SUFFIXES)
_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}")  # as int writes it, so that no name is changed
_REAL = re.compile(
    r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+|nan|inf|infinity)(e[+-]?[0-9]+)?\s*", re.IGNORECASE
)


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """A text file, decompressed where its name says so, with its line ends as they are.

    Bytes that are not UTF-8 are as ``os.fsdecode`` has them.
    """
    with decompressed(path) as file:
        yield io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def numbers_of(text: Array, names: bool = False) -> Array:
    """Text as int64, float64 or, if an entry is no number, as it is.

    Args:
        text: [N].
        names: Never as floats, and as integers only if ``str`` gives the same text again.
    """
    entries = text.tolist()
    if all(map(_WHOLE.fullmatch, entries)):
        try:
            return np.array([int(entry) for entry in entries], dtype=np.int64)
        except OverflowError:
            return text
    if names or not all(map(_REAL.fullmatch, entries)):
        return text
    return np.array([float(entry) for entry in entries], dtype=np.float64)


def array_of(values: Sequence[Any]) -> Array | None:
    """Values of JSON as an array [n] or [n, d]; None if they are of several kinds."""
    kinds = {type(value) for value in values}
    if kinds <= {str}:
        return as_text(values)
    if kinds == {int}:
        array = _integers(values)
    elif kinds <= {bool} or kinds <= {int, float}:
        array = np.array(values)
    elif kinds <= {list}:
        if len({len(value) for value in values}) > 1:
            return None
        inner = {type(entry) for value in values for entry in value}
        array = (
            np.array(values, dtype=np.float64) if inner <= {int, float} else np.array([], dtype=object)
        )
    else:
        return None
    return None if array.dtype.kind == "O" else array


def _integers(values: Sequence[int]) -> Array:
    """Of 64 bits; objects where one has more."""
    for dtype in np.int64, np.uint64:
        with suppress(OverflowError):
            return np.array(values, dtype=dtype)
    return np.array(values, dtype=object)
