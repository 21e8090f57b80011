"""Inner products: the largest is the nearest. No distance, but compared like one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg._base.registry import register
from d2pyg.graph.lengths import in_range, row_sum
from d2pyg.graph.metric import EuclideanMetric, PairwiseMetric
from d2pyg.graph.points import Points
from d2pyg.graph.stacked import Embedded


@register("metric", "inner_product")
class InnerProductMetric(PairwiseMetric):
    r"""The negative inner product, :math:`-x \cdot y`: the largest product is nearest.

    It is not a distance, because a sample need not be nearest to itself. It can build a graph, but
    kernels and :func:`d2pyg.select` refuse it. If only directions matter, use ``"cosine"``.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> d2pyg.knn_graph(x, k=1, metric="inner_product").edge_index[0]
        tensor([1, 0, 0])
    """

    is_distance = False

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return -row_sum(x.unsqueeze(1) * y)


class Products(Points):
    """Samples compared by inner products, with the same tables and certificates as distances."""

    share = 0.0
    least = -math.inf

    def __init__(self, embeddings: Embedded, device: torch.device, index: Tensor, memory: float) -> None:
        self._rows = index
        super().__init__(embeddings, EuclideanMetric(), device, index, memory)

    @property
    def pairs_together(self) -> int:
        return max(1, self.chunk // self.dim)

    def at_least(self, squared: Tensor) -> Tensor:
        return squared * (self.scale**2 / 2)

    def bound_of(self, rows: Tensor, others: Tensor, distance: Tensor) -> Tensor:
        return distance * (2 / self.scale**2)

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        return -row_sum(self.given(rows) * self.given(others))

    def _origin(self, drawn: Tensor) -> Tensor:
        """Products are not the same about another point."""
        largest = self._in_parts(lambda part: self.given(part).abs().amax(dim=1))
        wrong = (~in_range(largest)).nonzero().flatten().tolist()
        if wrong:
            raise ValueError(
                f"Expected the largest entry of each row of 'embeddings' to be 0 or 1e-150 to 1e150, so "
                f"that products are finite and above 0 (got {float(largest[wrong[0]]):g} at row "
                f"{int(self._rows[wrong[0]])}). Multiply them by a constant, or leave such rows out."
            )
        return torch.zeros(self.dim, dtype=torch.float64, device=self.device)
