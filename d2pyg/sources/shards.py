"""Shards: tables one after the other, as one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np

from d2pyg._base.located import Located
from d2pyg._base.names import Names
from d2pyg.sources.table import Array, Table, named
from d2pyg.sources.values import column_of, names_of

_log = logging.getLogger("d2pyg")


class Shards(Located):
    """Columns of all samples, of which each shard holds some.

    Args:
        tables: The shards, in order.
        column: The one that says how many rows a shard has; others have to have as many.
    """

    def __init__(self, tables: Sequence[Table], column: str) -> None:
        self._tables = tables
        self._main = column
        self.lengths = [table.length(self._in(table, column)) for table in tables]
        self._starts = np.cumsum([0, *self.lengths])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def tell(self) -> None:
        """Logs the order of shards, and which of them have no rows, as that may not be meant."""
        tables = self._tables
        if len(tables) > 1:
            _log.info(
                "%d rows in %d shards, from %s to %s", len(self), len(tables), tables[0], tables[-1]
            )
        empty = [table for table, rows in zip(self._tables, self.lengths, strict=True) if not rows]
        if empty and len(self):
            _log.warning(
                "%d of %d shards have no rows, the first %s", len(empty), len(self.lengths), empty[0]
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self._tables[0].columns

    def column(self, name: str) -> Array:
        """A column of values, [N] or [N, d]: numbers without NaN, truth values or text.

        Raises:
            ValueError: If there is no such column, or a value of it is missing.
        """
        return column_of(self._parts(name), self.place_of)

    def names(self, name: str) -> Names:
        """A column of ids [N], each once: int64 or text."""
        return names_of(self._parts(name), self.place_of)

    def place_of(self, row: int) -> str:
        """Where a row is, for errors."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        if len(self._tables) == 1:
            return f"{row} of {self._tables[0]}"
        return f"{row}, row {row - int(self._starts[shard])} of {named(self._tables[shard].path.name)}"

    def _in(self, table: Table, column: str) -> str:
        """The column, which the shard has to have."""
        if column not in table.columns:
            there = ", ".join(table.columns)
            what = f"have a column {column!r:.40}"
            raise table.misfit("", what, f"{there:.100}" if there else "none", "Name one of these.")
        return column

    def _parts(self, column: str) -> Iterator[tuple[Table, str, list[Array]]]:
        """A column, shard by shard."""
        for table, rows in zip(self._tables, self.lengths, strict=True):
            name = self._in(table, column)
            if table.length(name) != rows:
                got = f"{table.length(name)}, and {rows} of {self._main!r:.40}"
                raise table.misfit(name, "have a row for each sample", got, "Name another column.")
            yield table, name, list(table.blocks(name, 0, rows))
