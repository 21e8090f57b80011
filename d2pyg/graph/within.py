"""Which samples are joined by pairs within a threshold: exact, and never all pairs at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.graph.points import Points
from d2pyg.graph.ranking import of_pairs

_TOGETHER = 1 << 20  # lower bounds
_FIRST_PAIRS = 1024


def joined_by(label: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """Labels of connected components once more edges join them: each the lowest node of its component.

    Args:
        label: int64 [N], of the components so far; ``arange(N)`` where there are none.
        one, two: int64 [E], the ends of the edges.

    Example:
        >>> joined_by(torch.arange(5), torch.tensor([4, 1]), torch.tensor([1, 3]))
        tensor([0, 1, 2, 1, 1])
    """
    while len(one):
        one, two = label[one], label[two]
        lower, higher = torch.minimum(one, two), torch.maximum(one, two)
        apart = lower < higher
        one, two = lower[apart], higher[apart]
        label = label.scatter_reduce(0, two, one, "amin")
        while not torch.equal(label, label[label]):
            label = label[label]
    return label


def join_within(
    points: Points, rows: Tensor, threshold: float, label: Tensor, groups: Tensor | None = None
) -> Tensor:
    """Joins components by all pairs of some points at a distance of at most the threshold.

    Bounds from a product rule out most pairs, exact distances decide the rest. Pairs inside a component
    change nothing and are passed over, so a large group of duplicates costs little once it is one.

    Args:
        points: All N points.
        rows: int64 [R], the points whose pairs are compared.
        threshold: At least 0.
        label: int64 [N], of the components so far.
        groups: [N], where only pairs of one group count.

    Returns:
        The labels of the components then, as :func:`joined_by` gives them.
    """
    table = points.single
    rows = rows[label[rows].argsort(stable=True)]  # so that many tiles lie inside a component
    side = min(math.isqrt(_TOGETHER), points.rows_together)
    for start in range(0, len(rows), side):
        part = rows[start : start + side]
        left, base = table.rows(part), table.row_bound(points.norm[part]).unsqueeze(1)
        width = min(_TOGETHER // len(part), table.columns_beside(len(part), copied=True))
        for columns in rows[start:].split(width):
            apart = label[part].unsqueeze(1) != label[columns]
            if groups is not None:
                apart &= groups[part].unsqueeze(1) == groups[columns]
            if bool(apart.any()):
                bound = table.bounds(left, table.rows(columns)) + base
                row, column = (apart & (points.at_least(bound) <= threshold)).nonzero(as_tuple=True)
                label = _joined_pairs(points, part[row], columns[column], threshold, label)
    return label


def _joined_pairs(points: Points, one: Tensor, two: Tensor, threshold: float, label: Tensor) -> Tensor:
    """Measures pairs, more at a time, and passes over those that earlier ones have joined."""
    size = _FIRST_PAIRS
    while len(one):
        some, others = one[:size], two[:size]
        near = of_pairs(points, some, others) <= threshold
        label = joined_by(label, some[near], others[near])
        one, two = one[size:], two[size:]
        apart = label[one] != label[two]
        one, two, size = one[apart], two[apart], 4 * size
    return label
