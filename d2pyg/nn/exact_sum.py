"""A sum over neighbours that no order of the edges can change."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation

from d2pyg.grid import grid_step, largest_magnitude, snap


class ExactSum(Aggregation):  # type: ignore[misc]  # PyG's base is untyped
    """Sums messages bit-identically in every edge order and on every device.

    Messages are rounded to a power-of-two grid on which sums of float64 are exact: ``2**-52`` of the
    largest absolute message times the largest number of messages at a node. For use inside
    :class:`~d2pyg.nn.ForwardMessagePassing`; rounding has no useful gradient, so training code uses
    PyG's ``"sum"``.

    Shapes:
        x float64 (E,) or (E, F), index (E,) -> (N,) or (N, F)

    Example:
        >>> x = torch.tensor([0.1, 0.2, 0.3, -0.6], dtype=torch.float64)
        >>> index = torch.zeros(4, dtype=torch.int64)
        >>> forward = ExactSum()(x, index, dim=0)
        >>> backward = ExactSum()(x.flip(0), index, dim=0)
        >>> bool(forward == backward)
        True
    """

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        if index is not None:
            most = int(torch.bincount(index).max()) if index.numel() else 0
        else:
            self.assert_index_present(ptr)
            most = int(ptr.diff().max()) if ptr is not None and ptr.numel() > 1 else 0
        step = grid_step(largest_magnitude(x) * most, bits=52)
        total: Tensor = self.reduce(snap(x, step), index, ptr, dim_size, dim, reduce="sum")
        return total
