"""Lengths of rows, also of those whose squares would be 0 or infinite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LOWEST, _HIGHEST = 2.0**-500, 2.0**500


def length(x: Tensor) -> Tensor:
    """Euclidean lengths [...] of the rows [..., d], each from its row alone.

    Rows so short or long that squares lose digits are measured again, in units of their largest entry.

    Example:
        >>> length(torch.tensor([[3.0, 4.0], [3e-30, 4e-30], [3e30, 4e30]]))
        tensor([5.0000e+00, 5.0000e-30, 5.0000e+30])
    """
    found = row_sum(x.square()).sqrt()
    limits = torch.finfo(x.dtype)
    unsafe = ~is_safe(found)
    if bool(unsafe.any()):
        rows = x[unsafe]
        largest = rows.abs().amax(dim=-1).clamp(limits.tiny, 1 / limits.tiny)
        unit = torch.ldexp(torch.ones_like(largest), largest.frexp().exponent)
        found[unsafe] = row_sum((rows / unit.unsqueeze(-1)).square()).sqrt() * unit
    return found


def is_safe(found: Tensor) -> Tensor:
    """Where the squares that a length was made of are neither too small nor too large to count."""
    limits = torch.finfo(found.dtype)
    above = found > math.sqrt(limits.tiny / limits.eps)
    return above & (found < torch.inf)


def row_sum(x: Tensor) -> Tensor:
    """Sums [...] of the rows [..., d], each added up in one order.

    Where there is one sum alone, torch gives every thread a part of it. So it is made twice.
    """
    if x.shape[:-1].numel() == 1:
        x = x.expand(2, *x.shape)
        return x.sum(dim=-1)[0]
    return x.sum(dim=-1)


def in_range(largest: Tensor) -> Tensor:
    """Where squares of entries up to this size are 0 only for 0, and finite."""
    return (largest == 0) | ((largest > _LOWEST) & (largest < _HIGHEST))


def check_range(largest: Tensor) -> None:
    """Embeddings have to differ by what can be squared."""
    wrong = largest[~in_range(largest)]
    if len(wrong):
        raise ValueError(
            f"Expected 'embeddings' to differ by 1e-150 to 1e150, so that squared distances are "
            f"finite and above 0 (got {float(wrong[0]):g}). Multiply them by a constant."
        )
