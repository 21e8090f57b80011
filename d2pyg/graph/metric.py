"""Metrics: maps into a space in which Euclidean nearness is the nearness that is meant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.registry import made, name_of, register
from d2pyg.graph.lengths import length
from d2pyg.graph.pairs import Rows, between, can_loop


class Kept:
    """What graphs keep of their metric, so that they can grow and shrink."""

    def state(self) -> dict[str, Any] | None:
        """What :meth:`from_state` makes this metric of: tensors and plain values.

        None where that is not known, as with attributes of your own:
        :func:`d2pyg.extend_graph` then wants the metric again.
        """
        return None if vars(self) else {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Any:
        """The metric as fitted. By default, the class takes what is in ``state`` as arguments."""
        return cls(**state)


class Metric(Kept, ABC):
    """A distance between embeddings with the same order as the Euclidean distance in some space.

    Subclass it and override :meth:`embed`, the map into that space. If the distance is an increasing
    function of the Euclidean one there, override :meth:`from_euclidean` too.

    Attributes:
        costly: :meth:`embed` takes much longer than reading the embeddings, so its results are kept in
            memory if they fit.

    Example:
        >>> class FirstTwo(Metric):
        ...     def embed(self, x):
        ...         return x[..., :2]
        >>> x = torch.tensor([[0.0, 0.0, 9.0], [3.0, 4.0, 0.0]])
        >>> d2pyg.knn_graph(x, k=1, metric=FirstTwo()).edge_attr
        tensor([5., 5.], dtype=torch.float64)
    """

    costly = False

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Maps float64 embeddings [..., d] to float64 [..., d'], each row by itself.

        Avoid matrix products: there, the last bits of a row may depend on other rows. Equal samples then
        differ slightly, and ties do not go to the lowest index.
        """

    def fit(self, embeddings: Tensor, device: torch.device) -> Metric:
        """The metric fitted to embeddings [N, d] of any float type, or itself if it needs no data."""
        return self

    def state(self) -> dict[str, Any] | None:
        return super().state() if type(self).fit is Metric.fit else None

    def from_euclidean(self, distance: Tensor) -> Tensor:
        """The metric's distance, from the Euclidean ``distance`` between mapped samples."""
        return distance

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        """``embed(x) - embed(y)``, float64 [..., d'], or a more accurate form of it."""
        return self.embed(x) - self.embed(y)

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances [...] between float64 embeddings [..., d], from their differences."""
        return self.from_euclidean(length(self.difference(x, y)))

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

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        if can_loop(x, y):
            return between(x, y, super().distance, directions=False)
        return super().distance(x, y)


@register("metric", "cosine")
class CosineMetric(Metric):
    r"""One minus the cosine, :math:`1 - x \cdot y / (\lVert x \rVert \lVert y \rVert)`, in 0 to 2.

    It is computed as half the squared distance of the directions, which keeps small distances accurate.
    If in every coordinate one of two samples is 0, they are at distance 1, exactly. A zero vector has no
    direction, so it is at distance 1 from every other sample.

    Example:
        >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
        >>> CosineMetric().distance(x, x[[1, 1, 2]])
        tensor([1., 0., 1.])
    """

    def embed(self, x: Tensor) -> Tensor:
        tiny = torch.finfo(x.dtype).tiny
        x = x / x.abs().amax(dim=-1, keepdim=True).clamp(min=tiny)  # no overflow in the norm
        direction = x / length(x).unsqueeze(-1).clamp(min=tiny)
        # One more coordinate puts zero vectors at a right angle to all directions.
        zero = (x == 0).all(dim=-1, keepdim=True)
        return torch.cat([direction, zero.to(x.dtype)], dim=-1)

    def from_euclidean(self, distance: Tensor) -> Tensor:
        return distance.square() / 2

    def distance(self, x: Tensor, y: Tensor) -> Tensor:
        if can_loop(x, y):
            return between(x, y, self._formula, directions=True)
        return self._formula(x, y)

    def _formula(self, x: Tensor, y: Tensor) -> Tensor:
        apart = ((x == 0) | (y == 0)).all(dim=-1)
        return super().distance(x, y).masked_fill(apart, 1.0)


def looped(metric: Metric, given: Tensor, index: Tensor | None = None) -> Rows | None:
    """Rows that the CPU's loops measure as the metric does; None where they cannot."""
    if given.device.type != "cpu" or not given.is_contiguous():
        return None
    if type(metric) is EuclideanMetric:
        return Rows(given, super(EuclideanMetric, metric).distance, False, index)
    if type(metric) is CosineMetric:
        return Rows(given, metric._formula, True, index)
    return None


class PairwiseMetric(Kept, ABC):
    """A dissimilarity between pairs, for those without a Euclidean space. The lowest values are nearest.

    Subclass it and override :meth:`pairwise`. Only the backend ``"torch"`` supports it. It compares all
    pairs in float64, in chunks.

    Attributes:
        is_distance: Values are distances of at least 0, so kernels can turn them into weights.

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
        """Float64 [C, M], between float64 [C, d] and [M, d]. Each value depends only on its two rows."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def as_metric(metric: str | Metric | PairwiseMetric) -> Metric | PairwiseMetric:
    """The metric itself, or the registered one of that name."""
    if callable(metric) and not isinstance(metric, type | Metric | PairwiseMetric):
        raise TypeError(
            f"Expected 'metric' to be a name, a d2pyg.graph.Metric or a PairwiseMetric (got function "
            f"{name_of(metric):.60}). Make it the method pairwise(x, y) of a PairwiseMetric."
        )
    found = metric if isinstance(metric, Metric | PairwiseMetric) else made("metric", metric)
    if not isinstance(found, Metric | PairwiseMetric):
        raise TypeError(
            f"Expected 'metric' to be a name, a d2pyg.graph.Metric or a PairwiseMetric (got "
            f"{type(found).__name__}). Subclass one."
        )
    return found
