"""Exact sums along rows, compiled. Imported only when it runs: numba takes a while."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]

_LARGEST = np.finfo(np.float64).max


@compiled
def weighted_sums(ptr: Array, source: Array, weight: Array, score: Array, total: Array) -> None:
    """Sums the messages ``weight * score[source]`` as :class:`d2pyg.nn.ExactSum` does, bit by bit.

    Args:
        ptr: int64 [N + 1].
        source, weight: int64 and float64 [E], the edges into i at ptr[i]:ptr[i + 1].
        score: float64 [N].
        total: float64 [N], filled.
    """
    for node in range(len(total)):
        row = range(ptr[node], ptr[node + 1])
        largest = 0.0
        for edge in row:
            largest = max(largest, abs(weight[edge] * score[source[edge]]))
        bound = largest * len(row)
        power = 1.0
        if 0 < bound < np.inf:
            power = min(bound / math.frexp(bound)[0], _LARGEST)
        step = max(power * 2.0**-52, 2.0**-1022)
        total[node] = 0.0
        for edge in row:
            message = weight[edge] * score[source[edge]]
            total[node] += np.rint(message / step) * step
