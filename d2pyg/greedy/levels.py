"""Levels: takes nodes in a given order, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def levels(
    first: Tensor, num_nodes: int, edges_at: Callable[[Tensor], tuple[Tensor, Tensor]]
) -> Iterator[Tensor]:
    """Splits the nodes ``first`` into levels. Each node waits for its neighbors that come before it.

    In the given order, only those neighbors send to a node before it is taken. Once they are taken, its
    score is final, for any signs of scores and messages.

    Args:
        first: int64 [M], distinct nodes, in the order given.
        num_nodes: Number of nodes, N.
        edges_at: A function of nodes that returns both ends of all their edges, in either direction: the
            neighbors, and the nodes themselves.

    Yields:
        int64, the nodes of a level.

    Example:
        >>> def path(nodes):  # 0 - 1 - 2 - 3
        ...     ends = [(j, i) for i in nodes.tolist() for j in (i - 1, i + 1) if 0 <= j <= 3]
        ...     return tuple(torch.tensor(ends).T)
        >>> [level.tolist() for level in levels(torch.tensor([1, 0, 3, 2]), 4, path)]
        [[1, 3], [0, 2]]
    """
    turn = torch.full((num_nodes,), len(first), device=first.device)
    turn[first] = torch.arange(len(first), device=first.device)
    other, node = edges_at(first)
    earlier = turn[other] < turn[node]
    waits = node[earlier].bincount(minlength=num_nodes)  # for how many edges to earlier ones
    level = first[waits[first] == 0]
    while len(level):
        yield level
        other, node = edges_at(level)
        later = other[(turn[other] > turn[node]) & (turn[other] < len(first))]
        waits -= later.bincount(minlength=num_nodes)
        level = later.unique()
        level = level[waits[level] == 0]
