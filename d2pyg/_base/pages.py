"""Memory that is quick to touch for the first time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def picked(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]``, for places or a mask; on the CPU in memory of numpy's, see below.

    Example:
        >>> picked(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([2, 0]))
        tensor([2., 3.])
    """
    if values.device.type != "cpu":
        return values[index]
    return torch.from_numpy(values.numpy()[index.numpy()])


def unwritten_like(values: Tensor) -> Tensor:
    """A tensor of this shape, type and device to write into.

    On the CPU numpy takes the memory, as it asks Linux for large pages. In pages of 4 kB, which torch
    gets, the first write to a large tensor takes several times as long as any other.

    Example:
        >>> torch.add(torch.ones(3), 1, out=unwritten_like(torch.ones(3)))
        tensor([2., 2., 2.])
    """
    if values.device.type != "cpu" or values.dtype == torch.bfloat16:  # numpy has no bfloat16
        return torch.empty_like(values)
    return torch.from_numpy(np.empty(values.shape, dtype=str(values.dtype).removeprefix("torch.")))
