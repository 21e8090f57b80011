"""The knn op that torch-cluster and pyg-lib share: what it is given, and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from d2pyg._base.grouping import rank_in_group
from d2pyg._base.progress import Progress
from d2pyg.graph.doubt import settle
from d2pyg.graph.exact import EXTRA, certify
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty

# (x [N, dim], y [C, dim], count) -> int64 [2, E]: rows of y, ascending, and for each of them the rows
# of x that are nearest, the nearest first; count of them, or fewer.
KnnOp: TypeAlias = Callable[[Tensor, Tensor, int], Tensor]

_MOST_ON_CUDA = 100  # the size of an array in its kernel
_CANDIDATES_TOGETHER = 1 << 22  # the op sorts all points into a tree again for every call
_TREE_BYTES = 128  # a sample
_CANDIDATE_BYTES = 128  # what the op returns, and what makes a table of it


def op_neighbors(points: Points, k: int, bar: Progress, op: KnnOp) -> tuple[Tensor, Tensor]:
    """The op's candidates, by exact distance; rows in doubt are redone by matrix products.

    Raises:
        ValueError: If the op cannot find k neighbors and the point itself on the points' device.
    """
    most = most_found(points.device)
    if most is not None and k + 1 > most:
        raise ValueError(
            f"Expected 'k' to be at most {most - 1} for this backend on {points.device.type} (got {k}): "
            f"it finds at most {most} points, and one is the sample itself. Use backend='torch'."
        )
    approx = points.approx  # contiguous, as the op reads its memory as it lies
    count = min(k + EXTRA + 1, len(points), most or len(points))
    neighbor, distance = empty(len(points), k, points.device)
    unsure = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    row_bytes = 4 * points.dim + count * _CANDIDATE_BYTES  # of a row that is asked about
    together = int(min(_CANDIDATES_TOGETHER // count, points.beside / 2 // row_bytes))
    for rows in torch.arange(len(points), device=points.device).split(max(1, together)):
        candidate = as_candidates(op(approx, approx[rows], count), rows, count - 1)
        neighbor[rows], distance[rows], unsure[rows] = certify(points, rows, candidate, k)
        bar.update(len(rows))
    settle(points, torch.arange(len(points), device=points.device), neighbor, distance, unsure)
    return neighbor, distance


def held(total: int, dim: int, k: int, device: torch.device) -> int:
    """Bytes of the samples in float32; on the CPU once more, row by row, with a tree."""
    return total * (4 * dim if device.type == "cuda" else 8 * dim + _TREE_BYTES)


def most_found(device: torch.device) -> int | None:
    """The most points that the op finds for one row, itself included; None where any number."""
    return _MOST_ON_CUDA if device.type == "cuda" else None


def as_candidates(pairs: Tensor, rows: Tensor, count: int) -> Tensor:
    """Candidates int64 [C, count] for :func:`~d2pyg.graph.exact.certify` from pairs of a search.

    A search does not know which point asks: that point is dropped here, or the farthest where ties
    crowded it out.

    Args:
        pairs: int64 [2, E], places in ``rows``, ascending, and what was found there, nearest first.
        rows: int64 [C], the points that asked.
        count: Candidates wanted; where there are fewer, the rest is -1.
    """
    place, found = pairs[:, rows[pairs[0]] != pairs[1]]
    column = rank_in_group(place, len(rows))
    kept = column < count
    candidate = torch.full((len(rows), count), -1, device=rows.device)
    candidate[place[kept], column[kept]] = found[kept]
    return candidate
