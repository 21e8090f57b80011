"""Distances of pairs of rows, compiled. Imported only where it runs: numba takes a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]

_LOWEST = 2.0**-960  # sums of squares below have lost digits


@compiled
def lengths(left: Array, right: Array, rows: Array, others: Array, out: Array) -> None:
    """Float64 [P], Euclidean distances of ``left[rows[p]]`` and ``right[others[p]]``; NaN in doubt."""
    for pair in range(len(rows)):
        x, y = left[rows[pair]], right[others[pair]]
        total = _square(x, y)
        if total < _LOWEST:  # 0 only for equal rows
            for i in range(len(x)):
                if x[i] != y[i]:
                    total = np.nan
        out[pair] = np.sqrt(total) if total < np.inf else np.nan


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


@compiled
def inverse_lengths(given: Array, rows: Array, out: Array) -> None:
    """Float64 [R], one over the length of each row; 0 for a zero vector, NaN where squares fail."""
    for place in range(len(rows)):
        row, total = rows[place], 0.0
        for value in given[row]:
            total += np.float64(value) ** 2
        if _LOWEST < total < np.inf:
            out[place] = 1 / np.sqrt(total)
        else:
            out[place] = np.nan if given[row].any() else 0.0


@compiled
def cosines(
    left: Array,
    right: Array,
    left_inverse: Array,
    right_inverse: Array,
    rows: Array,
    others: Array,
    out: Array,
) -> None:
    """Float64 [P], cosine distances of ``left[rows[p]]`` and ``right[others[p]]``; NaN in doubt."""
    for pair in range(len(rows)):
        i, j = rows[pair], others[pair]
        out[pair] = _cosine(left[i], right[j], left_inverse[i], right_inverse[j])


@compiled
def _cosine(x: Array, y: Array, a: float, b: float) -> float:
    """Half the square of a x - b y, added up as above."""
    if a == 0 or b == 0:
        return 1.0
    whole = len(x) - len(x) % 4
    c = d = e = f = 0.0
    for i in range(0, whole, 4):
        c += (np.float64(x[i]) * a - np.float64(y[i]) * b) ** 2
        d += (np.float64(x[i + 1]) * a - np.float64(y[i + 1]) * b) ** 2
        e += (np.float64(x[i + 2]) * a - np.float64(y[i + 2]) * b) ** 2
        f += (np.float64(x[i + 3]) * a - np.float64(y[i + 3]) * b) ** 2
    total = (c + d) + (e + f)
    for i in range(whole, len(x)):
        total += (np.float64(x[i]) * a - np.float64(y[i]) * b) ** 2
    if 1.9 < total < 2.1 and _are_apart(x, y):
        return 1.0
    if total < _LOWEST:  # 0 only for one direction
        for i in range(len(x)):
            if np.float64(x[i]) * a != np.float64(y[i]) * b:
                return np.nan
    return total / 2


@compiled
def _are_apart(x: Array, y: Array) -> bool:
    """Whether in every coordinate one is 0."""
    shared = 0
    for i in range(len(x)):
        shared += x[i] != 0 and y[i] != 0
    return shared == 0
