"""Selection: the k-th smallest of many values, without sorting them."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def kth_smallest(values: Tensor, k: int) -> float:
    """The value at place k, from 0, in ascending order.

    Example:
        >>> kth_smallest(torch.tensor([3.0, 1.0, 2.0]), 1)
        2.0
    """
    if values.device.type != "cpu":
        return float(values.sort().values[k])  # kthvalue is not deterministic on CUDA
    return float(np.partition(values.numpy(), k)[k])  # several times as fast as torch's
