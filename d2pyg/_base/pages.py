"""Memory that is fast to write to for the first time.

On the CPU, NumPy allocates it, because NumPy asks Linux for large pages. torch gets pages of 4 kB. In
these, the first write to a large tensor takes several times as long as any other.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_LARGE = 1 << 22  # bytes; from this size on, NumPy asks for large pages
_TYPES = {torch.float32: np.float32, torch.float64: np.float64, torch.int64: np.int64}


def unwritten_like(values: Tensor) -> Tensor:
    """A tensor of this shape, type and device to write into.

    Example:
        >>> torch.add(torch.ones(3), 1, out=unwritten_like(torch.ones(3)))
        tensor([2., 2., 2.])
    """
    if values.device.type != "cpu" or values.dtype not in _TYPES:
        return torch.empty_like(values)
    return torch.from_numpy(np.empty(values.shape, _TYPES[values.dtype]))


def out_like(values: Tensor) -> Tensor | None:
    """The same for ``out=``. None if torch must allocate (for gradients), or if the tensor is small.

    Example:
        >>> torch.square(torch.ones(3), out=out_like(torch.ones(3)))
        tensor([1., 1., 1.])
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return None
    return unwritten_like(values) if values.nbytes >= _LARGE and values.is_floating_point() else None


def picked(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]``, for places or a mask.

    Example:
        >>> picked(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([2, 0]))
        tensor([2., 3.])
    """
    if values.device.type != "cpu":
        return values[index]
    return torch.from_numpy(values.numpy()[index.numpy()])
