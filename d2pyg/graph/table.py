"""Lower bounds on squared distances, from one matrix product of rounded samples."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Protocol
from weakref import proxy

import torch
from torch import Tensor

_ROUNDOFF = {torch.float16: 2.0**-24, torch.float32: 2.0**-24, torch.float64: 2.0**-53}  # of sums
_FLOAT16_ROUNDOFF = 2.0**-11
_FLOAT16_TINY = 2.0**-25  # absolute error of a float16 below its normal range
_FLOAT16_LARGEST = 65504
_UNDERFLOW = 2.0**-100  # absolute error of float32 products of coordinates of at most 1
# What torch may round the inputs of a float32 product to, by the user's own global setting.
_INPUT_ROUNDOFF = {"highest": 0.0, "high": 2.0**-11, "medium": 2.0**-8}
_ALIGNED = 8  # tensor cores want rows of so many entries
# Coordinates that are multiplied at a time: fewer err less, and take longer on fast devices.
_SLAB = {torch.float16: 4096, torch.float32: 512, torch.float64: 4096}
_NARROW = 2  # so many slabs are one
BOUND_BYTES = 16  # a bound, with what finds the smallest of its row


def precisions(device: torch.device, dim: int) -> list[torch.dtype]:
    """What products are made in, the fastest first: on CUDA float16, for its tensor cores."""
    finest = [torch.float32, torch.float64]
    float32_sums = "dtype" in torch.ops.aten.mm.overloads()  # of float16 products, from torch 2.8 on
    if device.type == "cuda" and float32_sums and dim < _FLOAT16_LARGEST:
        return [torch.float16, *finest]
    return finest


class Rounded:
    r"""How samples y are rounded to float16, 32 or 64, and what that can do to their distances.

    The samples are centered, and scaled so that few coordinates exceed 1. With
    :math:`n = \lVert y \rVert^2` and ``error`` c,

    .. math:: d_{ij}^2 \ge \underbrace{(1 - c)\, n_i - \text{tiny}}_{\text{row bound}}
        + \underbrace{(1 - c)\, n_j - 2\, y_i \cdot y_j}_{\text{one product}} .

    Rounding the inputs by u changes :math:`2\, y_i \cdot y_j` by at most
    :math:`2 (2u + u^2) \lVert y_i \rVert \lVert y_j \rVert \le (2u + u^2)(n_i + n_j)`.

    Adding t products with a unit roundoff u errs by at most :math:`\gamma_t = tu / (1 - tu)` times the
    sum of their absolute values, in whatever order a library adds (Higham, "Accuracy and Stability of
    Numerical Algorithms", section 3.1). With t the number of coordinates, no row of many coordinates
    could be told from another. So the sum is made of m slabs of at most b coordinates. Each slab is a
    product by itself, and slab is added to slab: a product goes through at most b + m additions and
    multiplications, and t is b + m (section 4.2).

    With a ``share`` of 0 in place of the 1 it is a bound on :math:`-2\, y_i \cdot y_j`.
    """

    def __init__(self, dtype: torch.dtype, dim: int, share: float = 1.0) -> None:
        self.dtype, self.dim, self.share = dtype, dim, share
        half = dtype == torch.float16
        # More columns hold (1 - c) n, so that the product gives the bounds: in float16 as a sum.
        self._norms = 3 if half else 1
        self.width = dim + self._norms
        if half:
            self.width = -(-self.width // _ALIGNED) * _ALIGNED
        rounded = _FLOAT16_ROUNDOFF if half else 0.0
        if dtype != torch.float64:
            rounded = max(rounded, _input_roundoff())
        adding = 2 if rounded else 1  # tensor cores truncate where they add
        slab = dim if dim <= _NARROW * _SLAB[dtype] else max(_SLAB[dtype], math.isqrt(dim))
        starts = range(0, dim, slab)
        ends = [*starts[1:], self.width]  # with the last slab go the columns of the norms
        self.slabs = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
        terms = slab + len(self.slabs)
        self.error = 2.01 * rounded + 2 * adding * (terms + 16) * _ROUNDOFF[dtype]
        self.error_at_once = self.error + 2 * adding * (dim - slab) * _ROUNDOFF[dtype]
        self.tiny = dim * _UNDERFLOW
        if half:  # of 2 tiny (|y_i| + |y_j|), summed over coordinates; |y| <= (1 + n) / 2
            self.error += math.sqrt(dim) * _FLOAT16_TINY
            self.tiny += 2 * math.sqrt(dim) * _FLOAT16_TINY

    def of(self, values: Tensor, norm: Tensor, out: Tensor | None = None) -> Tensor:
        """The rounded samples [..., M, width] of float64 [..., M, dim] and their n [..., M]."""
        shape = (*norm.shape, self.width)
        made = torch.empty(shape, dtype=self.dtype, device=values.device) if out is None else out
        made[..., : self.dim] = values
        made[..., self.dim + self._norms :] = 0
        rest = (self.share - self.error) * norm
        for column in range(self.dim, self.dim + self._norms):
            made[..., column] = rest
            rest = rest - made[..., column].double()
        return made

    def bounds(self, rows: Tensor, columns: Tensor) -> Tensor:
        """[..., C, M], float32 or float64: plus :meth:`row_bound`, at most scaled squared distances."""
        left = rows * -2
        left[..., self.dim :] = 1
        return self._multiplied(left, columns, self.slabs)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded: in products of integers that are not large."""
        return self.error == 0

    def take_as_exact(self) -> None:
        """For such integers: the bounds are the squared distances, unless torch rounds the inputs."""
        if self.dtype == torch.float64 or not _input_roundoff():
            self.error = self.error_at_once = self.tiny = 0.0

    def products(self, rows: Tensor, columns: Tensor, out: Tensor | None = None) -> Tensor:
        """The plain products [C, M] of rounded samples, in the table's own dtype."""
        slabs = [*self.slabs[:-1], slice(self.slabs[-1].start, self.dim)]
        return self._multiplied(rows, columns, slabs, out)

    def _multiplied(
        self, rows: Tensor, columns: Tensor, slabs: list[slice], out: Tensor | None = None
    ) -> Tensor:
        """The products [..., C, M], slab by slab: ``addmm`` need not add up one by itself first."""
        with torch.autocast(rows.device.type, enabled=False):
            first, *others = ((rows[..., slab], columns[..., slab].mT) for slab in slabs)
            total = self._product(*first, out)
            for left, right in others:
                total += self._product(left, right)
        return total

    def _product(self, left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
        if self.dtype != torch.float16:
            return torch.matmul(left, right, out=out)
        if left.is_cuda:
            product = torch.mm if left.dim() == 2 else torch.bmm
            return product(left, right, out_dtype=torch.float32)
        return left.float() @ right.float()

    def rounding(self, bound: Tensor) -> Tensor:
        """What a bound, or a comparison with it, may be off by, beside the error of its product."""
        if self.is_exact:
            return torch.zeros_like(bound)
        return 8 * torch.finfo(self.dtype).eps * bound.abs() + self.tiny

    def row_bound(self, norm: Tensor) -> Tensor:
        """Float64, the part of the bound that a row's columns share."""
        return (self.share - self.error) * norm - self.tiny


class Samples(Protocol):
    """What a table is made of: all samples in the metric's space."""

    dim: int
    share: float
    norm: Tensor
    together: int  # samples that are made at a time
    beside: float  # bytes for what is compared at a time
    tile: int  # bounds that are held together

    def __len__(self) -> int: ...

    def split(self, rows: slice | Tensor) -> list[slice | Tensor]:
        """Samples in parts of ``together``."""

    def centered(self, rows: slice | Tensor) -> Tensor:
        """Float64 [C, dim], centered and scaled."""


class Table(Rounded):
    """The rounded samples of all points: kept where they fit into ``memory`` bytes, else made anew."""

    def __init__(self, points: Samples, dtype: torch.dtype, memory: float) -> None:
        super().__init__(dtype, points.dim, points.share)
        self.points = proxy(points)  # no cycle: what is kept is freed together with the points
        self.column_bytes = self.width * dtype.itemsize
        self.keeps = len(points) * self.column_bytes <= memory
        self.bytes_kept = len(points) * self.column_bytes if self.keeps else 0
        self.row_bytes = 2 * self.column_bytes  # with the copy that is multiplied

    def rows(self, rows: slice | Tensor) -> Tensor:
        """The rounded samples [C, width] of these points."""
        return self._kept[rows] if self.keeps else self._made(rows)

    def release(self) -> None:
        """Frees what is kept. It is made anew where it is asked for again."""
        self.__dict__.pop("_kept", None)

    def columns_beside(self, rows: int, copied: bool = False) -> int:
        """With how many points so many rows are compared together; a range of the table is no copy."""
        column_bytes = self.column_bytes if copied or not self.keeps else 0
        room = self.points.beside - rows * self.row_bytes
        return max(1, int(min(self.points.tile // rows, room // (rows * BOUND_BYTES + column_bytes))))

    @cached_property
    def _kept(self) -> Tensor:
        return self._made(slice(0, len(self.points)))

    def _made(self, rows: slice | Tensor) -> Tensor:
        """A part at a time: while they are made, samples take much more room than in the end."""
        norm = self.points.norm[rows]
        made = torch.empty(len(norm), self.width, dtype=self.dtype, device=norm.device)
        for part, out in zip(self.points.split(rows), made.split(self.points.together), strict=True):
            self.of(self.points.centered(part), self.points.norm[part], out)
        return made


def _input_roundoff() -> float:
    try:
        setting = torch.get_float32_matmul_precision()
    except RuntimeError:  # set through torch's newer, finer switches: assume the worst
        setting = "medium"
    return _INPUT_ROUNDOFF[setting]
