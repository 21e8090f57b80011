"""Neighbors by PyNNDescent on the CPU: approximate, for data sets too large to compare all pairs."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.exact import nearest_of
from d2pyg.graph.knn_op import as_candidates
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty, rank

_ROWS_TOGETHER = 4096
_SPARE = 20  # candidates beyond k: with 8, a third of the neighbors of 20,000 x 64 Gaussian are missed
_CANDIDATE_BYTES = 128
_SEED = 0


@register("backend", "pynndescent")
def pynndescent_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """k different points each, most of them among the nearest: approximate.

    Every distance is exact, and rows are sorted by (distance, index), but a nearer point may have been
    missed. How many are depends on the data, and is not certified. Rows where the library found too
    few points are redone exactly. The same embeddings give the same graph, as long as numba has the same
    number of threads. The first call in a process compiles, for some half a minute.
    """
    count = min(k + _SPARE, len(points) - 1)
    found = _found(points, count + 1)
    neighbor, distance = empty(len(points), k, points.device)
    together = max(1, min(_ROWS_TOGETHER, points.chunk // count))
    for rows in torch.arange(len(points), device=points.device).split(together):
        place, column = (found[rows] >= 0).nonzero(as_tuple=True)
        candidate = as_candidates(torch.stack([place, found[rows][place, column]]), rows, count)
        neighbor[rows], distance[rows] = rank(points, rows, candidate.clamp(min=0), k)
        short = rows[(candidate < 0).any(dim=1)]
        neighbor[short], distance[short] = nearest_of(points, short, k)
        bar.update(len(rows))
    return neighbor, distance


def _held(total: int, dim: int, k: int, device: torch.device) -> int:
    """Bytes of the samples in float32, trees that hold some more, and candidates; as measured."""
    return total * (6 * dim + _CANDIDATE_BYTES * (k + _SPARE + 1))


pynndescent_neighbors.exact = False  # type: ignore[attr-defined]  # so that callers can tell
pynndescent_neighbors.held = _held  # type: ignore[attr-defined]  # for the plan


def _found(points: Points, count: int) -> Tensor:
    """int64 [N, count], what the library found for each point, nearest first; -1 where nothing."""
    search = require("pynndescent", "pynndescent").NNDescent
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to correctly find n_neighbors")
        index = search(points.approx.cpu().numpy(), n_neighbors=count, random_state=_SEED)
    return torch.from_numpy(index.neighbor_graph[0]).long().to(points.device)
