"""Squared distances of pairs of rows, compiled. Imported only where it runs: numba takes a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]


@compiled
def squares(left: Array, right: Array, rows: Array, others: Array, out: Array) -> None:
    """Float64 [P], the squared distances of ``left[rows[p]]`` and ``right[others[p]]``."""
    for pair in range(len(rows)):
        out[pair] = _square(left[rows[pair]], right[others[pair]])


@compiled
def _square(x: Array, y: Array) -> float:
    """Eight sums, for processors that add eight at once; the order is the same on all of them."""
    whole = len(x) - len(x) % 8
    a = b = c = d = e = f = g = h = 0.0
    for i in range(0, whole, 8):
        a += (np.float64(x[i]) - np.float64(y[i])) ** 2
        b += (np.float64(x[i + 1]) - np.float64(y[i + 1])) ** 2
        c += (np.float64(x[i + 2]) - np.float64(y[i + 2])) ** 2
        d += (np.float64(x[i + 3]) - np.float64(y[i + 3])) ** 2
        e += (np.float64(x[i + 4]) - np.float64(y[i + 4])) ** 2
        f += (np.float64(x[i + 5]) - np.float64(y[i + 5])) ** 2
        g += (np.float64(x[i + 6]) - np.float64(y[i + 6])) ** 2
        h += (np.float64(x[i + 7]) - np.float64(y[i + 7])) ** 2
    total = ((a + e) + (b + f)) + ((c + g) + (d + h))
    for i in range(whole, len(x)):
        total += (np.float64(x[i]) - np.float64(y[i])) ** 2
    return total
