"""``.csv``, also packed: tables of text with a header."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from d2pyg._base.io import readable
from d2pyg._base.long_fields import long_fields
from d2pyg._base.names import as_text
from d2pyg._base.registry import register
from d2pyg.sources.table import Array, Table
from d2pyg.sources.text import COMPRESSED, opened

_TOGETHER = 1 << 14  # rows


@register("source", "csv")
class Csv(Table):
    """A file with names of columns in its first line. Text with commas or lines is in quotes."""

    suffixes = tuple(f".csv{packed}" for packed in COMPRESSED)
    typed = False

    @cached_property
    def columns(self) -> tuple[str, ...]:
        with readable(self.argument, self.path), opened(self.path) as file:
            header = tuple(next(csv.reader(file), ()))
        twice = [name for name in header if header.count(name) > 1]
        if twice or not header:
            got = f"{twice[0]!r:.40} twice" if twice else "no line"
            raise self.misfit("", "have names of columns in its first line", got, "Write a header.")
        return header

    def length(self, column: str) -> int:
        return self._length

    @cached_property
    def _length(self) -> int:
        with long_fields():
            return sum(1 for _ in self._rows(0, sys.maxsize))

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        place = self.columns.index(column)
        rows = self._rows(start, stop)
        while True:
            with long_fields():
                block = [row[place] for row in islice(rows, _TOGETHER)]
            if not block:
                return
            yield as_text(block)

    def _rows(self, start: int, stop: int) -> Iterator[list[str]]:
        wanted = len(self.columns)
        with readable(self.argument, self.path), opened(self.path) as file:
            reader = csv.reader(file, strict=True)
            next(reader)
            for number, row in enumerate(islice(filter(None, reader), start, stop), start):
                if len(row) != wanted:
                    raise ValueError(f"row {number} has {len(row)} fields, not {wanted}")
                yield row
