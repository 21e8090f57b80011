"""Source: rows, names and columns of what is in one or many shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from d2pyg._base.names import Names
from d2pyg.sources.description import described
from d2pyg.sources.gather import gathered
from d2pyg.sources.shards import Shards
from d2pyg.sources.table import Array, Table


class Source(Shards):
    """Embeddings in shards, with the other columns of their rows. Made by :func:`d2pyg.open`.

    It goes wherever embeddings go, such as into :func:`d2pyg.select`. Several columns of vectors count
    together, as in :class:`d2pyg.graph.Joined`. One mapped ``.npy`` stays mapped; shards are read one
    after the other into one array, once, in their own type.

    Attributes:
        columns: Names of all columns, such as for ``source["clip_score"]``.
        shape: (N, d), d over all columns of vectors.
        dtype: Of the vectors; bfloat16 is NumPy's ``V2``.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        vectors: Sequence[str],
        id_column: str | None = None,
        work: Path | None = None,
    ) -> None:
        super().__init__(tables, vectors[0])
        self._vectors = tuple(vectors)
        self._id_column = id_column
        self._work = work
        self._kinds: dict[str, tuple[int, np.dtype[Any]]] = {}
        kinds = [self._kind(name) for name in self._vectors]
        self.dtype: np.dtype[Any] = kinds[0][1]
        self.shape = (len(self), sum(width for width, _ in kinds))

    @property
    def dim(self) -> int:
        """The numbers of a row, d."""
        return self.shape[1]

    @cached_property
    def ids(self) -> Names | None:
        """Your names of the samples, int64 or text [N], each once. None without a column of ids."""
        return None if self._id_column is None else self.names(self._id_column)

    @property
    def shards(self) -> list[tuple[str, int]]:
        """The path of each shard, and its number of rows."""
        return [(str(table.path), rows) for table, rows in zip(self._tables, self.lengths, strict=True)]

    @cached_property
    def description(self) -> dict[str, Any]:
        """What was read, as ``settings["read"]`` of a coreset holds it: files, their rows and sizes.

        ``ends`` is a checksum of the first and the last 8 KiB of a file.
        """
        return described(self._tables, self.lengths, column=",".join(self._vectors), ids=self._id_column)

    @cached_property
    def parts(self) -> list[Source]:
        """A source for each column of vectors."""
        if len(self._vectors) == 1:
            return [self]
        return [Source(self._tables, [name], self._id_column, self._work) for name in self._vectors]

    def rows(self, rows: slice) -> Array:
        """Vectors of a range of rows, [n, d]; no other rows are kept in memory."""
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"Expected 'rows' to be a range without steps (got {rows}). Leave it out.")
        stop = max(start, stop)
        found = []
        for name in self._vectors:
            width, dtype = self._kind(name)
            found.append(gathered(self._blocks(name, start, stop), (stop - start, width), dtype))
        return _side_by_side(found)

    def __getitem__(self, name: str) -> Array:
        return self.column(name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self._array if dtype is None else self._array.astype(dtype, copy=False)
        return array.copy() if copy and array is self._array else array

    def __repr__(self) -> str:
        kind = "bfloat16" if self.dtype.kind == "V" else self.dtype
        return f"Source({len(self)} rows of {self.dim} x {kind} in {len(self._tables)} shards)"

    @cached_property
    def _array(self) -> Array:
        if len(self.parts) > 1:
            return _side_by_side([part._array for part in self.parts])
        blocks = self._blocks(self._vectors[0], 0, len(self))
        return gathered(blocks, self.shape, self.dtype, self._work)

    def _kind(self, column: str) -> tuple[int, np.dtype[Any]]:
        """Width and dtype of vectors, the same in all shards that have rows."""
        if column not in self._kinds:
            found = [(table, table.sample(self._in(table, column))) for table in self._tables]
            known = [(table, sample) for table, sample in found if sample is not None]
            if not known:
                table = self._tables[0]
                raise table.misfit(column, "have at least one row", "none", "Check that it is complete.")
            first, one = known[0]
            for table, sample in known:
                if sample.ndim != 2:
                    got = "text" if sample.dtype.kind in "UO" else f"{_kind(sample)} in a row"
                    raise table.misfit(column, "hold a vector in every row", got, "Name another column.")
                if sample.shape != one.shape or sample.dtype != one.dtype:
                    raise table.misfit(
                        column,
                        f"hold vectors as {first} does, {_kind(one)}",
                        _kind(sample),
                        "Make all shards by one model.",
                    )
            self._kinds[column] = one.shape[1], one.dtype
        return self._kinds[column]

    def _blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        """Vectors as they come, checked to be of one width."""
        width, dtype = self._kind(column)
        for table, first, rows in zip(
            self._tables, self._starts[:-1].tolist(), self.lengths, strict=True
        ):
            low, high = max(0, start - first), min(rows, stop - first)
            if low >= high:
                continue
            row = low
            for block in table.blocks(column, low, high):
                if block.shape[1:] != (width,) or block.dtype != dtype:
                    raise table.misfit(
                        column,
                        f"hold vectors of {width} x {dtype} in every row",
                        f"{_kind(block)} at row {row}",
                        "Make the vectors again, all by one model.",
                    )
                row += len(block)
                if row <= high:
                    yield block
            if row != high:
                rule = f"have the {high - low} rows from {low} on that it says it has"
                raise table.misfit(column, rule, f"{row - low}", "Get the file again.")


def _kind(block: Array) -> str:
    return " x ".join(map(str, [*block.shape[1:], block.dtype]))


def _side_by_side(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)
