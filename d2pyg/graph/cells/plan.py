"""How many cells each point has to visit: known before any is visited, from drawn points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from d2pyg.graph.cells.guide import Guide, ranks_of_centroids
from d2pyg.graph.exact import nearest_of
from d2pyg.graph.recall import draw

_SEED = 3
_ROUND = 8000  # pairs in tiles that take as long as a point's part of a round
_MARGIN = 0.15  # of what may be missing: drawn points say it to about so much
_MISSING = 4  # times what may be missing in the end, a round can find
_MOST = 0.25  # of the products that all pairs take; more is no longer faster by much


@dataclass(frozen=True)
class Plan:
    """Attributes:
    visits: Cells that each point visits, with its own.
    drawn: int64 [m], the points that this was found from.
    true: int64 [m, k], their true neighbors.
    """

    visits: int
    drawn: Tensor
    true: Tensor


def plan_visits(guide: Guide, centroid: Tensor, k: int, recall: float) -> Plan:
    """The fewest visits that reach a recall, alone or with rounds of neighbors of neighbors.

    Two points are compared if one visits the cell of the other. So for each drawn point and each of its
    true neighbors, it is known from how many visits on they meet.
    """
    points = guide.points
    drawn = draw(len(points), _SEED).to(points.device)
    true, _ = nearest_of(points, drawn, k)
    again, near = drawn.repeat_interleave(k).unsqueeze(1), true.view(-1, 1)
    there = ranks_of_centroids(guide, centroid, drawn.unsqueeze(1), true).view(-1, 1)
    meet = torch.minimum(there, ranks_of_centroids(guide, centroid, near, again)).flatten()
    needed = meet.sort().values + 1  # visits from which so many pairs meet
    missing = (1 - _MARGIN) * (1 - recall)
    alone, helped = (_fewest(needed, 1 - times * missing) for times in (1, _MISSING))
    size = len(points) / len(centroid)
    most = max(1, int(_MOST * len(centroid) / 2))
    with_rounds = (alone - helped) * size > _ROUND or alone > most
    return Plan(min(helped if with_rounds else alone, most), drawn, true)


def _fewest(needed: Tensor, share: float) -> int:
    """The visits with which at least this share of pairs meets."""
    return int(needed[max(0, min(len(needed), -int(-share * len(needed) // 1)) - 1)])
