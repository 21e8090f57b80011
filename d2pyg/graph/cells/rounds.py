"""Rounds: every place tries the neighbors of its neighbors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from d2pyg._base.threads import share_out
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

    def run(self) -> int:
        """One round, all places from the same state; returns how many neighbors are new."""
        total, k = self.neighbor.shape
        near, fresh = self._both_directions()
        most = 2 * k * (2 * k + 1)
        parts = torch.arange(total).split(max(1, _LISTED // most))
        before = self.neighbor.clone()
        listed: list[int] = []

        def worker() -> Callable[[Tensor], None]:
            out = torch.empty(len(parts[0]), most, dtype=torch.int32)
            size = torch.empty(len(parts[0]), dtype=torch.int64)

            def improve(rows: Tensor) -> None:
                listed.append(self._improve(rows, near, fresh, out[: len(rows)], size[: len(rows)]))

            return improve

        share_out(parts, worker)
        self.pairs += sum(listed)
        for rows in parts:
            known = before[rows].unsqueeze(1)
            self.fresh[rows] = ~(self.neighbor[rows].unsqueeze(2) == known).any(dim=2)
        return int(self.fresh.sum())

    def _improve(self, rows: Tensor, near: Tensor, fresh: Tensor, out: Tensor, size: Tensor) -> int:
        """Tries what is two steps away; returns how many that are."""
        from d2pyg.graph.cells.loops import two_steps

        given = (near, fresh, self.cells.nearest, out, size)
        two_steps(int(rows[0]), *(values.numpy() for values in given))
        listed = int(size.sum())
        if self.table.keeps:
            self._drop_far(rows, out, size)
        row = torch.arange(len(rows)).repeat_interleave(size)
        if len(row):
            column = out[torch.arange(out.shape[1]) < size.unsqueeze(1)].long()
            exact = of_pairs(self.table.points, rows[row], column)
            self._merge(rows, row, column, exact)
        return listed

    def _drop_far(self, rows: Tensor, out: Tensor, size: Tensor) -> None:
        """Of what is listed, keeps what may be nearer than the last neighbor."""
        from d2pyg.graph.cells.loops import keep_possible

        points, first = self.table.points, int(rows[0])
        last, worst = self.neighbor[rows, -1].long(), self.distance[rows, -1]
        highest = limits(points, rows, last, worst)[0] + 2 * self.table.tiny
        table = self.table.rows(slice(0, len(points))).numpy()
        keep_possible(first, table, self.table.dim, highest.numpy(), out.numpy(), size.numpy())

    def _merge(self, rows: Tensor, row: Tensor, column: Tensor, exact: Tensor) -> None:
        """Keeps the nearest, by (distance, point)."""
        point = self.cells.order
        known = point[self.neighbor[rows].long()]
        neighbor, distance = merge(known, self.distance[rows], row, point[column], exact)
        self.neighbor[rows], self.distance[rows] = self.cells.place[neighbor].int(), distance

    def _both_directions(self) -> tuple[Tensor, Tensor]:
        """int32 and bool [N, 2k]: the neighbors, and the k nearest that a place is a neighbor of."""
        from d2pyg.graph.cells.loops import both_directions

        total, k = self.neighbor.shape
        near = torch.empty(total, 2 * k, dtype=torch.int32)
        fresh = torch.zeros(total, 2 * k, dtype=torch.bool)
        far = torch.empty(total, k, dtype=torch.float64)
        given = (self.neighbor, self.distance, self.fresh, self.cells.order, near, far, fresh)
        both_directions(*(values.numpy() for values in given))
        return near, fresh
