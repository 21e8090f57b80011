"""Columns of all shards as one array: numbers, truth values, text; and names, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from d2pyg._base.names import Names, text_of
from d2pyg.sources.table import Array, Table
from d2pyg.sources.text import numbers_of

Parts = Iterator[tuple[Table, str, list[Array]]]  # a shard, its column, and its values block by block
Place = Callable[[int], str]
_KINDS = {"b": "truth values", **dict.fromkeys("iuf", "numbers"), **dict.fromkeys("UOST", "text")}


def column_of(parts: Parts, place_of: Place) -> Array:
    """A column [N] or [N, d] without missing values.

    Text of a format without types becomes numbers, if all of it can.
    """
    array, table, column = _joined(parts)
    if array.dtype.kind in "UO" and not table.typed:
        array = _of_text(array, table, column, place_of, names=False)
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if bad.any():
            got = (
                f"NaN or infinity in {int(bad.sum())} rows, the first row {place_of(int(bad.argmax()))}"
            )
            remedy = "Repair or leave out these samples."
            raise table.misfit(column, "have a number in every row", got, remedy)
    return array


def names_of(parts: Parts, place_of: Place) -> Names:
    """Names of the samples: int64 or text."""
    array, table, column = _joined(parts)
    if array.dtype.kind in "UO" and not table.typed:
        array = _of_text(array, table, column, place_of, names=True)
    if array.dtype.kind not in "iuUO" or array.ndim != 1:
        kind = "vectors" if array.ndim != 1 else array.dtype
        remedy = "Write the ids as text or as whole numbers."
        raise table.misfit(column, "hold ids, integers or text", str(kind), remedy)
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        array = array.astype(str)
    elif array.dtype.kind in "iu":
        array = array.astype(np.int64)
    _check_once(array, table, column, place_of)
    return array


def _of_text(array: Names, table: Table, column: str, place_of: Place, names: bool) -> Array:
    """Numbers if all are, else text; where there are to be names or numbers, none is left out."""
    empty = np.flatnonzero(array == "")
    there = array[array != ""]
    if len(empty) and (names or numbers_of(there).dtype.kind not in "UO"):
        got = f"nothing in {len(empty)} rows, the first row {place_of(int(empty[0]))}"
        remedy = "Fill them in, or leave out these samples."
        raise table.misfit(column, "have a value in every row", got, remedy)
    return numbers_of(array, names)


def _joined(parts: Parts) -> tuple[Array, Table, str]:
    """All values as one array, with the first shard and the name of the column there."""
    blocks: list[Array] = []
    kinds: dict[str, Table] = {}
    home: tuple[Table, str] | None = None
    for table, column, values in parts:
        home = home or (table, column)
        for block in (block for block in values if len(block)):
            text = text_of(block) if block.dtype.kind in "OST" else block
            if text is None or block.dtype.kind not in _KINDS:
                got = f"values of {block.dtype}"
                if block.dtype.kind == "O":
                    got = (
                        f"{next(type(v).__name__ for v in block.flat if not isinstance(v, str | bytes))}"
                    )
                remedy = "Convert the column, such as to text."
                raise table.misfit(column, "hold numbers, truth values or text", got, remedy)
            kinds.setdefault(_KINDS[block.dtype.kind], table)
            if len(kinds) > 1:
                (one, first), (two, _) = kinds.items()
                remedy = "Write all shards alike."
                raise table.misfit(column, f"hold {one}, as in {first}", two, remedy)
            blocks.append(text)
    assert home is not None
    if {"u", "i"} <= {block.dtype.kind for block in blocks}:  # which NumPy would make floats
        unsigned = min(int(block.min()) for block in blocks) >= 0
        blocks = [block.astype(np.uint64) if unsigned else _signed(home, block) for block in blocks]
    if not blocks:
        return np.empty(0), *home
    return _concatenated(blocks), *home


def _signed(home: tuple[Table, str], block: Array) -> Array:
    if block.dtype.kind != "u":
        return block
    if block.max() > np.iinfo(np.int64).max:
        table, column = home
        got = f"{block.max()}, and numbers below 0"
        raise table.misfit(column, "hold whole numbers that 64 bits hold", got, "Write them as text.")
    return block.astype(np.int64)


def _concatenated(blocks: list[Array]) -> Array:
    if len(blocks) == 1:
        return blocks[0]
    if any(block.dtype.kind == "O" for block in blocks):
        blocks = [block.astype(object) for block in blocks]
    array: Any = np.concatenate(blocks)
    text = text_of(array) if array.dtype.kind == "O" else array
    return array if text is None else text


def _check_once(array: Names, table: Table, column: str, place_of: Place) -> None:
    names = array.tolist()
    repeated = len(names) - len(set(names))
    if not repeated:
        return
    seen: dict[Any, int] = {}
    for row, name in enumerate(names):
        if seen.setdefault(name, row) != row:
            rows = f"{place_of(seen[name])}, and {place_of(row)}"
            got = f"{repeated} repeated, the first {name!r:.40} in rows {rows}"
            remedy = "Name another column of ids, or pass ids=None (--ids none)."
            raise table.misfit(column, "name each sample once", got, remedy)
