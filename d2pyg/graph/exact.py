"""Exact neighbors from fast candidates: re-rank, certify, and redo what cannot be certified."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from d2pyg.graph.points import Points
from d2pyg.graph.table import Table

EXTRA = 8  # candidates beyond k: the gap to the last of them is what certifies a row
_BLOCKS = 32
_SEARCH_ELEMENTS = 1 << 20  # lower bounds searched together
_FIRST_COLUMNS = 64
_REDONE_TOGETHER = 256  # rows


def nearest_of(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The exact k nearest neighbors of a few points, ties to the lowest index.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbors are wanted.
        k: 1 to N - 1.

    Returns:
        Neighbors int64 [C, k] and distances float64 [C, k], by (distance, index), never the point
        itself.
    """
    neighbor, distance = empty(points, len(rows), k)
    for places in torch.arange(len(rows), device=rows.device).split(points.rows_together):
        neighbor[places], distance[places] = _nearest_of(points, rows[places], k)
    return neighbor, distance


def empty(points: Points, rows: int, k: int) -> tuple[Tensor, Tensor]:
    """Room for neighbors int64 [C, k] and distances float64 [C, k]."""
    neighbor = torch.empty(rows, k, dtype=torch.int64, device=points.device)
    return neighbor, torch.empty(rows, k, dtype=torch.float64, device=points.device)


def _nearest_of(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The same for as many points as are searched together."""
    neighbor, distance = empty(points, len(rows), k)
    count = min(k + EXTRA, len(points) - 1)
    unsure = torch.arange(len(rows), device=rows.device)
    for table in points.tables:
        if len(unsure) == 0:
            return neighbor, distance
        here = rows[unsure]
        value, candidate = _candidates(table, here, count)
        nearest, exact = rank(points, here, candidate, k)
        if len(here) == len(rows):
            neighbor, distance = nearest, exact
        else:
            neighbor[unsure], distance[unsure] = nearest, exact
        if count == len(points) - 1:
            return neighbor, distance
        # All others are at least as far as the bound of the last candidate says.
        beyond = points.at_least(value[:, -1] + table.row_bound(points.norm[here]))
        unsure = unsure[beyond <= exact[:, -1]]
    for part in unsure.split(min(_REDONE_TOGETHER, points.rows_together)) if len(unsure) else ():
        neighbor[part], distance[part] = _search(points, rows[part], neighbor[part], distance[part])
    return neighbor, distance


def _candidates(table: Table, rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` lowest bounds of each row, ascending, and their columns, a tile at a time."""
    points, left = table.points, table.rows(rows)
    width = table.columns_beside(len(rows))
    found: list[tuple[Tensor, Tensor]] = []
    for start in range(0, len(points), width):
        right = table.rows(slice(start, min(start + width, len(points))))
        bound = table.bounds(left, right)
        _put_out(bound, (rows - start).unsqueeze(1))  # never its own neighbor
        value, column = smallest(bound, min(count, bound.shape[1]))
        found.append((value, column + start))
        if len(found) > 1:
            value, column = (torch.cat(both, dim=1) for both in zip(*found, strict=True))
            value, place = value.topk(min(count, value.shape[1]), largest=False)
            found = [(value, column.gather(1, place))]
    return found[0]


def _put_out(bound: Tensor, columns: Tensor) -> None:
    """Sets a few columns [C, M] of each row to infinity; those outside are left out."""
    inside = columns.clamp(0, bound.shape[1] - 1)
    keep = bound.gather(1, inside)
    out = torch.where(inside == columns, torch.inf, keep)
    bound.scatter_reduce_(1, inside, out, "amax", include_self=True)


def smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest of each row, ascending, and their columns.

    The same as ``values.topk(count, largest=False)``, several times faster on long rows: the
    ``count`` smallest of a row lie in the ``count`` blocks of columns with the smallest minima.
    """
    rows, columns = values.shape
    width = columns // _BLOCKS
    if width < 4 * count:
        value, column = values.topk(count, largest=False)
        return value, column
    whole = width * _BLOCKS  # block b holds the columns b, b + width, b + 2 width, ...
    block = values[:, :whole].view(rows, _BLOCKS, width).amin(dim=1)
    chosen = block.topk(count, largest=False).indices
    inside = torch.arange(0, whole, width, device=values.device)
    column = (chosen.unsqueeze(2) + inside).flatten(1)
    rest = torch.arange(whole, columns, device=values.device).expand(rows, -1)
    column = torch.cat([column, rest], dim=1)
    value, place = values.gather(1, column).topk(count, largest=False)
    return value, column.gather(1, place)


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


def of_pairs(points: Points, rows: Tensor, others: Tensor) -> Tensor:
    """The exact distances of as many pairs as there may be [P], a chunk at a time."""
    distance = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    chunk = points.pairs_together
    for row, other, part in zip(*(t.split(chunk) for t in (rows, others, distance)), strict=True):
        part.copy_(points.distance(row, other))
    return distance


def certified(points: Points, value: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The exact k nearest of all points, from the lowest bounds of each on squared distances.

    Args:
        points: All N points.
        value: [N, M], the bounds; all pairs that are not among them have at least the highest.
        candidate: int32 [N, M], of which points these are, -1 for none; M between k and N - 1.
        k: 1 to N - 1.

    Returns:
        As :func:`nearest_of`.
    """
    neighbor, distance = empty(points, len(points), k)
    table, unsure = points.tables[0], []
    for rows in torch.arange(len(points)).split(max(1, points.chunk // candidate.shape[1])):
        found = candidate[rows].long()
        missing = (found < 0).sum(dim=1) > found.shape[1] - k
        neighbor[rows], exact = rank(points, rows, found, k)
        limit = value[rows].amax(dim=1).double()
        beyond = points.at_least(limit - table.rounding(limit))
        distance[rows] = exact
        unsure.append(rows[missing | (beyond <= exact[:, -1])])
    again = torch.cat(unsure)
    neighbor[again], distance[again] = nearest_of(points, again, k)
    return neighbor, distance


def certify(points: Points, rows: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The exact k nearest from candidates that another library found by float32 distances.

    That library has to have taken the candidates as the nearest of ``points.approx``, by squared
    distances in float32, from differences or from products. Rows where its rounding errors may have
    cost a neighbor, or where it found fewer than it should, are redone.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbors are wanted.
        candidate: int64 [C, M], M between k and N - 1, never the point itself; -1 where the library
            found nothing.
        k: 1 to N - 1.

    Returns:
        As :func:`nearest_of`.
    """
    missing = (candidate < 0).any(dim=1)
    neighbor, distance = rank(points, rows, candidate.clamp(min=0), k)
    if candidate.shape[1] < len(points) - 1:
        farthest = points.squared(rows, candidate.clamp(min=0)).amax(dim=1)
        # Once for the farthest candidate, once for what it was compared with.
        table = points.single
        doubt = 2 * (table.error * (points.norm[rows] + points.norm.max()) + table.tiny)
        missing |= points.at_least(farthest - doubt) <= distance[:, -1]
    neighbor[missing], distance[missing] = nearest_of(points, rows[missing], k)
    return neighbor, distance


def _search(points: Points, rows: Tensor, neighbor: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
    """The exact neighbors, from k known ones [C, k], by the finest bounds on all others.

    Columns are visited in ascending order, in blocks that grow: where ties or duplicates abound, the
    first blocks settle them, and what follows is skipped.
    """
    table = points.tables[-1]
    left, base = table.rows(rows), table.row_bound(points.norm[rows]).unsqueeze(1)
    most = min(max(_FIRST_COLUMNS, _SEARCH_ELEMENTS // len(rows)), table.columns_beside(len(rows)))
    start, width = 0, min(_FIRST_COLUMNS, most)
    while start < len(points):
        stop = min(start + width, len(points))
        bound = table.bounds(left, table.rows(slice(start, stop))) + base
        _put_out(bound, torch.cat([rows.unsqueeze(1), neighbor], dim=1) - start)
        columns = torch.arange(start, stop, device=rows.device)
        worst, last = distance[:, -1:], neighbor[:, -1:]
        possible = points.at_least(bound) <= worst
        possible &= (worst > points.least) | (columns < last)  # there only the index can be lower
        row, place = possible.nonzero(as_tuple=True)
        if len(row):
            found = columns[place]
            exact = of_pairs(points, rows[row], found)
            neighbor, distance = _merge(neighbor, distance, row, found, exact)
        start, width = stop, min(4 * width, most)
    return neighbor, distance


def _merge(
    neighbor: Tensor, distance: Tensor, row: Tensor, column: Tensor, exact: Tensor
) -> tuple[Tensor, Tensor]:
    """The k nearest of each row by (distance, index) among its k known and the new pairs."""
    rows, k = neighbor.shape
    row = torch.cat([torch.arange(rows, device=row.device).repeat_interleave(k), row])
    column = torch.cat([neighbor.flatten(), column])
    exact = torch.cat([distance.flatten(), exact])
    order = column.argsort()
    for key in (exact, row):
        order = order[key[order].argsort(stable=True)]
    count = row.bincount(minlength=rows)
    first = (count.cumsum(dim=0) - count).unsqueeze(1) + torch.arange(k, device=row.device)
    return column[order[first]], exact[order[first]]
