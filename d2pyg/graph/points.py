"""Embeddings twice over: as they were given, and as a rounded copy for fast comparison."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from d2pyg.graph.lengths import check_range, length
from d2pyg.graph.metric import CosineMetric, EuclideanMetric, Metric
from d2pyg.graph.plan import search_bytes
from d2pyg.graph.stacked import Embedded, loops_of
from d2pyg.graph.table import BOUND_BYTES, Table, precisions

_CHUNK_ELEMENTS = {"cpu": 1 << 18, "cuda": 1 << 22}  # of float64, mapped or subtracted together
_CHUNK_BYTES = 64  # an element, with what is computed of it
_TILE_ELEMENTS = {"cpu": 1 << 23, "cuda": 1 << 29}  # bounds held together; on the CPU more is slower
_DRAWN, _SEED = 1024, 0  # points that stand for all where the origin and the unit are chosen
_DRAWN_CHUNKS = 4  # that such points take at most
_LARGEST_EXPONENT = 48  # of a coordinate in these units: sums of squares stay finite in float32
_LARGEST = 2.0 ** (2 * _LARGEST_EXPONENT)
_EXACT = {torch.float32: 2.0**22, torch.float64: 2.0**51}  # squared lengths of whole numbers
_SPARSE = 0.5  # of the coordinates are 0
_SMALLEST = 2.0**-50  # of two coordinates of a direction, the product does not become 0 in float32
_FEWEST_ROWS = 256  # searched together: with fewer, products are slow


class Points:
    """Samples in the metric's space.

    ``norm`` holds the squared lengths of the mapped samples, their median taken off, in units of
    ``scale``, a power of two such that most coordinates do not exceed 1. ``tables`` compare them fast
    and ``distance`` exactly. At most half of ``memory`` is for what is kept, the rest for what is
    compared at a time.
    """

    share = 1.0  # of the squared lengths in what is compared, |x|^2 + |y|^2 - 2 x y
    least = 0.0  # no distance is below

    def __init__(
        self,
        embeddings: Embedded,
        metric: Metric,
        device: torch.device,
        index: Tensor | None = None,
        memory: float | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.metric = metric
        self.device = device
        self.index = index  # the rows of `embeddings` that these points are; all of them
        self._size = len(embeddings) if index is None else len(index)
        self._places: Tensor | None = None
        self._loop = loops_of(embeddings, metric, index) if device.type == "cpu" else None
        self.dim = metric.embed(self.given(slice(0, 1))).shape[1]  # coordinates of a mapped sample
        memory = self.memory = search_bytes(device) if memory is None else memory
        self.chunk = chunk_elements(device, memory)
        self.together = max(1, self.chunk // max(self.dim, embeddings.shape[1]))
        self.parts = self.split(slice(0, self._size))
        kept = self._keep_places(memory / 2)
        drawn = self._mapped(self._drawn())
        self._centre = self._origin(drawn)
        self.scale = self._unit(float((drawn - self._centre).abs().max()))
        self.norm = self._norms()
        # From the fastest products to the finest: what one leaves in doubt, the next settles.
        largest = float(self.norm.max())
        first, *finer = [
            dtype for dtype in precisions(device, self.dim) if largest < torch.finfo(dtype).max / 2
        ]
        self.tables = [
            Table(self, first, memory / 2 - kept),
            *(Table(self, dtype, 0) for dtype in finer),
        ]
        self.single = next(table for table in self.tables if table.dtype == torch.float32)
        whole = self._are_whole(drawn)
        for table in self.tables:
            if whole and largest * self.scale**2 < _EXACT.get(table.dtype, 0):
                table.take_as_exact()
        self.finest = next((table for table in self.tables if table.is_exact), self.tables[-1])
        self.apart = self._distance_apart(drawn)
        kept += self.tables[0].bytes_kept
        self.beside = max(0.0, memory - kept - self.chunk * _CHUNK_BYTES)
        self.tile = int(min(tile_elements(device), self.beside // BOUND_BYTES))

    def __len__(self) -> int:
        return self._size

    def only(self, some: Tensor) -> Points:
        """Some of these points, in the order given, as points of their own."""
        index = some if self.index is None else self.index[some]
        return Points(self.embeddings, self.metric, self.device, index, self.memory)

    def split(self, rows: slice | Tensor) -> list[slice | Tensor]:
        """Points in parts of ``together``, as many as are mapped at a time."""
        if isinstance(rows, Tensor):
            return [*rows.split(self.together)]
        starts = range(rows.start, rows.stop, self.together)
        return [slice(start, min(start + self.together, rows.stop)) for start in starts]

    @property
    def rows_together(self) -> int:
        """For how many points neighbors are searched together."""
        fewest = _FEWEST_ROWS if self.tables[0].keeps else math.isqrt(self.tile)
        room = int(self.beside / 2 // max(table.row_bytes for table in self.tables))
        return max(1, min(room, max(fewest, self.tile // len(self))))

    @property
    def approx(self) -> Tensor:
        """Float32 [N, dim], the mapped samples, centered and scaled; made anew, and contiguous."""
        made = torch.empty(len(self), self.dim, dtype=torch.float32, device=self.device)
        for part in self.parts:
            made[part] = self.centered(part)
        return made

    def centered(self, rows: slice | Tensor) -> Tensor:
        """Float64 [C, dim], mapped samples, centered and scaled."""
        return (self._mapped(rows) - self._centre).mul_(1 / self.scale)

    def at_least(self, squared: Tensor) -> Tensor:
        """The metric's distance for a lower bound on scaled squared distances."""
        return self.metric.from_euclidean(squared.clamp(min=0).sqrt() * self.scale)

    def from_centre(self) -> Tensor:
        """The metric's distance of every point to their mean, float64 [N]."""
        total = torch.zeros(self.dim, dtype=torch.float64, device=self.device)
        for part in self.parts:
            total += self._mapped(part).sum(dim=0)
        mean = total / len(self)
        return self.metric.from_euclidean(self._in_parts(lambda part: length(self._mapped(part) - mean)))

    @property
    def pairs_together(self) -> int:
        """For how many pairs exact distances are asked together."""
        return self.chunk if self._loop is not None else max(1, self.chunk // self.dim)

    def bound_of(self, rows: Tensor, others: Tensor, distance: Tensor) -> Tensor:
        """What :meth:`at_least` takes, of pairs [C] whose distances are known; about, for rounding."""
        return self.squared(rows, others.unsqueeze(1)).squeeze(1)

    def squared(self, rows: Tensor, others: Tensor) -> Tensor:
        """Float64 [C, M]: scaled squared distances from rows [C] to others [C, M]."""
        found = torch.empty(others.shape, dtype=torch.float64, device=self.device)
        chunk = max(1, self.chunk // (others.shape[1] * self.dim))
        for row, other, out in zip(*(t.split(chunk) for t in (rows, others, found)), strict=True):
            out.copy_((self.centered(row).unsqueeze(1) - self.centered(other)).square().sum(dim=2))
        return found

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """The metric's exact distances, float64, between points of two broadcast index tensors."""
        if self._loop is not None:
            if self.index is not None:
                rows, others = self.index[rows], self.index[others]
            return self._loop.distance(rows, others)
        return self.metric.distance(self.given(rows), self.given(others))

    def _keep_places(self, memory: float) -> int:
        """Keeps what takes long to map, if it fits; returns the bytes that this takes."""
        size = 8 * len(self) * self.dim
        if not self.metric.costly or size > memory:
            return 0
        self._places = self._in_parts(self._mapped, self.dim)
        return size

    def _drawn(self) -> Tensor:
        """Some points, from which the origin and the unit come."""
        generator = torch.Generator().manual_seed(_SEED)
        together = max(1, _DRAWN_CHUNKS * self.chunk // self.dim)
        drawn = torch.randint(self._size, (min(_DRAWN, together),), generator=generator)
        different: Tensor = drawn.unique()
        return different.to(self.device)

    def _origin(self, drawn: Tensor) -> Tensor:
        """What is subtracted from all points, [dim]: in the middle of most, whatever a few are like."""
        zeros = float((drawn == 0).double().mean())
        if type(self.metric) is CosineMetric and zeros > _SPARSE and bool((drawn >= 0).all()):
            return torch.zeros_like(drawn[0])  # points that share no coordinate have a product of 0
        middle: Tensor = drawn.median(dim=0).values
        return middle

    def _unit(self, typical: float) -> float:
        """The power of two in which points are measured: above what is typical, not the largest."""
        if typical == 0:
            typical = self._extent()
        check_range(torch.tensor([typical], dtype=torch.float64))
        return 2.0 ** math.frexp(typical)[1]

    def _extent(self) -> float:
        """The largest coordinate, from the origin."""
        return max(float((self._mapped(part) - self._centre).abs().max()) for part in self.parts)

    def _are_whole(self, drawn: Tensor) -> bool:
        """Whether all coordinates are integers, of which products are exact."""
        if type(self.metric) is not EuclideanMetric or not bool((drawn == drawn.round()).all()):
            return False
        mapped = (self._mapped(part) for part in self.parts)
        return all(bool((part == part.round()).all()) for part in mapped)

    def _distance_apart(self, drawn: Tensor) -> float | None:
        """The distance of points whose product is 0; None if that says nothing."""
        if type(self.metric) is not CosineMetric or bool(self._centre.any()):
            return None
        smallest = min(
            float(mapped.where(mapped != 0, torch.inf).min())
            for mapped in (self._mapped(part) for part in self.parts)
        )
        return 1.0 if smallest > _SMALLEST else None  # it is below 0, too, where a coordinate is

    def _norms(self) -> Tensor:
        """The squared lengths; the unit grows where they would leave the range of float32."""
        norm = self._in_parts(lambda part: self.centered(part).square_().sum(dim=1))
        largest = float(norm.max())
        if not largest < _LARGEST:
            extent = self._extent()
            check_range(torch.tensor([extent], dtype=torch.float64))
            self.scale = 2.0 ** (math.frexp(extent)[1] - _LARGEST_EXPONENT)
            norm = self._in_parts(lambda part: self.centered(part).square_().sum(dim=1))
        return norm

    def _in_parts(self, of_part: Callable[[slice | Tensor], Tensor], *shape: int) -> Tensor:
        """Float64 [N, ...], made part by part. What small tensors a loop leaves behind cut up memory."""
        made = torch.empty(len(self), *shape, dtype=torch.float64, device=self.device)
        for part in self.parts:
            made[part] = of_part(part)
        return made

    def given(self, rows: slice | Tensor) -> Tensor:
        """Float64 [C, d], the embeddings of these points."""
        if self.index is not None:
            rows = self.index[rows]
        if isinstance(rows, Tensor):
            rows = rows.to(self.embeddings.device)
        return self.embeddings[rows].to(self.device).double()

    def _mapped(self, rows: slice | Tensor) -> Tensor:
        return self.metric.embed(self.given(rows)) if self._places is None else self._places[rows]


def tile_elements(device: torch.device) -> int:
    """How many bounds are held together, where memory allows."""
    return _TILE_ELEMENTS.get(device.type, _TILE_ELEMENTS["cpu"])


def chunk_elements(device: torch.device, memory: float) -> int:
    """How many float64 coordinates are mapped, or subtracted, together."""
    most = _CHUNK_ELEMENTS.get(device.type, _CHUNK_ELEMENTS["cpu"])
    return max(1, int(min(most, memory / 4 // _CHUNK_BYTES)))
