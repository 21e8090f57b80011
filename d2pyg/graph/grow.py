"""More points: which of them are nearest to those that were there, and the neighbors of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.graph.candidates import candidates
from d2pyg.graph.doubt import limits, settle
from d2pyg.graph.exact import EXTRA, nearest_of
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty, merge, of_pairs
from d2pyg.graph.tiles import Tiles
from d2pyg.graph.torch_backend import by_tiles

Neighbors = tuple[Tensor, Tensor]


def grown(points: Points, known: Neighbors, bar: Progress) -> Neighbors:
    """The exact k nearest of all points, for the price of pairs that have a new point.

    Args:
        points: All N points, the old ones first.
        known: The k nearest old points of each old one [F, k], by (distance, index), and how far they
            are. A new point at the distance of the last has a higher index, and stays out.
        bar: Is told of points done.

    Returns:
        Neighbors int64 [N, k] and distances float64 [N, k].
    """
    first, k = known[0].shape
    neighbor, distance = empty(len(points), k, points.device)
    neighbor[:first], distance[:first] = known
    neighbor[first:], distance[first:] = -1, torch.inf
    if by_tiles(points, min(k + EXTRA, len(points) - 1)):
        _by_tiles(points, first, neighbor, distance, bar)
    else:
        _by_rows(points, first, neighbor, distance, bar)
    return neighbor, distance


def _by_tiles(points: Points, first: int, neighbor: Tensor, distance: Tensor, bar: Progress) -> None:
    """Each pair multiplied once, on the CPU."""
    table, every = points.tables[0], torch.arange(len(points))
    # Nothing at or beyond the last neighbor of an old point can come in: its limit to start from.
    beyond = limits(points, every[:first], neighbor[:first, -1], distance[:first, -1])[1]
    above = (beyond + 2 * table.rounding(beyond)).where(beyond > -torch.inf, beyond)
    limit = above.to(table.dtype)
    limit = limit.where(limit >= above, limit.nextafter(limit.new_tensor(torch.inf)))
    count = min(neighbor.shape[1] + EXTRA, len(points) - 1)
    value, candidate = Tiles(table, count, limit).find(bar)
    lowered = torch.ones(len(points), dtype=torch.bool)
    lowered[:first] = value[:first, 0] < limit
    for rows in every.split(max(1, points.chunk // count)):
        _take_in(points, rows, candidate[rows].long(), neighbor, distance)
    last = value[:, 0].double()
    unsure = lowered & (points.at_least(last - table.rounding(last)) <= distance[:, -1])
    settle(points, every, neighbor, distance, unsure)


def _by_rows(points: Points, first: int, neighbor: Tensor, distance: Tensor, bar: Progress) -> None:
    """The old points beside the new, then the new beside all, on any device."""
    every = torch.arange(len(points), device=points.device)
    unsure = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for rows in every[:first].split(points.rows_together):
        unsure[rows] = _beside_new(points, rows, first, neighbor, distance)
        bar.update(len(rows))
    settle(points, every, neighbor, distance, unsure)
    neighbor[first:], distance[first:] = nearest_of(points, every[first:], neighbor.shape[1])
    bar.update(len(points) - first)


def _beside_new(points: Points, rows: Tensor, first: int, neighbor: Tensor, distance: Tensor) -> Tensor:
    """Takes in what is nearest among the new points; returns which rows are in doubt."""
    old, far = neighbor[rows], distance[rows]
    count = min(neighbor.shape[1] + EXTRA, len(points) - first)
    unsure = torch.ones(len(rows), dtype=torch.bool, device=points.device)
    for table in points.tables[:-1]:
        here = rows[unsure]
        neighbor[here], distance[here] = old[unsure], far[unsure]
        value, candidate = candidates(table, here, count, first)
        least = points.at_least(value + table.row_bound(points.norm[here]).unsqueeze(1))
        candidate = candidate.where(least < far[unsure, -1:], -1)
        _take_in(points, here, candidate, neighbor, distance)
        if count == len(points) - first:
            return torch.zeros_like(unsure)
        last = distance[here, -1]
        newest = neighbor[here, -1] >= first
        unsure[unsure.clone()] = (least[:, -1] < last) | (newest & (least[:, -1] == last))
        if not bool(unsure.any()):
            break
    return unsure


def _take_in(
    points: Points, rows: Tensor, candidate: Tensor, neighbor: Tensor, distance: Tensor
) -> None:
    """Merges candidates [C, M], -1 for none, with what these rows [C] have; all are different."""
    place, column = (candidate >= 0).nonzero(as_tuple=True)
    if len(place):
        touched, row = place.unique_consecutive(return_inverse=True)
        here, column = rows[touched], candidate[place, column]
        exact = of_pairs(points, here[row], column)
        neighbor[here], distance[here] = merge(neighbor[here], distance[here], row, column, exact)
