"""Rows of data sets, frames, tables and columns of optional packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any

import numpy as np

from d2pyg._base.columns import package_of
from d2pyg._base.extras import require

_REACH = 2**31 - 1  # bytes or entries that Arrow's 32-bit offsets reach


def table_rows(dataset: Any) -> Callable[[np.ndarray[Any, Any]], Any] | None:
    """A function that takes the rows of an index; None for other packages or objects without rows."""
    package = package_of(dataset)
    if isinstance(dataset, Mapping) or not isinstance(dataset, Sized):  # their dicts hold splits
        return None
    rows: Any = dataset
    if package == "datasets" and hasattr(rows, "select"):
        return lambda index: rows.select(index)
    if package == "datasets" and isinstance(rows, Sequence):  # a column
        return lambda index: list(rows[index.tolist()])
    if package == "pandas" and hasattr(rows, "shape"):
        return lambda index: getattr(rows, "iloc", rows)[index]  # an index has no iloc
    if package == "polars" and hasattr(rows, "shape"):
        return lambda index: rows[index]
    if package == "pyarrow" and hasattr(rows, "take"):
        return lambda index: _of_arrow(rows, index)
    if package == "scipy" and hasattr(rows, "tocsr"):
        return lambda index: rows.tocsr()[index]
    return None


def _of_arrow(table: Any, index: np.ndarray[Any, Any]) -> Any:
    """The rows of that index, in its order.

    Arrow joins the chunks of a column before it takes rows. This fails if their text or lists exceed
    32-bit offsets. Such columns come back with 64-bit offsets, as ``large_string``.
    """
    pa = require("pyarrow", "pyarrow")
    if isinstance(table, pa.ChunkedArray):
        table = _with_reach(table)
    if isinstance(table, pa.Table):
        for i, column in enumerate(table.columns):
            wide = _with_reach(column)
            if wide is not column:
                table = table.set_column(i, table.field(i).with_type(wide.type), wide)
    return table.take(index)


def _with_reach(column: Any) -> Any:
    wide = _wide(column.type)
    return column.cast(wide) if column.nbytes > _REACH and wide != column.type else column


def _wide(kind: Any) -> Any:
    """The type with 64-bit offsets, inside lists and structs too."""
    pa = require("pyarrow", "pyarrow")
    is_a = pa.types
    if is_a.is_string(kind):
        return pa.large_string()
    if is_a.is_binary(kind):
        return pa.large_binary()
    if is_a.is_struct(kind):
        return pa.struct([part.with_type(_wide(part.type)) for part in kind])
    if is_a.is_list(kind) or is_a.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_wide(kind.value_type)))
    if is_a.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_wide(kind.value_type)), kind.list_size)
    return kind
