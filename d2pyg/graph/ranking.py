"""Exact distances of candidates, and the nearest of them."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Comparable(Protocol):
    """Samples whose exact distances can be asked."""

    @property
    def pairs_together(self) -> int:
        """For how many pairs distances are asked together."""

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """Float64 distances between samples of two broadcast index tensors."""


def rank(points: Comparable, rows: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest among candidates [C, M], by (exact distance, index); -1 is none."""
    candidate = candidate.sort(dim=1).values
    distance = torch.empty(candidate.shape, dtype=torch.float64, device=candidate.device)
    pairs = points.pairs_together
    chunk = max(1, pairs // candidate.shape[1])
    for row, others, out in zip(*(t.split(chunk) for t in (rows, candidate, distance)), strict=True):
        for some, part in zip(others.split(pairs, dim=1), out.split(pairs, dim=1), strict=True):
            part.copy_(points.distance(row.unsqueeze(1), some.clamp(min=0)))
    distance.masked_fill_(candidate < 0, torch.inf)
    distance, order = distance.sort(dim=1, stable=True)
    return candidate.gather(1, order[:, :k]), distance[:, :k].contiguous()


def of_pairs(points: Comparable, rows: Tensor, others: Tensor) -> Tensor:
    """The exact distances of as many pairs as there may be [P], a chunk at a time."""
    distance = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    chunk = points.pairs_together
    for row, other, part in zip(*(t.split(chunk) for t in (rows, others, distance)), strict=True):
        part.copy_(points.distance(row, other))
    return distance


def empty(rows: int, k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Room for neighbors int64 [C, k] and distances float64 [C, k]."""
    neighbor = torch.empty(rows, k, dtype=torch.int64, device=device)
    return neighbor, torch.empty(rows, k, dtype=torch.float64, device=device)


def merge(
    neighbor: Tensor, distance: Tensor, row: Tensor, column: Tensor, exact: Tensor
) -> tuple[Tensor, Tensor]:
    """The k nearest of each row by (distance, index) among its k known and new pairs, all different.

    Args:
        neighbor, distance: [C, k], what is known.
        row, column, exact: [P], the new pairs; row in 0 to C - 1.
    """
    rows, k = neighbor.shape
    row = torch.cat([torch.arange(rows, device=row.device).repeat_interleave(k), row])
    column = torch.cat([neighbor.flatten(), column])
    exact = torch.cat([distance.flatten(), exact])
    return nearest_of_pairs(row, column, exact, rows, k)


def order_of_pairs(row: Tensor, column: Tensor, exact: Tensor) -> Tensor:
    """int64 [P], where pairs stand by (row, distance, column)."""
    order: Tensor = column.argsort(stable=True)
    for key in (exact, row):
        order = order[key[order].argsort(stable=True)]
    return order


def nearest_of_pairs(
    row: Tensor, column: Tensor, exact: Tensor, rows: int, k: int
) -> tuple[Tensor, Tensor]:
    """The k nearest of each row by (distance, index) among pairs [P]; each row has at least so many."""
    order = order_of_pairs(row, column, exact)
    count = row.bincount(minlength=rows)
    first = (count.cumsum(dim=0) - count).unsqueeze(1) + torch.arange(k, device=row.device)
    return column[order[first]], exact[order[first]]
