"""The lowest bounds of all rows, from each pair's product once: a list of tiles, and what they give."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg._base.threads import Task, share_out
from d2pyg.graph.table import Table

Array: TypeAlias = np.ndarray[Any, Any]
Block: TypeAlias = slice  # of rows

_SIDE = 1024  # rows and columns of a product, so that it stays in the processor's caches
_PRODUCTS = 2  # one, and the slab of another that is added to it
_DRAWN_SHARE = 1 / 64  # of the samples, which all rows are compared with first
_FEWEST_DRAWN = 8  # times as many as bounds are kept
_SEED = 0


class Tiles:
    """The ``count`` lowest bounds of each row, on the CPU.

    A tile is the product of two blocks of rows, I and J. It gives bounds for the rows of I and, read the
    other way, for those of J, so each pair is multiplied once. A row's limit is the highest of its
    lowest bounds so far. What is not below the limit of either end is passed over, and that is nearly
    all. Limits start from a drawn sample, so that in no order of the points many pairs are below them.

    Args:
        table: The rounded samples.
        count: Bounds a row.
        limit: [F], for the first F points: the limits that they start from, of pairs with later ones.
            Their pairs with each other are left out.
    """

    def __init__(self, table: Table, count: int, limit: Tensor | None = None) -> None:
        self.table, self.total = table, len(table.points)
        self.first = 0 if limit is None else len(limit)
        self.value = torch.full((self.total, count), torch.inf, dtype=table.dtype)
        self.column = torch.full((self.total, count), -1, dtype=torch.int32)
        room = table.points.beside / 4
        pair_bytes = _PRODUCTS * table.dtype.itemsize * torch.get_num_threads()
        self.side = max(1, min(_SIDE, math.isqrt(int(room / pair_bytes))))
        # Rows that are made together, a panel; it is compared with another, so there are two.
        self.most_made = max(1, int(room / table.column_bytes))
        self.panel = self.total
        if not table.keeps:
            self.side = min(self.side, self.most_made)
            self.panel = self.most_made - self.most_made % self.side
        parts = slice(0, self.first), slice(self.first, self.total)
        self.panels = [rows for part in parts for rows in _blocks(part, self.panel)]
        self._locks = {rows.start: Lock() for part in parts for rows in _blocks(part, self.side)}
        if limit is not None:
            self.value[: self.first] = limit.unsqueeze(1)

    def find(self, bar: Progress) -> tuple[Tensor, Tensor]:
        """Bounds [N, count], the highest first, else in no order; columns int32 [N, count], -1 for none.

        A pair that is not among them has a bound of at least the highest of either end, but for the
        rounding of that bound.
        """
        self._start()
        old = sum(rows.start < self.first for rows in self.panels)
        count, done = len(self.panels), 0
        all_pairs = (count * (count + 1) - old * (old + 1)) // 2
        for number, here in enumerate(self.panels):
            left = self.table.rows(here)
            for there in self.panels[max(number, old) :]:
                # No name holds what is made for one panel while the next is made.
                self._compare(left, here, left if there == here else self.table.rows(there), there)
                done += 1
                bar.update(self.total * done // all_pairs - self.total * (done - 1) // all_pairs)
        return self.value, self.column

    def _compare(self, left: Tensor, here: Block, right: Tensor, there: Block) -> None:
        """All tiles of two panels."""
        from d2pyg.graph.lowest_loop import keep_lowest_of_both

        tiles = [
            (rows, columns)
            for rows in _blocks(here, self.side)
            for columns in _blocks(there, self.side)
            if rows.start <= columns.start
        ]

        def compare(tile: tuple[Block, Block], room: Tensor) -> None:
            rows, columns = tile
            one = left[rows.start - here.start : rows.stop - here.start]
            two = right[columns.start - there.start : columns.stop - there.start]
            product = self._product(one, two, room)
            with ExitStack() as held:  # ascending, so that no two threads wait for each other
                for start in sorted({rows.start, columns.start}):
                    held.enter_context(self._locks[start])
                keep_lowest_of_both(
                    product,
                    self._own(one),
                    self._own(two),
                    *self._lowest(rows),
                    rows.start,
                    *self._lowest(columns),
                    columns.start,
                )

        self._share_out(tiles, compare)

    def _start(self) -> None:
        """Limits from a drawn sample."""
        from d2pyg.graph.lowest_loop import keep_lowest

        size = min(int(self.total * _DRAWN_SHARE), self.most_made)
        if size < _FEWEST_DRAWN * self.value.shape[1]:
            return
        drawn = torch.randperm(self.total, generator=torch.Generator().manual_seed(_SEED))[:size]
        parts = [self.table.rows(part) for part in drawn.sort().values.split(self.side)]

        def compare(task: tuple[Block, Tensor], room: Tensor) -> None:
            here, rows = task
            for part in parts:
                product = self._product(rows, part, room)
                keep_lowest(product, self._own(rows), self._own(part), *self._lowest(here), 0)

        later = slice(self.first, self.total)
        for panel in (rows for rows in self.panels if rows.start >= self.first):
            made = self.table.rows(panel).split(self.side)
            self._share_out([*zip(_blocks(panel, self.side), made, strict=True)], compare)
        # In another tile, a pair's bound differs by what is rounded.
        error = 2 * self.table.error * self.table.points.norm[later].unsqueeze(1)
        self.value[later] = self.value[later, :1] + error
        self.column.fill_(-1)

    def _share_out(self, tasks: Sequence[Task], compare: Callable[[Task, Tensor], None]) -> None:
        """Calls ``compare`` with each task, and with room for a product that is the thread's own."""

        def worker() -> Callable[[Task], None]:
            room = torch.empty(self.side * self.side, dtype=self.table.dtype)
            return lambda task: compare(task, room)

        share_out(tasks, worker)

    def _product(self, rows: Tensor, columns: Tensor, room: Tensor) -> Array:
        out = room[: len(rows) * len(columns)].view(len(rows), len(columns))
        return self.table.products(rows, columns, out).numpy()

    def _own(self, rows: Tensor) -> Array:
        """What a row adds to the bounds of its pairs."""
        return rows[:, self.table.dim].contiguous().numpy()

    def _lowest(self, rows: Block) -> tuple[Array, Array]:
        return self.value[rows].numpy(), self.column[rows].numpy()


def _blocks(rows: Block, size: int) -> list[Block]:
    return [slice(i, min(i + size, rows.stop)) for i in range(rows.start, rows.stop, size)]
