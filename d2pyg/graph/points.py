"""Embeddings twice over: as they were given, and as a float32 copy for fast comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.graph.metric import Metric

_CHUNK_ELEMENTS = 1 << 22  # float64 elements mapped together, 32 MiB
_FLOAT32_ROUNDOFF = 2.0**-24
_UNDERFLOW = 2.0**-100  # absolute error of float32 products of coordinates of at most 1
# What torch may round the inputs of a float32 product to, by the user's own global setting.
_INPUT_ROUNDOFF = {"highest": 0.0, "high": 2.0**-11, "medium": 2.0**-8}


class Points:
    r"""Samples in the metric's space, with a bound on what float32 gets wrong about them.

    ``approx`` holds the mapped samples y in float32, with their mean taken off and scaled by a power
    of two so that no coordinate exceeds 1. With :math:`n = \lVert y \rVert^2`, the squared Euclidean
    distances of the mapped samples, in units of that scale, are

    .. math:: d_{ij}^2 \ge \underbrace{(1 - c)\, n_i - \text{tiny}}_{\text{row bound}}
        + \underbrace{(1 - c)\, n_j - 2\, y_i \cdot y_j}_{\text{one float32 product}} .

    The constant ``c`` comes from the standard error bound of a dot product (Higham, "Accuracy and
    Stability of Numerical Algorithms", section 3.1) and the rounding of the copy itself.
    """

    def __init__(
        self,
        embeddings: Tensor,
        metric: Metric,
        device: torch.device,
        index: Tensor | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.metric = metric
        self.device = device
        self.index = index  # the rows of `embeddings` that these points are; all of them
        points = len(embeddings) if index is None else len(index)
        chunk = max(1, _CHUNK_ELEMENTS // embeddings.shape[1])
        parts = [slice(s, s + chunk) for s in range(0, points, chunk)]
        mean = torch.stack([self._mapped(part).sum(dim=0) for part in parts]).sum(dim=0)
        mean /= points
        largest = max(float((self._mapped(part) - mean).abs().max()) for part in parts)
        if largest and not 2.0**-500 < largest < 2.0**500:
            raise ValueError(
                f"Expected 'embeddings' to differ by 1e-150 to 1e150, so that squared distances are "
                f"finite and above 0 (got {largest:g}). Multiply them by a constant."
            )
        dim = len(mean)
        rounded = _input_roundoff()
        adding = 2 if rounded else 1  # tensor cores truncate where they add
        self.error = 2 * (2 * rounded + adding * (dim + 16) * _FLOAT32_ROUNDOFF)
        self.tiny = dim * _UNDERFLOW
        self.scale = 2.0 ** math.frexp(largest)[1]
        # One more column, (1 - c) n, so that a single product gives the bounds: see `column_bounds`.
        self._table = torch.empty(points, dim + 1, dtype=torch.float32, device=device)
        self.norm = torch.empty(points, dtype=torch.float64, device=device)
        for part in parts:
            approx = ((self._mapped(part) - mean) / self.scale).float()
            self.norm[part] = approx.double().square().sum(dim=1)
            self._table[part, :dim] = approx
            self._table[part, dim] = (1 - self.error) * self.norm[part]

    def __len__(self) -> int:
        return len(self._table)

    @property
    def dim(self) -> int:
        """Coordinates of a mapped sample."""
        return self._table.shape[1] - 1

    @property
    def approx(self) -> Tensor:
        """Float32 [N, dim], the mapped samples, centred and scaled."""
        return self._table[:, :-1]

    def column_bounds(self, rows: Tensor) -> Tensor:
        """Float32 [C, N]: plus :meth:`row_bound`, at most the scaled squared distances."""
        left = self._table[rows] * -2
        left[:, -1] = 1
        with torch.autocast(self.device.type, enabled=False):
            return left @ self._table.T

    def row_bound(self, rows: Tensor) -> Tensor:
        """Float64 [C], the part of the bound that a row's columns share."""
        return (1 - self.error) * self.norm[rows] - self.tiny

    def at_least(self, squared: Tensor) -> Tensor:
        """The metric's distance for a lower bound on scaled squared distances."""
        return self.metric.from_euclidean(squared.clamp(min=0).sqrt() * self.scale)

    def squared(self, rows: Tensor, others: Tensor) -> Tensor:
        """Float64 [C, M]: squared distances in ``approx`` from rows [C] to others [C, M]."""
        chunk = max(1, _CHUNK_ELEMENTS // (others.shape[1] * self.dim))
        return torch.cat(
            [
                (self.approx[r].unsqueeze(1).double() - self.approx[o]).square().sum(dim=2)
                for r, o in zip(rows.split(chunk), others.split(chunk), strict=True)
            ]
        )

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """The metric's exact distances, float64, between points of two broadcast index tensors."""
        return self.metric.distance(self._exact(rows), self._exact(others))

    def _exact(self, rows: Tensor) -> Tensor:
        rows = rows if self.index is None else self.index[rows]
        return self.embeddings[rows.to(self.embeddings.device)].to(self.device).double()

    def _mapped(self, rows: slice) -> Tensor:
        if self.index is None:
            part = self.embeddings[rows]
        else:
            part = self.embeddings[self.index[rows].to(self.embeddings.device)]
        return self.metric.embed(part.to(self.device).double())


def _input_roundoff() -> float:
    try:
        setting = torch.get_float32_matmul_precision()
    except RuntimeError:  # set through torch's newer, finer switches: assume the worst
        setting = "medium"
    return _INPUT_ROUNDOFF[setting]
