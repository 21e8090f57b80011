"""Mahalanobis distance: Euclidean distance once coordinates have neither scale nor correlation."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_real
from d2pyg._base.registry import register
from d2pyg.graph import covariance as covariances
from d2pyg.graph.lengths import row_sum
from d2pyg.graph.metric import Metric

_TOGETHER = {"cpu": 1 << 17, "cuda": 1 << 23}  # float64 elements; on the CPU, what its caches hold


@register("metric", "mahalanobis")
class MahalanobisMetric(Metric):
    r"""The difference in units of the spread, :math:`\sqrt{(x-y)^T \Sigma^{-1} (x-y)}`.

    It is computed by whitening: with :math:`\Sigma = L L^T`, it is the length of :math:`L^{-1}(x - y)`.

    Args:
        covariance: Sigma [d, d], symmetric up to rounding and positive definite. None: estimated from
            the embeddings of the whole graph, with N - 1 in the denominator.
        shrinkage: In 0 to 1. Sigma becomes (1 - shrinkage) Sigma + shrinkage mean(diag(Sigma)) I. This
            is positive definite even if coordinates are constant or outnumber the samples.

    Raises:
        ValueError, TypeError: If an argument breaks its rule. An estimated Sigma is checked when the
            graph is built.

    Example:
        >>> metric = MahalanobisMetric(torch.tensor([[4.0, 0.0], [0.0, 1.0]]))
        >>> metric.distance(torch.tensor([2.0, 0.0]).double(), torch.zeros(2).double())
        tensor(1., dtype=torch.float64)
    """

    costly = True

    def __init__(self, covariance: ArrayLike | None = None, shrinkage: float = 0.0) -> None:
        self.shrinkage = as_real("shrinkage", shrinkage, "It lies in 0 to 1, such as 0.1.")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(
                f"Expected 'shrinkage' to be in 0 to 1 (got {self.shrinkage:g}). 0 takes the "
                f"covariance as it is."
            )
        self.covariance: Tensor | None = None
        self._whitening: Tensor | None = None  # the inverse of L
        self._centre: Tensor | None = None  # taken off before places, not distances, are whitened
        if covariance is not None:
            self.covariance, rounding = covariances.as_covariance(covariance, self.shrinkage)
            self._whitening = covariances.inverse_root(self.covariance, self.shrinkage, rounding)

    def fit(self, embeddings: Tensor, device: torch.device) -> Metric:
        if self.covariance is not None and len(self.covariance) != embeddings.shape[1]:
            raise ValueError(
                f"Expected 'covariance' to have the {embeddings.shape[1]} coordinates of the embeddings "
                f"(got {len(self.covariance)}). Estimate it on the same embeddings."
            )
        fitted = copy(self)
        fitted._centre = covariances.mean(embeddings, device)
        if self.covariance is None:
            fitted.covariance = covariances.estimate(embeddings, fitted._centre)
            fitted._whitening = covariances.inverse_root(
                fitted.covariance, self.shrinkage, samples=len(embeddings)
            )
        return fitted

    def state(self) -> dict[str, Any] | None:
        if self._whitening is None or self._centre is None:
            return None  # not fitted
        return {
            "shrinkage": self.shrinkage,
            "covariance": self.covariance,
            "whitening": self._whitening,
            "center": self._centre,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MahalanobisMetric:
        metric = cls(shrinkage=state["shrinkage"])
        metric.covariance = state["covariance"].double()
        metric._whitening = state["whitening"].double()
        metric._centre = state["center"].double()
        dim = len(metric._whitening)
        shapes = metric.covariance.shape, metric._whitening.shape, metric._centre.shape
        if shapes != ((dim, dim), (dim, dim), (dim,)):
            raise ValueError(
                f"Expected 'state' to be of {dim} coordinates (got shapes {[*map(tuple, shapes)]}). Fit "
                f"the metric again."
            )
        return metric

    def embed(self, x: Tensor) -> Tensor:
        return self._white(x if self._centre is None else x - self._centre.to(x))

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        return self._white(x - y)

    def _white(self, x: Tensor) -> Tensor:
        if self._whitening is None:
            raise RuntimeError("Expected a covariance. Call fit(embeddings, device) first.")
        whitening, dim = self._whitening.to(x), x.shape[-1]
        rows = x.reshape(-1, dim)
        white = torch.empty_like(rows)
        together = max(1, _TOGETHER.get(x.device.type, _TOGETHER["cpu"]) // dim)
        for part, made in zip(rows.split(together), white.split(together), strict=True):
            # No matrix product: the last bits of its rows depend on how many there are.
            for i in range(dim):
                made[:, i] = row_sum(part[:, : i + 1] * whitening[i, : i + 1])
        return white.view(x.shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shrinkage={self.shrinkage})"
