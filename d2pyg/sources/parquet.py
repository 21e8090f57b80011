"""``.parquet``: columns by name, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from d2pyg._base.extras import require
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrow import ArrowTable

_TOGETHER = 1 << 13  # rows: 25 MB of 768 floats


class _Footer(NamedTuple):
    columns: tuple[str, ...]
    ends: list[int]  # of the row groups, in rows


@register("source", "parquet")
class Parquet(ArrowTable):
    """A file of columns. It stays closed between reads, so any number of shards can be used."""

    suffixes = (".parquet",)

    def _opened(self) -> Any:
        return require("pyarrow.parquet", "pyarrow").ParquetFile(self.path)

    @cached_property
    def _footer(self) -> _Footer:
        with readable(self.argument, self.path), self._opened() as file:
            ends, total = [], 0
            for group in range(file.num_row_groups):
                total += file.metadata.row_group(group).num_rows
                ends.append(total)
            return _Footer(tuple(file.schema_arrow.names), ends)

    @property
    def columns(self) -> tuple[str, ...]:
        return self._footer.columns

    def length(self, column: str) -> int:
        return self._footer.ends[-1] if self._footer.ends else 0

    def batches(self, column: str, start: int, stop: int) -> Iterator[Any]:
        starts = [0, *self._footer.ends[:-1]]
        groups = [
            group
            for group, (first, end) in enumerate(zip(starts, self._footer.ends, strict=False))
            if first < stop and end > start
        ]
        if not groups or start >= stop:
            return
        row = starts[groups[0]]
        with readable(self.argument, self.path), self._opened() as file:
            size = min(_TOGETHER, stop - row)
            for batch in file.iter_batches(size, row_groups=groups, columns=[column]):
                part = batch.column(0)[max(0, start - row) : max(0, stop - row)]
                row += len(batch)
                yield part
                if row >= stop:
                    return
