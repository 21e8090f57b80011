"""Embeddings twice over: as they were given, and as a rounded copy for fast comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.graph.joined import Joined
from d2pyg.graph.metric import Metric
from d2pyg.graph.table import Table, precisions

_CHUNK_ELEMENTS = 1 << 22  # float64 elements mapped together, 32 MiB
_TILE_ELEMENTS = {"cpu": 1 << 23, "cuda": 1 << 29}  # bounds held together; on the CPU more is slower
TILE_BYTES = 16  # an element, with what finds the smallest of its row


class Points:
    """Samples in the metric's space.

    ``norm`` holds the squared lengths of the mapped samples, their mean taken off, in units of
    ``scale``, a power of two such that no coordinate exceeds 1. ``tables`` compare them fast and
    ``distance`` exactly.
    """

    def __init__(
        self,
        embeddings: Tensor | Joined,
        metric: Metric,
        device: torch.device,
        index: Tensor | None = None,
        memory: float = math.inf,
    ) -> None:
        self.embeddings = embeddings
        self.metric = metric
        self.device = device
        self.index = index  # the rows of `embeddings` that these points are; all of them
        self._size = len(embeddings) if index is None else len(index)
        chunk = max(1, _CHUNK_ELEMENTS // embeddings.shape[1])
        self.parts = [slice(s, min(s + chunk, self._size)) for s in range(0, self._size, chunk)]
        mean = torch.stack([self._mapped(part).sum(dim=0) for part in self.parts]).sum(dim=0)
        self._mean = mean / self._size
        self.dim = len(mean)  # coordinates of a mapped sample
        largest = max(float((self._mapped(p) - self._mean).abs().max()) for p in self.parts)
        check_range(largest)
        self.scale = 2.0 ** math.frexp(largest)[1]
        self.norm = torch.cat([self.centred(p).square().sum(dim=1) for p in self.parts])
        # From the fastest products to the finest: what one leaves in doubt, the next settles.
        first, *finer = precisions(device, self.dim)
        self.tables = [Table(self, first, memory / 2), *(Table(self, dtype, 0) for dtype in finer)]
        self.tile = int(min(tile_elements(device), memory / 2 // TILE_BYTES))

    def __len__(self) -> int:
        return self._size

    @property
    def approx(self) -> Tensor:
        """Float32 [N, dim], the mapped samples, centred and scaled."""
        return torch.cat([self.centred(part).float() for part in self.parts])

    def centred(self, rows: slice | Tensor) -> Tensor:
        """Float64 [C, dim], the mapped samples, centred and scaled."""
        return (self._mapped(rows) - self._mean) / self.scale

    def at_least(self, squared: Tensor) -> Tensor:
        """The metric's distance for a lower bound on scaled squared distances."""
        return self.metric.from_euclidean(squared.clamp(min=0).sqrt() * self.scale)

    def squared(self, rows: Tensor, others: Tensor) -> Tensor:
        """Float64 [C, M]: scaled squared distances from rows [C] to others [C, M]."""
        chunk = max(1, _CHUNK_ELEMENTS // (others.shape[1] * self.dim))
        return torch.cat(
            [
                (self.centred(r).unsqueeze(1) - self.centred(o)).square().sum(dim=2)
                for r, o in zip(rows.split(chunk), others.split(chunk), strict=True)
            ]
        )

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """The metric's exact distances, float64, between points of two broadcast index tensors."""
        return self.metric.distance(self._given(rows), self._given(others))

    def _given(self, rows: slice | Tensor) -> Tensor:
        if self.index is not None:
            rows = self.index[rows]
        if isinstance(rows, Tensor):
            rows = rows.to(self.embeddings.device)
        return self.embeddings[rows].to(self.device).double()

    def _mapped(self, rows: slice | Tensor) -> Tensor:
        return self.metric.embed(self._given(rows))


def tile_elements(device: torch.device) -> int:
    """How many bounds are held together, where memory allows."""
    return _TILE_ELEMENTS.get(device.type, _TILE_ELEMENTS["cpu"])


def check_range(largest: float) -> None:
    """Squares of coordinates have to be finite and above 0."""
    if largest and not 2.0**-500 < largest < 2.0**500:
        raise ValueError(
            f"Expected 'embeddings' to differ by 1e-150 to 1e150, so that squared distances are "
            f"finite and above 0 (got {largest:g}). Multiply them by a constant."
        )
