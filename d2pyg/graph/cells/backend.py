"""Neighbors from near cells and from neighbors of neighbors: for a million samples and more."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg._base.checks import shown
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg._base.scalars import as_real
from d2pyg._base.warn import warn
from d2pyg.graph.cells.cells import Cells
from d2pyg.graph.cells.centroids import kmeans
from d2pyg.graph.cells.guide import Guide
from d2pyg.graph.cells.plan import Plan, plan_visits
from d2pyg.graph.cells.rest import rest_of
from d2pyg.graph.cells.rounds import Rounds
from d2pyg.graph.cells.visited import Visited
from d2pyg.graph.copies import first_copies, with_copies
from d2pyg.graph.doubt import settle
from d2pyg.graph.exact import EXTRA
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty, rank
from d2pyg.graph.recall import estimate, share_of
from d2pyg.graph.torch_backend import torch_neighbors

Found = tuple[Tensor, Tensor, int]  # neighbors [N, k], their distances, pairs that were compared

_FEWEST = 1 << 14  # points; of fewer, all pairs take a second or two
_FEWEST_CELLS = 16
_NEIGHBOR_BYTES, _SAMPLE_BYTES = 64, 128
_MOST_ROUNDS = 8
_GAIN = 0.2  # of what is missing, a round has to find, or it is the last


@register("backend", "cells")
class CellSearch:
    """Finds most of the neighbors, as many as are asked for, in a small part of the time that all take.

    Points are grouped into cells by k-means. Each is compared with the points of the nearest cells, and
    with those that visit its own; how many cells that takes is known from drawn points, whose true
    neighbors are searched first. Rounds of neighbors of neighbors find the rest. Among the points that
    it was compared with, the neighbors of a point are exact, and the same on every run.

    Args:
        recall: Share of the true neighbors that has to be found, above 0 to 1. With 1 the graph is
            exact: cells are visited until no other can have a nearer point, by the triangle inequality.
    """

    def __init__(self, recall: float = 0.95) -> None:
        self.recall = as_real("recall", recall, "It is a share of the neighbors, such as 0.95.")
        if not 0 < self.recall <= 1:
            raise ValueError(
                f"Expected 'recall' to be above 0 and at most 1 (got {shown(recall)}). It is a share of "
                f"the neighbors, such as 0.95."
            )

    @staticmethod
    def held(total: int, dim: int, k: int, device: torch.device) -> int:
        """Bytes of candidates, neighbors in both directions and visits, beside the tables."""
        return total * (_NEIGHBOR_BYTES * (k + EXTRA) + _SAMPLE_BYTES)

    @property
    def exact(self) -> bool:
        """Whether nothing is missed; else callers measure what is."""
        return self.recall == 1

    def __repr__(self) -> str:
        return f"CellSearch(recall={self.recall:g})"

    def __call__(self, points: Points, k: int, bar: Progress) -> Found:
        """int64 and float64 [N, k], by (distance, index), and how many pairs were compared."""
        first = first_copies(points)
        kept = (first == torch.arange(len(points), device=first.device)).nonzero().flatten()
        if len(kept) == len(points):
            return self._different(points, k, bar)
        most = min(k, len(kept) - 1)
        if most:
            neighbor, distance, pairs = self._different(points.only(kept), most, bar)
        else:
            neighbor, distance = empty(1, 0, points.device)
            pairs = 0
        bar.update(len(points) - len(kept))
        return *with_copies(first, kept, neighbor, distance, k), pairs

    def _different(self, points: Points, k: int, bar: Progress) -> Found:
        """The same for points that are all different."""
        total = len(points)
        if total >= max(_FEWEST, 2 * (k + EXTRA)):
            guide = Guide(points)
            centroid = kmeans(guide, 2 * math.isqrt(total))
            if len(centroid) >= _FEWEST_CELLS:
                return self._by_cells(guide, centroid, k, bar)
        return *torch_neighbors(points, k, bar), total * (total - 1) // 2

    def _by_cells(self, guide: Guide, centroid: Tensor, k: int, bar: Progress) -> Found:
        points, total = guide.points, len(guide)
        plan = plan_visits(guide, centroid, k, self.recall)
        cells = Cells(guide, centroid, plan.visits)
        points.tables[0].release()  # those of the points in order take its place
        ordered = points.only(cells.order)
        visited = Visited(ordered.tables[0], cells, k + EXTRA)
        visited.compare(cells.visits)
        pairs = cells.pairs(cells.visits)
        neighbor, distance, unsure = _ranked(points, visited, k)
        if self.recall == 1:
            rest = rest_of(guide, centroid, cells, distance)
            if pairs + cells.pairs(rest) > total * (total - 1) // 2:
                ordered.tables[0].release()
                return *torch_neighbors(points, k, bar), pairs + total * (total - 1) // 2
            visited.compare(rest)
            pairs += cells.pairs(rest)
            neighbor, distance, unsure = _ranked(points, visited, k)
            settle(points, cells.order, neighbor, distance, unsure)
        else:
            _settle_visited(points, cells, neighbor, distance, unsure)
            settle(points, cells.order, neighbor, distance, distance[:, -1].isinf())
            state = Rounds(ordered.tables[0], cells, cells.place[neighbor].int(), distance)
            self._improve(plan, ordered, state)
            neighbor, distance = cells.order[state.neighbor.long()], state.distance
            pairs += state.pairs
        bar.update(total)
        return neighbor[cells.place], distance[cells.place], pairs

    def _improve(self, plan: Plan, ordered: Points, state: Rounds) -> None:
        """Rounds until the recall is reached, or one of them gains little."""
        drawn, missing = state.cells.place[plan.drawn], 1.0
        for number in range(_MOST_ROUNDS + 1):
            found = state.cells.order[state.neighbor[drawn].long()]
            reached = estimate(share_of(found, plan.true), len(ordered))
            gain = missing - (1 - reached.value)
            if reached.low >= self.recall or number == _MOST_ROUNDS or gain < _GAIN * missing:
                break
            missing = 1 - reached.value
            state.run()
        if reached.high < self.recall:
            share = 2 * (state.cells.pairs(state.cells.visits) + state.pairs) / len(ordered) ** 2
            warn(
                f"Expected to find {self.recall:.3g} of the neighbors by cells (found {reached}, with "
                f"{share:.2g} of the products of all pairs). The data has too little structure for "
                f"cells: backend='torch' finds all.",
                UserWarning,
            )


def _ranked(points: Points, visited: Visited, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of each place the exact k nearest of the candidates, as points, and which places are in doubt."""
    order, table = visited.cells.order, visited.table
    neighbor, distance = empty(len(points), k, points.device)
    unsure = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    every = torch.arange(len(points), device=points.device)
    for places in every.split(max(1, points.chunk // visited.column.shape[1])):
        column = visited.column[places].long()
        candidate = torch.where(column < 0, column, order[column.clamp(min=0)])
        neighbor[places], distance[places] = rank(points, order[places], candidate, k)
        limit = visited.value[places, 0].double()
        beyond = table.points.at_least(limit - table.rounding(limit))
        unsure[places] = beyond <= distance[places, -1]
    return neighbor, distance, unsure


def _settle_visited(
    points: Points, cells: Cells, neighbor: Tensor, distance: Tensor, unsure: Tensor
) -> None:
    """Finds the exact neighbors of the places in doubt, among what they were compared with."""
    for cell in range(len(cells)) if bool(unsure.any()) else ():
        inside = torch.arange(len(points), device=points.device)[cells.range(cell)]
        visitors = cells.visits.to(cell)
        for places, among in ((visitors, inside), (inside, visitors)):
            some = places[unsure[places]]
            if len(some):
                near, far, every = (
                    neighbor[some],
                    distance[some],
                    torch.ones_like(some, dtype=torch.bool),
                )
                settle(points, cells.order[some], near, far, every, cells.order[among].sort().values)
                neighbor[some], distance[some] = near, far
