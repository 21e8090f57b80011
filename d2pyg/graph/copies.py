"""Points that are the same bit by bit: the search sees one of each."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.grouping import rank_in_group
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import nearest_of_pairs

_SEED = 2
_TOGETHER = 1 << 21  # copies that are sorted together


def first_copies(points: Points) -> Tensor:
    """int64 [N], the lowest point with the same coordinates; itself where there is none.

    Points are grouped by a hash of 64 bits, and each is compared with the lowest of its group; one that
    differs, or is not at distance 0 of it, stands for itself.
    """
    key = _hashes(points)
    order = key.argsort(stable=True)
    begins = torch.ones_like(order, dtype=torch.bool)
    begins[1:] = key[order[1:]] != key[order[:-1]]
    first = torch.empty_like(order)
    first[order] = order[begins][begins.cumsum(dim=0) - 1]
    other = (first != torch.arange(len(first), device=first.device)).nonzero().flatten()
    for rows in other.split(max(1, min(points.together, points.pairs_together))):
        same = (points.given(rows) == points.given(first[rows])).all(dim=1)
        same &= points.distance(rows, first[rows]) == 0
        first[rows] = torch.where(same, first[rows], rows)
    return first


def _hashes(points: Points) -> Tensor:
    """int64 [N]: a sum of all bits, by drawn odd weights, modulo 2^64."""
    generator = torch.Generator().manual_seed(_SEED)
    limits = torch.iinfo(torch.int64)
    key = torch.empty(len(points), dtype=torch.int64, device=points.device)
    for rows in points.parts:
        bits = points.given(rows).view(torch.int64)
        bits = bits ^ (bits >> 29)  # the low bits of most floats are 0
        if rows is points.parts[0]:
            weight = torch.randint(limits.min, limits.max, bits.shape[1:], generator=generator)
            weight = (weight | 1).to(points.device)
        key[rows] = (bits * weight).sum(dim=1)
    return key ^ (key >> 32)


def with_copies(
    first: Tensor, kept: Tensor, neighbor: Tensor, distance: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """The k nearest of all points, from those of the points that stand for them.

    Args:
        first: int64 [N], of :func:`first_copies`.
        kept: int64 [M], the points that stand for themselves, ascending.
        neighbor: int64 [M, m], the m nearest of these to each other, places in ``kept``; m at least
            min(k, M - 1).
        distance: float64 [M, m], ascending by (distance, place).
        k: 1 to N - 1.

    Returns:
        int64 [N, k] and float64 [N, k], ascending by (distance, point).
    """
    total, device = len(first), first.device
    place = torch.empty(total, dtype=torch.int64, device=device)
    place[kept] = torch.arange(len(kept), device=device)
    group = place[first]
    members = group.argsort(stable=True)
    size = group.bincount(minlength=len(kept))
    begin = size.cumsum(dim=0) - size
    # Each of them with its own copies at distance 0, and with those of its neighbors: k + 1 of each at
    # most.
    every = torch.arange(len(kept), device=device)
    near = torch.cat([every.unsqueeze(1), neighbor], dim=1)
    far = torch.cat([distance.new_zeros(len(kept), 1), distance], dim=1)
    found = torch.empty(len(kept), k + 1, dtype=torch.int64, device=device)
    how_far = torch.empty(len(kept), k + 1, dtype=torch.float64, device=device)
    for rows in every.split(max(1, _TOGETHER // (near.shape[1] * (k + 1)))):
        count = size[near[rows]].clamp(max=k + 1)
        row, column = (count > 0).nonzero(as_tuple=True)
        many = count[row, column]
        group_of = torch.arange(len(many), device=device).repeat_interleave(many)
        row, column = row[group_of], column[group_of]
        point = members[begin[near[rows][row, column]] + rank_in_group(group_of, len(many))]
        distances = far[rows][row, column]
        found[rows], how_far[rows] = nearest_of_pairs(row, point, distances, len(rows), k + 1)
    # Each point but itself: it is among them unless k + 1 others come before.
    mine, my_distance = found[group], how_far[group]
    itself = mine == torch.arange(total, device=device).unsqueeze(1)
    itself[:, k] |= ~itself.any(dim=1)
    return mine[~itself].view(total, k), my_distance[~itself].view(total, k)
