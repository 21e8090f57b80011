"""Exact neighbors from fast candidates: re-rank, certify, and redo what cannot be certified."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.graph.candidates import candidates
from d2pyg.graph.doubt import settle
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty, rank
from d2pyg.graph.table import Table

EXTRA = 8  # candidates beyond k: the gap to the last of them is what certifies a row


def nearest_of(
    points: Points, rows: Tensor, k: int, bar: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """The exact k nearest neighbors of a few points, ties to the lowest index.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbors are wanted.
        k: 1 to N - 1.
        bar: Is told of rows done.

    Returns:
        Neighbors int64 [C, k] and distances float64 [C, k], by (distance, index), never the point
        itself.
    """
    neighbor, distance = empty(len(rows), k, points.device)
    unsure = torch.zeros(len(rows), dtype=torch.bool, device=points.device)
    every = torch.arange(len(rows), device=points.device)
    for places in every.split(points.rows_together) if len(rows) else ():
        neighbor[places], distance[places], unsure[places] = _nearest_of(points, rows[places], k)
        if bar is not None:
            bar.update(len(places))
    settle(points, rows, neighbor, distance, unsure)
    return neighbor, distance


def _nearest_of(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same for as many points as are searched together, and which of them are in doubt."""
    neighbor, distance = empty(len(rows), k, points.device)
    count = min(k + EXTRA, len(points) - 1)
    unsure = torch.ones(len(rows), dtype=torch.bool, device=points.device)
    for table in points.tables[:-1]:
        here = rows[unsure]
        value, candidate = candidates(table, here, count)
        neighbor[unsure], distance[unsure] = rank(points, here, candidate, k)
        if count == len(points) - 1:
            return neighbor, distance, torch.zeros_like(unsure)
        # All others are at least as far as the bound of the last candidate says.
        beyond = points.at_least(value[:, -1] + table.row_bound(points.norm[here]))
        unsure[unsure.clone()] = beyond <= distance[unsure, -1]
        if not bool(unsure.any()):
            break
    return neighbor, distance, unsure


def certified(
    points: Points, table: Table, value: Tensor, candidate: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """The exact k nearest of all points, from the lowest bounds of each on squared distances.

    Args:
        points: All N points.
        table: What the bounds are from.
        value: [N, M], the bounds, the highest first; all other pairs have at least that.
        candidate: int32 [N, M], of which points these are, -1 for none; M between k and N - 1.
        k: 1 to N - 1.

    Returns:
        As :func:`nearest_of`.
    """
    neighbor, distance = empty(len(points), k, points.device)
    unsure = torch.zeros(len(points), dtype=torch.bool)
    for rows in torch.arange(len(points)).split(max(1, points.chunk // candidate.shape[1])):
        found = candidate[rows].long()
        neighbor[rows], distance[rows] = rank(points, rows, found, k)
        limit = value[rows, 0].double()
        beyond = points.at_least(limit - table.rounding(limit))
        unsure[rows] = beyond <= distance[rows, -1]
    settle(points, torch.arange(len(points)), neighbor, distance, unsure)
    return neighbor, distance


def certify(points: Points, rows: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k nearest of candidates that another library found by float32 distances.

    That library has to have taken the candidates as the nearest of ``points.approx``, by squared
    distances in float32, from differences or from products.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbors are wanted.
        candidate: int64 [C, M], M between k and N - 1, never the point itself; -1 where the library
            found nothing.
        k: 1 to N - 1.

    Returns:
        Neighbors and distances [C, k] as :func:`nearest_of`, and bool [C]: for which rows the library's
        rounding errors may have cost a neighbor, or it found fewer than it should.
    """
    unsure = (candidate < 0).any(dim=1)
    neighbor, distance = rank(points, rows, candidate, k)
    if candidate.shape[1] < len(points) - 1:
        farthest = points.squared(rows, candidate.clamp(min=0)).amax(dim=1)
        # Once for the farthest candidate, once for what it was compared with.
        table = points.single
        doubt = 2 * (table.error_at_once * (points.norm[rows] + points.norm.max()) + table.tiny)
        unsure |= points.at_least(farthest - doubt) <= distance[:, -1]
    return neighbor, distance, unsure
