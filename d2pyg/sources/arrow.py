"""Columns of Arrow: vectors and values without nulls, with the row where one breaks a rule."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from d2pyg._base.columns import as_plain
from d2pyg._base.extras import require
from d2pyg.sources.table import Array, Table


class ArrowTable(Table):
    """What Parquet, Lance and datasets have in common: columns come as batches of Arrow."""

    @abstractmethod
    def batches(self, column: str, start: int, stop: int) -> Iterator[Any]:
        """The rows from ``start`` up to ``stop`` as arrays of pyarrow, in order."""

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        batches = self.batches(column, start, stop)
        for batch in batches:
            if len(batch) == 0:
                continue
            self._check(column, batch, start, batches)
            yield np.asarray(as_plain(self.argument, batch))
            start += len(batch)

    def _check(self, column: str, batch: Any, start: int, later: Iterator[Any]) -> None:
        """No null, no null inside of a vector, and vectors of one length."""
        if batch.null_count:
            first = start + int(_flags(batch.is_null()).argmax())
            count = batch.null_count + sum(rest.null_count for rest in later)
            raise self.missing(column, count, first)
        batch = getattr(batch, "storage", batch)
        if hasattr(batch.type, "fields"):
            rule = "hold numbers, truth values, text or vectors"
            raise self.misfit(column, rule, f"{batch.type!s:.60}", "Take a field of it apart.")
        if not hasattr(batch.type, "value_field"):
            return
        lengths = _flags(require("pyarrow.compute", "pyarrow").list_value_length(batch))
        other = lengths != lengths[0]
        if other.any():
            at = int(other.argmax())
            got = f"{lengths[at]} numbers at row {start + at}, {lengths[0]} at row {start}"
            remedy = "Make the vectors again, all by one model."
            raise self.misfit(column, "hold vectors of one length", got, remedy)
        bad = _incomplete(batch)
        if len(bad):
            count = len(bad) + sum(len(_incomplete(getattr(rest, "storage", rest))) for rest in later)
            raise self.missing(column, count, start + int(bad[0]), "vectors")


def _incomplete(batch: Any) -> Array:
    """The rows of vectors that have a null in them."""
    inner = batch.flatten()
    if not inner.null_count:
        return np.empty(0, dtype=np.int64)
    parents = require("pyarrow.compute", "pyarrow").list_parent_indices(batch)
    return np.unique(_flags(parents)[_flags(inner.is_null())])


def _flags(array: Any) -> Array:
    flags: Array = array.to_numpy(zero_copy_only=False)
    return flags
