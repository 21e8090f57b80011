"""Samples as small integers: they guide a search, and their products are exact on every machine."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.graph.cells.tensors import has_loops
from d2pyg.graph.points import Points

_BITS = 24  # of a float32 sum that is exact
_ELEMENTS = 1 << 22  # distances to centroids that are held together

Rows = slice | Tensor


class Guide:
    r"""Points as integers in float32: q = round(y / unit), where y is centered and scaled.

    The unit is a power of two such that typical lengths are 256 to 1024 units and none exceeds 2048. So
    all partial sums of :math:`\lVert q \rVert^2 - 2\, q \cdot c` stay below :math:`2^{24}`, and products
    have the same bits in whatever order they are added. Points that are farther out are moved toward the
    origin, by a power of two: where they are matters to no one else.
    """

    def __init__(self, points: Points) -> None:
        self.points = points
        typical = math.frexp(math.sqrt(float(points.norm.median())))[1]
        farthest = math.frexp(math.sqrt(float(points.norm.max())))[1]
        self._longest = min(typical + 1, farthest)  # all lengths are below 2 to this power
        self.unit = 2.0 ** (self._longest - _length_bits(points.dim))

    def __len__(self) -> int:
        return len(self.points)

    def parts(self, rows: Tensor, centroids: int) -> tuple[Tensor, ...]:
        """Some rows, in parts that are compared with so many centroids at a time."""
        parts: tuple[Tensor, ...] = rows.split(max(1, min(_ELEMENTS // centroids, self.points.together)))
        return parts

    def rows(self, rows: Rows) -> Tensor:
        """Float32 [C, dim], whole numbers."""
        made = [self._made(part) for part in self.points.split(rows)]
        return made[0] if len(made) == 1 else torch.cat(made)

    def _made(self, rows: Rows) -> Tensor:
        length = self.points.norm[rows].sqrt()
        power = (self._longest - length.frexp().exponent).clamp(max=0)
        unit = torch.ldexp(torch.full_like(length, 1 / self.unit), power)
        return self.points.centered(rows).mul_(unit.unsqueeze(1)).round_().float()


def _length_bits(dim: int) -> int:
    """The largest power of two that lengths may have: 3 (2^b + sqrt(dim) / 2)^2 < 2^24."""
    longest = math.sqrt(2.0**_BITS / 3) - math.sqrt(dim) / 2
    return max(0, math.frexp(longest)[1] - 1)


def nearest_centroids(rows: Tensor, centroid: Tensor, count: int) -> Tensor:
    """int32 [C, count], each row's nearest centroids, ascending by (distance, number).

    Args:
        rows: Float32 [C, dim] of a guide.
        centroid: Float32 [K, dim], whole numbers too.
        count: 1 to K.
    """
    if has_loops(rows.device):
        from d2pyg.graph.cells.loops import lowest_columns

        found = torch.empty(len(rows), count, dtype=torch.int32)
        own = centroid.square().sum(dim=1)
        lowest_columns(_exact_product(rows, centroid).numpy(), own.numpy(), found.numpy())
        return found
    key = _keys(rows, centroid).topk(count, largest=False).values
    return key.sort(dim=1).values.remainder(len(centroid)).int()


def ranks_of_centroids(guide: Guide, centroid: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """int64 [P, M], how many centroids are nearer to a row [P, 1] than that of another [P, M]."""
    size = others.shape[1]
    rank = torch.empty(others.shape, dtype=torch.int64, device=rows.device)
    every = torch.arange(len(rows), device=rows.device)
    for part in guide.parts(every, size * len(centroid)):
        own = nearest_centroids(guide.rows(others[part].flatten()), centroid, 1).long().view(-1, size)
        key = _keys(guide.rows(rows[part, 0]), centroid)
        rank[part] = (key.unsqueeze(1) < key.gather(1, own).unsqueeze(2)).sum(dim=2)
    return rank


def squared(rows: Tensor, centroid: Tensor) -> Tensor:
    """Float64 [C, K], the squared distances of rows and centroids, exact."""
    one, two = (values.double().square().sum(dim=1) for values in (rows, centroid))
    return one.unsqueeze(1) + two - 2 * _exact_product(rows, centroid).double()


def _keys(rows: Tensor, centroid: Tensor) -> Tensor:
    """int64 [C, K], in the order of (distance, number of the centroid)."""
    far = centroid.square().sum(dim=1) - 2 * _exact_product(rows, centroid)
    return far.to(torch.int64) * len(centroid) + torch.arange(len(centroid), device=rows.device)


def _exact_product(rows: Tensor, centroid: Tensor) -> Tensor:
    """The products of whole numbers, in float64 where torch would round float32 inputs."""
    with torch.autocast(rows.device.type, enabled=False):
        if torch.get_float32_matmul_precision() == "highest":
            return rows @ centroid.T
        return (rows.double() @ centroid.double().T).float()
