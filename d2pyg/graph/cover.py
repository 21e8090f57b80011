"""How far samples are from the nearest of some chosen ones: exact, from fast candidates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from d2pyg.graph.candidates import smallest
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import of_pairs


def covering_radii(points: Points, index: Tensor, sizes: Sequence[int]) -> list[float]:
    """The largest distance of any point to its nearest among ``index[:b]``, for each size b.

    Each choice contains the smaller ones, so all of them cost what the largest does.

    Args:
        points: All N points.
        index: int64 [B], the points chosen, in order.
        sizes: Each 1 to B.
    """
    nearest = torch.full((len(points),), torch.inf, dtype=torch.float64, device=index.device)
    left_out = torch.ones_like(nearest, dtype=torch.bool)
    radius, done = {}, 0
    for size in sorted(set(sizes)):
        added = index[done:size]
        left_out[added] = False
        rows = left_out.nonzero().flatten()
        radius[size] = 0.0
        if len(rows):
            nearest[rows] = nearest[rows].minimum(to_nearest(points, rows, added))
            radius[size] = float(nearest[rows].max())
        done = size
    return [radius[size] for size in sizes]


def to_nearest(points: Points, rows: Tensor, chosen: Tensor) -> Tensor:
    """The distance of each point to the nearest chosen one, float64 [R].

    A product gives lower bounds on squared distances (:class:`~d2pyg.graph.table.Table`). The chosen
    point with the lowest is measured exactly, and if another's bound is below that, so is every such
    one.

    Args:
        points: All N points.
        rows: int64 [R], the points that are asked about, at least one.
        chosen: int64 [M], at least one; a row that is among them is at distance 0 from itself.
    """
    found = torch.full((len(rows),), torch.inf, dtype=torch.float64, device=rows.device)
    table, together = points.tables[0], points.rows_together
    for start in range(0, len(rows), together):
        part, distance = rows[start : start + together], found[start : start + together]
        left, base = table.rows(part), table.row_bound(points.norm[part])
        for columns in chosen.split(table.columns_beside(len(part), copied=True)):
            bound = table.bounds(left, table.rows(columns))
            value, place = smallest(bound, min(2, len(columns)))
            torch.minimum(distance, of_pairs(points, part, columns[place[:, 0]]), out=distance)
            unsure = (points.at_least(value[:, -1] + base) < distance).nonzero().flatten()
            if len(unsure):
                possible = points.at_least(bound[unsure] + base[unsure].unsqueeze(1))
                row, column = (possible < distance[unsure].unsqueeze(1)).nonzero(as_tuple=True)
                row = unsure[row]
                exact = of_pairs(points, part[row], columns[column])
                distance.scatter_reduce_(0, row, exact, "amin")
    return found
