"""Exact neighbours from fast candidates: re-rank, certify, and redo what cannot be certified."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.points import Points

EXTRA = 8  # candidates beyond k: the gap to the last of them is what certifies a row
_BLOCKS = 32
_PAIR_ELEMENTS = 1 << 22  # float64 elements of exact differences held together, 32 MiB
_SEARCH_ELEMENTS = 1 << 22  # lower bounds searched together
_FIRST_COLUMNS = 64
_REDONE_TOGETHER = 256  # rows


def nearest_of(points: Points, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The exact k nearest neighbours of a few points, ties to the lowest index.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbours are wanted.
        k: 1 to N - 1.

    Returns:
        Neighbours int64 [C, k] and distances float64 [C, k], by (distance, index), never the point
        itself.
    """
    bound = points.column_bounds(rows)
    bound[torch.arange(len(rows), device=rows.device), rows] = torch.inf  # never its own neighbour
    base = points.row_bound(rows)
    count = min(k + EXTRA, len(points) - 1)
    value, candidate = smallest(bound, count)
    neighbour, distance = rank(points, rows, candidate, k)
    if count == len(points) - 1:
        return neighbour, distance
    unsure = points.at_least(value[:, -1] + base) <= distance[:, -1]
    again = unsure.nonzero().flatten()
    for part in again.split(max(1, _SEARCH_ELEMENTS // len(points))) if len(again) else ():
        known = neighbour[part], distance[part]
        neighbour[part], distance[part] = _search(
            points, rows[part], bound[part] + base[part].unsqueeze(1), *known
        )
    return neighbour, distance


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


def rank(points: Points, rows: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest among candidates [C, M], by (exact distance, index)."""
    candidate = candidate.sort(dim=1).values
    chunk = max(1, _PAIR_ELEMENTS // (candidate.shape[1] * points.dim))
    distance = torch.cat(
        [
            points.distance(r.unsqueeze(1), c)
            for r, c in zip(rows.split(chunk), candidate.split(chunk), strict=True)
        ]
    )
    distance, order = distance.sort(dim=1, stable=True)
    return candidate.gather(1, order[:, :k]), distance[:, :k].contiguous()


def certify(points: Points, rows: Tensor, candidate: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The exact k nearest from candidates that another library found by float32 distances.

    That library has to have taken the candidates as the nearest of ``points.approx``, by squared
    distances in float32, from differences or from products. Rows where its rounding errors may have
    cost a neighbour, or where it found fewer than it should, are redone.

    Args:
        points: All N points.
        rows: int64 [C], the points whose neighbours are wanted.
        candidate: int64 [C, M], M between k and N - 1, never the point itself; -1 where the library
            found nothing.
        k: 1 to N - 1.

    Returns:
        As :func:`nearest_of`.
    """
    missing = (candidate < 0).any(dim=1)
    neighbour, distance = rank(points, rows, candidate.clamp(min=0), k)
    if candidate.shape[1] < len(points) - 1:
        farthest = points.squared(rows, candidate.clamp(min=0)).amax(dim=1)
        # Once for the farthest candidate, once for what it was compared with.
        doubt = 2 * (points.error * (points.norm[rows] + points.norm.max()) + points.tiny)
        missing |= points.at_least(farthest - doubt) <= distance[:, -1]
    for again in missing.nonzero().flatten().split(_REDONE_TOGETHER):
        neighbour[again], distance[again] = nearest_of(points, rows[again], k)
    return neighbour, distance


def _search(
    points: Points, rows: Tensor, bound: Tensor, neighbour: Tensor, distance: Tensor
) -> tuple[Tensor, Tensor]:
    """The exact neighbours from k known ones [C, k] and lower bounds float64 [C, N].

    Columns are visited in ascending order, in blocks that grow: where ties or duplicates abound, the
    first blocks settle them, and what follows is skipped.
    """
    bound.scatter_(1, neighbour, torch.inf)
    start, width = 0, _FIRST_COLUMNS
    while start < bound.shape[1]:
        columns = torch.arange(start, min(start + width, bound.shape[1]), device=bound.device)
        worst, last = distance[:, -1:], neighbour[:, -1:]
        possible = points.at_least(bound[:, start : start + width]) <= worst
        possible &= (worst > 0) | (columns < last)  # at distance 0 only the index can be lower
        row, place = possible.nonzero(as_tuple=True)
        if len(row):
            found = columns[place]
            pairs = _PAIR_ELEMENTS // points.dim + 1
            exact = [
                points.distance(rows[r], c)
                for r, c in zip(row.split(pairs), found.split(pairs), strict=True)
            ]
            neighbour, distance = _merge(neighbour, distance, row, found, torch.cat(exact))
        start, width = start + width, 4 * width
    return neighbour, distance


def _merge(
    neighbour: Tensor, distance: Tensor, row: Tensor, column: Tensor, exact: Tensor
) -> tuple[Tensor, Tensor]:
    """The k nearest of each row by (distance, index) among its k known and the new pairs."""
    rows, k = neighbour.shape
    row = torch.cat([torch.arange(rows, device=row.device).repeat_interleave(k), row])
    column = torch.cat([neighbour.flatten(), column])
    exact = torch.cat([distance.flatten(), exact])
    order = column.argsort()
    for key in (exact, row):
        order = order[key[order].argsort(stable=True)]
    count = row.bincount(minlength=rows)
    first = (count.cumsum(dim=0) - count).unsqueeze(1) + torch.arange(k, device=row.device)
    return column[order[first]], exact[order[first]]
