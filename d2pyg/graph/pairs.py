"""Euclidean distances of many pairs of rows on the CPU, each a function of its two rows alone."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.threads import share_out
from d2pyg.graph.lengths import is_safe, length

_TOGETHER = 1 << 12  # pairs that a thread takes at a time
_GATHERED = 1 << 20  # coordinates that are copied at a time


def pair_distances(left: Tensor, right: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """Float64 [...], the distances of ``left[rows]`` and ``right[others]``.

    Args:
        left, right: [N, d] and [M, d] of one float type.
        rows, others: int64, broadcast against each other.
    """
    rows, others = torch.broadcast_tensors(rows, others)
    shape, rows, others = rows.shape, rows.flatten(), others.flatten()
    found = torch.empty(len(rows), dtype=torch.float64)
    copied = max(1, _GATHERED // max(1, left.shape[1]))
    size = copied if left.dtype.itemsize < 4 else _TOGETHER
    parts = [slice(start, start + size) for start in range(0, len(rows), size)]
    share_out(parts, lambda: lambda part: _measure(left, right, rows[part], others[part], found[part]))
    found.sqrt_()
    unsafe = (~is_safe(found)).nonzero().flatten()
    for some in unsafe.split(copied):
        found[some] = length(left[rows[some]].double() - right[others[some]].double())
    return found.view(shape)


def _measure(left: Tensor, right: Tensor, rows: Tensor, others: Tensor, out: Tensor) -> None:
    from d2pyg.graph.square_loop import squares

    if left.dtype.itemsize < 4:  # loops cannot read half precision
        left, right = left[rows].float(), right[others].float()
        rows = others = torch.arange(len(rows))
    squares(*(t.numpy() for t in (left, right, rows, others, out)))
