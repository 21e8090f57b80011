"""Rounds: every place tries the neighbors of its neighbors."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.threads import share_out
from d2pyg.graph.cells import tensors
from d2pyg.graph.cells.cells import Cells
from d2pyg.graph.doubt import limits
from d2pyg.graph.ranking import merge, of_pairs
from d2pyg.graph.table import Table

_LISTED = 1 << 21  # places that are listed together


class Rounds:
    """Neighbors so far, and nearer ones among the neighbors of neighbors. Ties go to the lowest point.

    Attributes:
        neighbor: int32 [N, k], places.
        distance: float64 [N, k], ascending by (distance, point).
        fresh: bool [N, k], which were not there a round ago.
        pairs: How many pairs were compared.
    """

    def __init__(self, table: Table, cells: Cells, neighbor: Tensor, distance: Tensor) -> None:
        self.table, self.cells = table, cells
        self.neighbor, self.distance = neighbor, distance
        self.fresh = torch.ones_like(neighbor, dtype=torch.bool)
        self.pairs = 0

    def run(self) -> None:
        """One round, all places from the same state."""
        total, k = self.neighbor.shape
        near, fresh = self._both_directions()
        every = torch.arange(total, device=near.device)
        parts = every.split(max(1, _LISTED // (2 * k * (2 * k + 1))))
        before = self.neighbor.clone()
        tried: list[int] = []

        def improve(rows: Tensor) -> None:
            row, column, count = self._two_steps(rows, near, fresh)
            tried.append(count)
            if len(row):
                exact = of_pairs(self.table.points, rows[row], column)
                self._merge(rows, row, column, exact)
            known = before[rows].unsqueeze(1)
            self.fresh[rows] = ~(self.neighbor[rows].unsqueeze(2) == known).any(dim=2)

        if tensors.has_loops(near.device):
            share_out(parts, lambda: improve)
        else:
            for rows in parts:
                improve(rows)
        self.pairs += sum(tried)

    def _two_steps(self, rows: Tensor, near: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor, int]:
        """What is tried, less what is too far: places in ``rows``, others, and how many were tried."""
        if not tensors.has_loops(near.device):
            row, column = tensors.two_steps(rows, near, fresh, self.cells.nearest)
            return row, column, len(row)
        from d2pyg.graph.cells.loops import two_steps

        width = near.shape[1]
        out = torch.empty(len(rows), width * (width + 1), dtype=torch.int32)
        size = torch.empty(len(rows), dtype=torch.int64)
        given = (near, fresh, self.cells.nearest, out, size)
        two_steps(int(rows[0]), *(values.numpy() for values in given))
        tried = int(size.sum())
        if self.table.keeps:
            self._drop_far(rows, out, size)
        row = torch.arange(len(rows)).repeat_interleave(size)
        return row, out[torch.arange(out.shape[1]) < size.unsqueeze(1)].long(), tried

    def _drop_far(self, rows: Tensor, out: Tensor, size: Tensor) -> None:
        """Of what is listed, keeps what may be nearer than the last neighbor."""
        from d2pyg.graph.cells.loops import keep_possible

        points, first = self.table.points, int(rows[0])
        last, worst = self.neighbor[rows, -1].long(), self.distance[rows, -1]
        table = self.table
        loss = table.error_at_once - table.error  # the loop adds all coordinates up at once
        slack = loss * (points.norm[rows] + points.norm.max()) + 2 * table.tiny
        highest = (limits(points, rows, last, worst)[0] + slack).numpy()
        samples = table.rows(slice(0, len(points))).numpy()
        keep_possible(first, samples, table.dim, highest, out.numpy(), size.numpy())

    def _merge(self, rows: Tensor, row: Tensor, column: Tensor, exact: Tensor) -> None:
        """Keeps the nearest, by (distance, point)."""
        point = self.cells.order
        known = point[self.neighbor[rows].long()]
        neighbor, distance = merge(known, self.distance[rows], row, point[column], exact)
        self.neighbor[rows], self.distance[rows] = self.cells.place[neighbor].int(), distance

    def _both_directions(self) -> tuple[Tensor, Tensor]:
        """int32 and bool [N, 2k]: the neighbors, and the k nearest that a place is a neighbor of."""
        given = (self.neighbor, self.distance, self.fresh, self.cells.order)
        if not tensors.has_loops(self.neighbor.device):
            return tensors.both_directions(*given)
        from d2pyg.graph.cells.loops import both_directions

        total, k = self.neighbor.shape
        near = torch.empty(total, 2 * k, dtype=torch.int32)
        fresh = torch.zeros(total, 2 * k, dtype=torch.bool)
        far = torch.empty(total, k, dtype=torch.float64)
        both_directions(*(values.numpy() for values in (*given, near, far, fresh)))
        return near, fresh
