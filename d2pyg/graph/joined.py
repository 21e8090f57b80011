"""Several embeddings of the same samples, such as of an image and its text, as one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_embeddings, as_real, shown
from d2pyg.graph.lengths import check_range
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric

_ELEMENTS = 1 << 20  # float64 elements mapped together, 8 MiB


class Joined:
    r"""Several embeddings of the same samples, each divided by its own scale and weighted.

    .. math:: d_{ij}^2 = \sum_m w_m \left( \frac{d^{(m)}_{ij}}{s_m} \right)^2

    :math:`d^{(m)}` is the Euclidean distance in the space of the m-th metric; for ``"cosine"``, between
    directions. This equals concatenating the scaled embeddings, as D2 Pruning does with images and
    texts. Nothing is copied: memory-mapped arrays stay on disk.

    Args:
        embeddings: Arrays or tensors [N, d_m] of any float type, of the same samples in the same order.
        weights: :math:`w_m`, > 0; default: all 1.
        scale: :math:`s_m`: ``"rms"``, the root mean square distance between two samples (1 where all are
            the same), so that larger numbers do not count more; None for 1; or a list with one number
            per embedding.
        metric: ``"euclidean"``, ``"cosine"``, ... or a :class:`Metric` for all, or a list with one per
            embedding.

    Example:
        >>> image, text = torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([[0.0], [8.0], [1.0]])
        >>> d2pyg.knn_graph([image, text], k=1).edge_index[0]
        tensor([2, 0, 0])
        >>> d2pyg.knn_graph(d2pyg.graph.Joined([image, text], weights=[9, 1]), k=1).edge_index[0]
        tensor([1, 0, 1])
    """

    def __init__(
        self,
        embeddings: Sequence[ArrayLike],
        weights: Sequence[float] | None = None,
        scale: str | Sequence[float] | None = "rms",
        metric: str | Metric | PairwiseMetric | Sequence[str | Metric] = "euclidean",
    ) -> None:
        if not isinstance(embeddings, list | tuple):
            raise TypeError(
                f"Expected 'embeddings' to be a list of arrays [N, d] (got "
                f"{type(embeddings).__name__}). Pass such as [image, text]."
            )
        self.parts = [as_embeddings(part, f"embeddings[{m}]") for m, part in enumerate(embeddings)]
        if not self.parts or len({len(part) for part in self.parts}) > 1:
            raise ValueError(
                f"Expected 'embeddings' to have one row for each sample in every array (got "
                f"{shown([len(part) for part in self.parts])} rows). Put all in the order of one data "
                f"set; parts of one array belong into {_joined(embeddings)}."
            )
        self.device = self.parts[0].device
        self.shape = (len(self.parts[0]), sum(part.shape[1] for part in self.parts))
        named: Any = metric if isinstance(metric, list | tuple) else [metric] * len(self.parts)
        metrics = [as_metric(one) for one in named]
        weight = self._numbers("weights", [1.0] * len(self.parts) if weights is None else weights)
        self._one_each("metric", metrics)
        fitted = []
        for one, part in zip(metrics, self.parts, strict=True):
            if isinstance(one, PairwiseMetric):
                raise ValueError(
                    f"Expected the 'metric' of joined embeddings to map into a Euclidean space (got "
                    f"{one}). Join them in a PairwiseMetric of your own."
                )
            fitted.append(one.fit(part, self.device))
        if isinstance(scale, str) and scale != "rms":
            raise ValueError(
                f"Expected 'scale' to be 'rms', None or numbers, one an embedding (got {shown(scale)}). "
                f"'rms' divides by the root mean square distance."
            )
        if isinstance(scale, str):
            scales = [self._rms(m, p) for m, p in zip(fitted, self.parts, strict=True)]
        else:
            scales = self._numbers("scale", [1.0] * len(self.parts) if scale is None else scale)
        factors = [math.sqrt(w) / s for w, s in zip(weight, scales, strict=True)]
        if not 0 < min(factors) <= max(factors) < math.inf:
            raise ValueError(
                f"Expected 'embeddings' to be of a size that can be scaled (got factors of "
                f"{min(factors):g} to {max(factors):g}). Multiply them by constants first."
            )
        self.metric = JoinedMetric([part.shape[1] for part in self.parts], fitted, factors)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """The rows of all embeddings side by side, float64."""
        found = []
        for part in self.parts:
            here = rows.to(part.device) if isinstance(rows, Tensor) else rows
            found.append(part[here].to(self.device).double())
        return torch.cat(found, dim=-1)

    def _rms(self, metric: Metric, part: Tensor) -> float:
        """sqrt(2 * total variance), which is the root mean square distance between two samples."""
        first = part[:1].to(self.device).double()
        step = max(1, _ELEMENTS // part.shape[1])

        def blocks() -> Iterator[Tensor]:
            """Mapped samples less the first of them."""
            for start in range(0, len(part), step):
                given = part[start : start + step].to(self.device).double()
                yield metric.difference(given, first)

        largest = max(float(block.abs().max()) for block in blocks())
        if largest == 0:
            return 1.0
        if math.isinf(largest):
            check_range(torch.tensor([largest]))
        unit = 2.0 ** math.frexp(largest)[1]
        count, mean, scatter = 0, torch.zeros(()).double(), 0.0
        for block in blocks():
            mapped = block / unit  # so that squares are neither 0 nor infinite
            inside, together = mapped.mean(dim=0), count + len(mapped)
            step_to = inside - mean.to(inside)
            scatter += float((mapped - inside).square().sum())
            scatter += float(step_to.square().sum()) * count * len(mapped) / together
            mean = mean.to(inside) + step_to * len(mapped) / together
            count = together
        return math.sqrt(2 * scatter / count) * unit

    def _numbers(self, name: str, values: Any) -> list[float]:
        self._one_each(name, values)
        numbers = [as_real(name, value, "Pass one number an embedding.") for value in values]
        if min(numbers) <= 0:
            raise ValueError(
                f"Expected {name!r} to be above 0 (got {min(numbers):g}). Leave out an embedding "
                f"that should not count."
            )
        return numbers

    def _one_each(self, name: str, values: Any) -> None:
        if not isinstance(values, list | tuple) or len(values) != len(self.parts):
            raise ValueError(
                f"Expected {name!r} to be a list, one for each of the {len(self.parts)} embeddings "
                f"(got {shown(values)}). Pass as many."
            )


def are_several(embeddings: Sequence[Any]) -> bool:
    """Whether a list holds embeddings [N, d_m] of the same samples, and not the rows of one array."""
    if not embeddings or not all(isinstance(part, Tensor | np.ndarray) for part in embeddings):
        return False
    dims = {part.ndim + (part.ndim == 1 and part.dtype == object) for part in embeddings}  # columns
    if dims == {2} and len(embeddings) > 1 and all(len(part) == 1 for part in embeddings):
        raise ValueError(
            f"Expected several 'embeddings' to be of more than one sample (got {len(embeddings)} arrays "
            f"of one row). Where each is a sample, pass {_joined(embeddings)}."
        )
    return bool(max(dims) > 1)


def _joined(embeddings: Sequence[Any]) -> str:
    """The call that makes one array of parts of it."""
    tensors = all(isinstance(part, Tensor) for part in embeddings)
    return f"{'torch.cat' if tensors else 'numpy.concatenate'}(embeddings)"


class JoinedMetric(Metric):
    """Each part of the coordinates mapped by its own metric, times a factor."""

    def __init__(self, dims: list[int], metrics: list[Metric], factors: list[float]) -> None:
        self.dims, self.metrics, self.factors = dims, metrics, factors
        self.costly = any(metric.costly for metric in metrics)

    def embed(self, x: Tensor) -> Tensor:
        parts = zip(x.split(self.dims, dim=-1), self.metrics, self.factors, strict=True)
        return torch.cat([metric.embed(part) * factor for part, metric, factor in parts], dim=-1)

    def difference(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(x.split(self.dims, dim=-1), y.split(self.dims, dim=-1), strict=True)
        parts = zip(pairs, self.metrics, self.factors, strict=True)
        return torch.cat([metric.difference(*pair) * factor for pair, metric, factor in parts], dim=-1)

    def __repr__(self) -> str:
        parts = zip(self.metrics, self.factors, strict=True)
        return f"JoinedMetric({', '.join(f'{factor:.6g} * {metric}' for metric, factor in parts)})"
