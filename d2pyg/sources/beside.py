"""Files side by side: row i of one and row i of the other are the same sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from d2pyg.sources.arrays import ArrayTable
from d2pyg.sources.table import UNNAMED, Array, Table


class Beside(Table):
    """One shard of several files.

    Args:
        path: What the shard is called by.
        argument: The argument that it was given as.
        parts: The files, each with the name that its column has if the file gives it none.
    """

    def __init__(self, path: Path, argument: str, parts: Mapping[str, Table]) -> None:
        super().__init__(path, argument)
        self.parts = parts

    @cached_property
    def _home(self) -> dict[str, tuple[Table, str]]:
        """The file that a column is in, and its name there."""
        home: dict[str, tuple[Table, str]] = {}
        for name, part in self.parts.items():
            for column in part.columns:
                shown = column if column != UNNAMED else name
                if shown in home:
                    got = f"{shown!r:.40} in {home[shown][0].path.name:.60} and {part.path.name:.60}"
                    raise self.misfit("", "have columns of different names", got, "Rename one.")
                home[shown] = part, column
        return home

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._home)

    def length(self, column: str) -> int:
        """The rows of a column, as many as the tables beside it have."""
        own, name = self._home[column]
        rows = own.length(name)
        for part in self.parts.values():
            if (
                part is own
                or len(part.columns) < 1
                or (isinstance(part, ArrayTable) and len(part.columns) > 1)
            ):
                continue  # arrays of one file can differ in length
            other = part.length(part.columns[0])
            if other != rows:
                got = f"{rows} in {own.path.name:.60}, {other} in {part.path.name:.60}"
                raise self.misfit(
                    column, "have a row for each sample", got, "Get both files of this shard again."
                )
        return rows

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        part, name = self._home[column]
        return part.blocks(name, start, stop)

    def sample(self, column: str) -> Array | None:
        part, name = self._home[column]
        return part.sample(name)

    @property
    def files(self) -> list[Path]:
        return [file for part in self.parts.values() for file in part.files]

    @property
    def facts(self) -> dict[str, Any]:
        return {key: value for part in self.parts.values() for key, value in part.facts.items()}
