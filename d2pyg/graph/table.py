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
    :math:`2 (2u + u^2) \lVert y_i \rVert \lVert y_j \rVert \le (2u + u^2)(n_i + n_j)`; adding
    by the standard bound of a dot product (Higham, "Accuracy and Stability of Numerical
    Algorithms", section 3.1). With a ``share`` of 0 in place of the 1 it is a bound on
    :math:`-2\, y_i \cdot y_j`.
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
        self.error = 2.01 * rounded + 2 * adding * (dim + 16) * _ROUNDOFF[dtype]
        self.tiny = dim * _UNDERFLOW
        if half:  # of 2 tiny (|y_i| + |y_j|), summed over coordinates; |y| <= (1 + n) / 2
            self.error += math.sqrt(dim) * _FLOAT16_TINY
            self.tiny += 2 * math.sqrt(dim) * _FLOAT16_TINY

    def of(self, values: Tensor, norm: Tensor) -> Tensor:
        """The rounded samples [..., M, width] of float64 [..., M, dim] and their n [..., M]."""
        shape = (*norm.shape, self.width)
        made = torch.zeros(shape, dtype=self.dtype, device=values.device)
        made[..., : self.dim] = values
        rest = (self.share - self.error) * norm
        for column in range(self.dim, self.dim + self._norms):
            made[..., column] = rest
            rest = rest - made[..., column].double()
        return made

    def bounds(self, rows: Tensor, columns: Tensor) -> Tensor:
        """[..., C, M], float32 or float64: plus :meth:`row_bound`, at most scaled squared distances."""
        left, right = rows * -2, columns.mT
        left[..., self.dim :] = 1
        with torch.autocast(left.device.type, enabled=False):
            if self.dtype != torch.float16:
                return left @ right
            if left.is_cuda:
                product = torch.mm if left.dim() == 2 else torch.bmm
                return product(left, right, out_dtype=torch.float32)
            return left.float() @ right.float()

    @property
    def is_exact(self) -> bool:
        """Whether nothing is rounded: in products of integers that are not large."""
        return self.error == 0

    def take_as_exact(self) -> None:
        """For such integers: the bounds are the squared distances, unless torch rounds the inputs."""
        if self.dtype == torch.float64 or not _input_roundoff():
            self.error = self.tiny = 0.0

    def products(self, rows: Tensor, columns: Tensor, out: Tensor | None = None) -> Tensor:
        """The plain products [C, M] of rounded samples, in the table's own dtype."""
        with torch.autocast(rows.device.type, enabled=False):
            return torch.mm(rows[:, : self.dim], columns[:, : self.dim].T, out=out)

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
        self.keeps = len(points) * self.width * dtype.itemsize <= memory
        self.column_bytes = self.width * dtype.itemsize
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
            out.copy_(self.of(self.points.centered(part), self.points.norm[part]))
        return made


def _input_roundoff() -> float:
    try:
        setting = torch.get_float32_matmul_precision()
    except RuntimeError:  # set through torch's newer, finer switches: assume the worst
        setting = "medium"
    return _INPUT_ROUNDOFF[setting]
