"""Neighbor lists, one row per node."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.utils.sparse import index2ptr


@dataclass(frozen=True)
class Rows:
    """Row i is ``other[ptr[i]:ptr[i + 1]]``."""

    ptr: Tensor  # int64 [N + 1]
    other: Tensor  # int64 [E]

    def of(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """The positions of the rows of these nodes in ``other``, one after the other, and their owners.

        Returns:
            The positions int64 [M], and for each the place in ``nodes`` of the node whose row it is.

        Example:
            >>> rows = Rows(ptr=torch.tensor([0, 2, 2, 5]), other=torch.tensor([1, 2, 0, 1, 2]))
            >>> rows.of(torch.tensor([2, 0]))
            (tensor([2, 3, 4, 0, 1]), tensor([0, 0, 0, 1, 1]))
        """
        start = self.ptr[nodes]
        size = self.ptr[nodes + 1] - start
        whose = torch.repeat_interleave(size)
        shift = start - (size.cumsum(0) - size)
        return torch.arange(len(whose), device=whose.device) + shift[whose], whose

    def turned(self) -> Rows:
        """Row i holds the nodes in whose rows i is, ascending."""
        owner = torch.repeat_interleave(self.ptr.diff())
        other, order = self.other.sort(stable=True)
        return Rows(index2ptr(other, len(self.ptr) - 1), owner[order])
