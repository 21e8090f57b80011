"""A sum over neighbors that does not depend on the order of the edges."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.utils import scatter

from d2pyg._base.grid import snap


class ExactSum(Aggregation):  # type: ignore[misc]  # PyG's base is untyped
    """Sums messages with bit-identical results for every order of edges and on every device.

    It rounds the messages of a node to multiples of a power of two. Sums of these are exact in float64.
    The power of two is ``2**-52`` of the largest message times the number of messages, rounded up.
    Gradients are those of the plain sum. Messages of another dtype are summed as in PyG's ``"sum"``,
    whose order may vary.

    Shapes:
        x (E,) or (E, F), index (E,) -> (N,) or (N, F)

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
        if index is None:
            self.assert_index_present(ptr)
            ptr = torch.zeros(1, dtype=torch.int64) if ptr is None else ptr
            index = torch.repeat_interleave(ptr.diff())
            dim_size = len(ptr) - 1
        if x.dtype != torch.float64:
            plain: Tensor = self.reduce(x, index, None, dim_size, dim, reduce="sum")
            return plain
        largest = scatter(x.detach().abs(), index, dim, dim_size, reduce="max")
        count = scatter(torch.ones_like(x), index, dim, dim_size, reduce="sum")
        bound = largest * count
        power = (bound / torch.frexp(bound).mantissa).nan_to_num(nan=1.0)  # 2**exponent, exactly
        step = (power * 2.0**-52).clamp(min=2.0**-1022).index_select(dim, index)
        rounded = x + (snap(x, step) - x).detach()  # exactly the rounded value
        total: Tensor = self.reduce(rounded, index, None, dim_size, dim, reduce="sum")
        return total
