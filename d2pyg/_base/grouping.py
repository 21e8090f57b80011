"""Counting inside groups."""

from __future__ import annotations

import torch
from torch import Tensor


def rank_in_group(group: Tensor, num_groups: int) -> Tensor:
    """The place of each entry among those of its group, int64 [M]; groups in ascending order.

    Example:
        >>> rank_in_group(torch.tensor([0, 0, 2, 2, 2]), num_groups=3)
        tensor([0, 1, 0, 1, 2])
    """
    count = torch.bincount(group, minlength=num_groups)
    start = count.cumsum(0) - count
    return torch.arange(len(group), device=group.device) - start[group]


def first_of_group(group: Tensor, count: Tensor) -> Tensor:
    """The positions of the first ``count[g]`` entries of each group g, group after group, each in order.

    Example:
        >>> first_of_group(torch.tensor([1, 0, 1, 1]), count=torch.tensor([1, 2]))
        tensor([1, 0, 2])
    """
    order = group.argsort(stable=True)
    group = group[order]
    return order[rank_in_group(group, len(count)) < count[group]]
