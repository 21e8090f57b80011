"""Cells: the points by their nearest centroid, and which cells each of them visits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from d2pyg.graph.cells.guide import Guide, nearest_centroids


@dataclass(frozen=True)
class Visits:
    """Which places visit each cell.

    Attributes:
        place: int32 [V], cell after cell, ascending in each.
        first: int64 [K + 1], where each cell's visitors begin.
    """

    place: Tensor
    first: Tensor

    @classmethod
    def of(cls, place: Tensor, cell: Tensor, cells: int) -> Visits:
        """From pairs of a place and a cell [V]."""
        order = cell.argsort(stable=True)
        count = cell.bincount(minlength=cells)
        return cls(place[order], torch.cat([count.new_zeros(1), count.cumsum(dim=0)]))

    def to(self, cell: int) -> Tensor:
        """int64, the places that visit a cell."""
        return self.place[self.first[cell] : self.first[cell + 1]].long()


class Cells:
    """Points in the order of their cells, so that a cell is a range of places.

    Attributes:
        order: int64 [N], the point at each place; ascending inside a cell.
        place: int64 [N], the place of each point.
        start: int64 [K + 1], where each cell begins.
        nearest: int32 [N, p], the cells that the point at each place visits, the nearest first; its own
            is the first.
    """

    def __init__(self, guide: Guide, centroid: Tensor, visits: int) -> None:
        every = torch.arange(len(guide), device=centroid.device)
        nearest = torch.empty(len(guide), visits, dtype=torch.int32, device=centroid.device)
        for part in guide.parts(every, len(centroid)):
            nearest[part] = nearest_centroids(guide.rows(part), centroid, visits)
        self.order = nearest[:, 0].argsort(stable=True)
        self.place = torch.empty_like(self.order)
        self.place[self.order] = every
        self.nearest = nearest[self.order]
        size = self.nearest[:, 0].bincount(minlength=len(centroid))
        self.start = torch.cat([size.new_zeros(1), size.cumsum(dim=0)])

    def __len__(self) -> int:
        return len(self.start) - 1

    def range(self, cell: int) -> slice:
        """The places of a cell."""
        start, stop = self.start[cell : cell + 2].tolist()
        return slice(start, stop)

    @cached_property
    def visits(self) -> Visits:
        """What ``nearest`` says, by cell."""
        total, count = self.nearest.shape
        every = torch.arange(total, dtype=torch.int32, device=self.order.device)
        return Visits.of(every.repeat_interleave(count), self.nearest.flatten(), len(self))

    def pairs(self, visits: Visits) -> int:
        """How many pairs of points are multiplied."""
        return int((self.start.diff() * visits.first.diff()).sum())
