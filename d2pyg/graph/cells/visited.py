"""The lowest bounds of all places on the cells that they visit, and on their own visitors."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock

import torch
from torch import Tensor

from d2pyg._base.threads import share_out
from d2pyg.graph.cells import tensors
from d2pyg.graph.cells.cells import Cells, Visits
from d2pyg.graph.table import Table

_SIDE = 1024  # rows and columns of a product
_LOCKS = 64


class Visited:
    """The ``count`` lowest bounds of each place.

    Each product of a cell and its visitors gives bounds for both. What is not below the highest of the
    lowest of either end so far is passed over.

    Attributes:
        value: [N, count], the bounds, the highest first, else in no order.
        column: int32 [N, count], the places that these are of; -1 for none.
    """

    def __init__(self, table: Table, cells: Cells, count: int) -> None:
        self.table, self.cells, total = table, cells, len(table.points)
        place, bounds = table.points.device, torch.promote_types(table.dtype, torch.float32)
        self.value = torch.full((total, count), torch.inf, dtype=bounds, device=place)
        self.column = torch.full((total, count), -1, dtype=torch.int32, device=place)
        room = table.points.beside / 4 / torch.get_num_threads()
        most = room / (2 * table.column_bytes + _SIDE * table.dtype.itemsize)
        self.side = int(max(1, min(_SIDE, most, math.isqrt(int(room / table.dtype.itemsize)))))
        self._range = -(-total // _LOCKS)
        self._locks = [Lock() for _ in range(_LOCKS)]

    def compare(self, visits: Visits) -> None:
        """All visitors with the places of the cell that they visit."""
        if not tensors.has_loops(self.value.device):
            for cell in range(len(self.cells)):
                self._compare(self.cells.range(cell), visits.to(cell), None)
            return

        def worker() -> Callable[[int], None]:
            room = torch.empty(self.side * self.side, dtype=self.table.dtype)
            return lambda cell: self._compare(self.cells.range(cell), visits.to(cell), room)

        share_out(range(len(self.cells)), worker)

    def _compare(self, places: slice, visitors: Tensor, room: Tensor | None) -> None:
        for start in range(places.start, places.stop, self.side):
            columns = slice(start, min(start + self.side, places.stop))
            right = self.table.rows(columns)
            for rows in visitors.split(self.side) if len(visitors) else ():
                left = self.table.rows(rows)
                if room is None:
                    self._keep_of_tensors(rows, left, columns, right)
                else:
                    self._keep(rows, left, columns, right, room)

    def _keep_of_tensors(self, rows: Tensor, left: Tensor, columns: slice, right: Tensor) -> None:
        norm = self.table.points.norm[rows]
        bound = self.table.bounds(left, right) + self.table.row_bound(norm).unsqueeze(1)
        others = torch.arange(columns.start, columns.stop, device=rows.device)
        bound.masked_fill_(rows.unsqueeze(1) == others, torch.inf)
        tensors.keep_lowest(bound, rows, others, self.value, self.column)
        tensors.keep_lowest(bound.T, others, rows, self.value, self.column)

    def _keep(self, rows: Tensor, left: Tensor, columns: slice, right: Tensor, room: Tensor) -> None:
        from d2pyg.graph.cells.loops import keep_lowest_of_visits

        product = self.table.products(left, right, room[: len(left) * len(right)].view(len(left), -1))
        own = [part[:, self.table.dim].contiguous() for part in (left, right)]
        ends = rows.new_tensor([columns.start, columns.stop - 1])
        with ExitStack() as held:  # ascending, so that no two threads wait for each other
            for number in (torch.cat([rows, ends]) // self._range).unique().tolist():
                held.enter_context(self._locks[number])
            keep_lowest_of_visits(
                product.numpy(),
                own[0].numpy(),
                own[1].numpy(),
                rows.numpy(),
                columns.start,
                self.value.numpy(),
                self.column.numpy(),
            )
