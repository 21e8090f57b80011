"""Rows in doubt: their exact neighbors, by the finest bounds on all others."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.points import Points
from d2pyg.graph.ranking import merge, of_pairs

_FIRST_COLUMNS = 64
_PAIRS = 1 << 20  # bounds that are made together
_PAIR_BYTES = 128  # a pair, with what measures and merges it
_ROWS = 4096
_LEAST = 2.0**-300  # above 0, where all else is 0
_MARGINS = (2.0**-40, 2.0**-20, 1.0)  # above a squared distance; the first that is enough


def settle(
    points: Points,
    rows: Tensor,
    neighbor: Tensor,
    distance: Tensor,
    unsure: Tensor,
    among: Tensor | None = None,
) -> None:
    """Finds the exact neighbors of the rows in doubt, from k others of each, in place.

    Args:
        points: All N points.
        rows: int64 [C].
        neighbor: int64 [C, k], different points; -1 for none.
        distance: float64 [C, k], how far they are, ascending by (distance, index); infinite for none.
        unsure: bool [C], which rows are in doubt.
        among: int64 [M], ascending, the points that are looked at; default: all.
    """
    together = int(max(1, min(_ROWS, points.beside / 2 // points.finest.column_bytes)))
    place = unsure.nonzero().flatten()
    for part in place.split(together) if len(place) else ():
        _settle(points, rows[part], part, neighbor, distance, among)


def _settle(
    points: Points,
    rows: Tensor,
    place: Tensor,
    neighbor: Tensor,
    distance: Tensor,
    among: Tensor | None,
) -> None:
    """The same for rows that are searched together, ``neighbor[place]`` being theirs.

    Columns are visited in ascending order, in blocks that grow. So where ties abound, the first blocks
    settle them: a later column would have to be nearer.
    """
    table = points.finest
    left, base = table.rows(rows), table.row_bound(points.norm[rows]).unsqueeze(1)
    room = points.beside / 4
    most = int(max(1, min(_PAIRS, room // _PAIR_BYTES) // len(rows)))
    most = max(1, min(most, int(room // table.column_bytes)))
    highest, tie = limits(points, rows, neighbor[place, -1], distance[place, -1])
    total = len(points) if among is None else len(among)
    start, width = 0, min(_FIRST_COLUMNS, most)
    while start < total:
        stop = min(start + width, total)
        columns = slice(start, stop) if among is None else among[start:stop]
        right = table.rows(columns)
        product = table.products(left, right)
        bound = right[:, table.dim] - 2 * product + base
        del right  # before the next are made
        known = neighbor[place]
        lowest = start if isinstance(columns, slice) else columns[0]
        later = known[:, -1] < lowest  # of what ties, only a lower index could come in
        possible = bound <= torch.where(later, tie, highest).unsqueeze(1)
        if points.apart is not None:
            worst = distance[place, -1]
            nearer = (points.apart < worst) | ((points.apart == worst) & ~later)
            possible = torch.where(product == 0, nearer.unsqueeze(1), possible)
        possible &= ~_marked(possible, torch.cat([rows.unsqueeze(1), known], dim=1), columns)
        row, column = possible.nonzero(as_tuple=True)
        if len(row):
            touched, row = row.unique_consecutive(return_inverse=True)
            here = place[touched]
            column = column + start if isinstance(columns, slice) else columns[column]
            exact = of_pairs(points, rows[touched][row], column)
            nearest, far = merge(neighbor[here], distance[here], row, column, exact)
            neighbor[here], distance[here] = nearest, far
            highest[touched], tie[touched] = limits(points, rows[touched], nearest[:, -1], far[:, -1])
        start, width = stop, min(4 * width, most)


def limits(points: Points, rows: Tensor, last: Tensor, worst: Tensor) -> tuple[Tensor, Tensor]:
    """Above which bounds [C] a column is farther than ``worst``, and above which at least as far.

    Args:
        rows: int64 [C].
        last: int64 [C], the point at the distance ``worst`` of each.
        worst: float64 [C].
    """
    given = points.bound_of(rows, last.clamp(min=0), worst)
    highest = torch.full_like(given, torch.inf)
    for margin in reversed(_MARGINS):
        above = given + margin * (given.abs() + points.norm[rows]) + _LEAST
        highest = torch.where(points.at_least(above) > worst, above, highest)
    below = given.nextafter(given.new_tensor(-torch.inf))
    tie = torch.where(points.at_least(given) >= worst, below, highest)
    return highest, torch.where(worst <= points.least, -torch.inf, tie)


def _marked(possible: Tensor, points: Tensor, columns: slice | Tensor) -> Tensor:
    """Which of the columns [C, W] are among a few points [C, M] of their row."""
    if isinstance(columns, slice):
        inside = (points - columns.start).clamp(0, possible.shape[1] - 1)
        here = inside == points - columns.start
    else:
        inside = torch.searchsorted(columns, points).clamp(max=len(columns) - 1)
        here = columns[inside] == points
    found = torch.zeros_like(possible, dtype=torch.uint8)
    return found.scatter_reduce_(1, inside, here.to(found), "amax").bool()
