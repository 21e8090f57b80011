"""Metrics: maps into a space in which Euclidean nearness is the nearness that is meant."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.linalg import vector_norm

from d2pyg.checks import as_real
from d2pyg.registry import look_up, register

_ROWS_TOGETHER = 4096


class Metric(ABC):
    """A distance between embeddings that Euclidean distance in some space can order.

    Subclass it and override :meth:`embed`; override :meth:`from_euclidean` too where the distance is
    not the Euclidean one in that space but an increasing function of it.

    Example:
        >>> class FirstTwo(Metric):
        ...     def embed(self, x):
        ...         return x[..., :2]
        >>> x = torch.tensor([[0.0, 0.0, 9.0], [3.0, 4.0, 0.0]])
        >>> d2pyg.knn_graph(x, k=1, metric=FirstTwo()).edge_attr
        tensor([5., 5.], dtype=torch.float64)
    """

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Maps float64 embeddings [..., d] to float64 [..., d']."""

    def fit(self, embeddings: Tensor, device: torch.device) -> Metric:
        """The metric for these embeddings [N, d] of any float type; itself, where it needs no data."""
        return self

    def from_euclidean(self, distance: Tensor) -> Tensor:
        """The metric's distance where the Euclidean one between mapped samples is ``distance``."""
        return distance

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances [...] between float64 embeddings [..., d], from their differences."""
        return self.from_euclidean(vector_norm(self.embed(x) - self.embed(y), dim=-1))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@register("metric", "euclidean")
class EuclideanMetric(Metric):
    r"""The length of the difference, :math:`\lVert x - y \rVert`.

    Example:
        >>> EuclideanMetric().distance(torch.tensor([3.0, 4.0]), torch.zeros(2))
        tensor(5.)
    """

    def embed(self, x: Tensor) -> Tensor:
        return x


@register("metric", "cosine")
class CosineMetric(Metric):
    r"""One minus the cosine, :math:`1 - x \cdot y / (\lVert x \rVert \lVert y \rVert)`, in 0 to 2.

    Computed as half the squared distance of the directions, which keeps small distances accurate.
    A zero vector has no direction; it is at distance 1 from every other sample.

    Example:
        >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        >>> CosineMetric().distance(x, x[[1, 1, 2]])
        tensor([1.0000, 0.0000, 1.0000])
    """

    def embed(self, x: Tensor) -> Tensor:
        tiny = torch.finfo(x.dtype).tiny
        x = x / x.abs().amax(dim=-1, keepdim=True).clamp(min=tiny)  # no overflow in the norm
        direction = x / vector_norm(x, dim=-1, keepdim=True).clamp(min=tiny)
        # One more coordinate puts zero vectors at a right angle to all directions.
        zero = (x == 0).all(dim=-1, keepdim=True)
        return torch.cat([direction, zero.to(x.dtype)], dim=-1)

    def from_euclidean(self, distance: Tensor) -> Tensor:
        return distance.square() / 2

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        no_direction = (x == 0).all(dim=-1) | (y == 0).all(dim=-1)
        return super().distance(x, y).masked_fill(no_direction, 1.0)


@register("metric", "mahalanobis")
class MahalanobisMetric(Metric):
    r"""The length of the difference in units of the spread, :math:`\sqrt{(x-y)^T \Sigma^{-1} (x-y)}`.

    Computed by whitening: with :math:`\Sigma = L L^T`, the length of :math:`L^{-1}(x - y)`.

    Args:
        covariance: Sigma, [d, d], symmetric and positive definite. None: estimated from the embeddings
            of the whole graph, with N - 1 in the denominator.
        shrinkage: In 0 to 1. Sigma becomes (1 - shrinkage) Sigma + shrinkage mean(diag(Sigma)) I, which
            has an inverse where fewer samples than coordinates leave Sigma without one.

    Example:
        >>> metric = MahalanobisMetric(torch.tensor([[4.0, 0.0], [0.0, 1.0]]))
        >>> metric.distance(torch.tensor([2.0, 0.0]).double(), torch.zeros(2).double())
        tensor(1., dtype=torch.float64)
    """

    def __init__(self, covariance: Tensor | None = None, shrinkage: float = 0.0) -> None:
        self.shrinkage = as_real("shrinkage", shrinkage, "It lies in 0 to 1, such as 0.1.")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(
                f"Expected 'shrinkage' to be in 0 to 1 (got {self.shrinkage:g}). 0 takes the "
                f"covariance as it is."
            )
        self.covariance = None if covariance is None else torch.as_tensor(covariance).double()
        self._factor = None if self.covariance is None else self._cholesky(self.covariance)

    def fit(self, embeddings: Tensor, device: torch.device) -> Metric:
        if self.covariance is not None:
            if len(self.covariance) != embeddings.shape[1]:
                raise ValueError(
                    f"Expected 'covariance' to have the {embeddings.shape[1]} coordinates of the "
                    f"embeddings (got {len(self.covariance)}). Estimate it on the same embeddings."
                )
            return self
        total, dim = embeddings.shape
        parts = [slice(s, s + _ROWS_TOGETHER) for s in range(0, total, _ROWS_TOGETHER)]
        sums = [embeddings[part].to(device).double().sum(dim=0) for part in parts]
        mean = torch.stack(sums).sum(dim=0) / total
        scatter = torch.zeros(dim, dim, dtype=torch.float64, device=device)
        for part in parts:
            centred = embeddings[part].to(device).double() - mean
            scatter += centred.T @ centred
        return MahalanobisMetric(scatter / max(1, total - 1), self.shrinkage)

    def embed(self, x: Tensor) -> Tensor:
        if self._factor is None:
            raise RuntimeError("Expected a covariance. Call fit(embeddings, device) first.")
        factor = self._factor.to(x)
        white: Tensor = torch.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False)
        return white.squeeze(-1)

    def _cholesky(self, covariance: Tensor) -> Tensor:
        if covariance.dim() != 2 or covariance.shape[0] != covariance.shape[1]:
            raise ValueError(
                f"Expected 'covariance' to be a matrix [d, d] (got shape {tuple(covariance.shape)}). "
                f"Pass numpy.cov(embeddings, rowvar=False)."
            )
        mean = covariance.diagonal().mean()
        eye = torch.eye(len(covariance)).to(covariance)
        shrunk = (1 - self.shrinkage) * covariance + self.shrinkage * mean * eye
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex((shrunk + shrunk.T) / 2)
        if not covariance.equal(covariance.T) or int(failed) or not bool(factor.isfinite().all()):
            raise ValueError(
                "Expected 'covariance' to be symmetric and positive definite (got one that is not: "
                "coordinates are constant or depend on one another). Pass a 'shrinkage' such as 0.1."
            )
        return factor

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shrinkage={self.shrinkage})"


class PairwiseMetric(ABC):
    """A dissimilarity that no map into a Euclidean space can order: the lowest values are the nearest.

    Subclass it and override :meth:`pairwise`. All pairs are compared in float64, in chunks, by the
    backend ``"torch"`` alone.

    Attributes:
        is_distance: Values are distances of at least 0, so that kernels can weigh them.

    Example:
        >>> class Manhattan(PairwiseMetric):
        ...     def pairwise(self, x, y):
        ...         return torch.cdist(x, y, p=1)
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 3.0]])
        >>> d2pyg.knn_graph(x, k=1, metric=Manhattan()).edge_attr
        tensor([2., 2., 3.], dtype=torch.float64)
    """

    is_distance = True

    @abstractmethod
    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """Float64 [C, M], from float64 [C, d] to float64 [M, d]; each from its own two rows alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@register("metric", "inner_product")
class InnerProductMetric(PairwiseMetric):
    r"""The negative inner product, :math:`-x \cdot y`: the nearest are those with the largest product.

    It is no distance (a sample need not be nearest to itself), so it makes a graph, but kernels and
    :func:`d2pyg.select` refuse it. For directions alone, use ``"cosine"``.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
        >>> d2pyg.knn_graph(x, k=1, metric="inner_product").edge_index[0]
        tensor([1, 0, 0])
    """

    is_distance = False

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        return -(x @ y.T)


def as_metric(metric: str | Metric | PairwiseMetric) -> Metric | PairwiseMetric:
    """The metric itself, or the registered one of that name."""
    if isinstance(metric, Metric | PairwiseMetric):
        return metric
    found: Metric | PairwiseMetric = look_up("metric", metric)()
    return found
