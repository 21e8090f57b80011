"""The lowest bounds of rows so far, and what a product adds to them. Imported only where it runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]

_TOGETHER = 64  # bounds that are compared before one is looked at


@compiled
def keep_lowest(
    product: Array, left: Array, right: Array, value: Array, column: Array, first: int
) -> None:
    r"""Keeps what is lower than a row's highest so far, of :math:`s_i + s_j - 2\, y_i \cdot y_j`.

    Args:
        product: [A, B], the products of A rows and B columns.
        left: [A], s of the rows.
        right: [B], s of the columns.
        value: [A, K], each row a heap with its highest first; changed in place.
        column: int32 [A, K], the columns these are of; changed in place.
        first: The number of the first column.
    """
    half, two = product.dtype.type(0.5), product.dtype.type(2)
    offset = right * half
    for i in range(len(left)):
        # s_i + s_j - 2 p < limit  <=>  p > (s_i - limit) / 2 + s_j / 2
        least = (left[i] - value[i, 0]) * half
        for start in range(0, len(right), _TOGETHER):
            stop = min(start + _TOGETHER, len(right))
            found = 0
            for j in range(start, stop):
                found += product[i, j] > least + offset[j]
            if found:
                for j in range(start, stop):
                    _put(left[i] + right[j] - two * product[i, j], first + j, value[i], column[i])
                least = (left[i] - value[i, 0]) * half


@compiled
def keep_lowest_of_both(
    product: Array,
    left: Array,
    right: Array,
    row_value: Array,
    row_column: Array,
    first_row: int,
    column_value: Array,
    column_column: Array,
    first_column: int,
) -> None:
    """The same for the rows, and for the columns with the rows as theirs.

    Where both are the same block (``first_row == first_column``), only pairs with i < j count.
    """
    half, two = product.dtype.type(0.5), product.dtype.type(2)
    offset = right * half
    open_ = (right - column_value[:, 0]) * half
    same = first_row == first_column
    for i in range(len(left)):
        least, own = (left[i] - row_value[i, 0]) * half, left[i] * half
        begin = i + 1 if same else 0
        for start in range(begin - begin % _TOGETHER, len(right), _TOGETHER):
            stop = min(start + _TOGETHER, len(right))
            found = 0
            for j in range(start, stop):
                by_row, by_column = least + offset[j], own + open_[j]
                found += product[i, j] > (by_row if by_row < by_column else by_column)
            if found:
                for j in range(max(start, begin), stop):
                    bound = left[i] + right[j] - two * product[i, j]
                    _put(bound, first_column + j, row_value[i], row_column[i])
                    if bound < column_value[j, 0]:
                        _put(bound, first_row + i, column_value[j], column_column[j])
                        open_[j] = (right[j] - column_value[j, 0]) * half
                least = (left[i] - row_value[i, 0]) * half


@compiled
def _put(bound: float, number: int, value: Array, column: Array) -> None:
    """Takes the place of the highest, if lower."""
    if bound < value[0]:
        replace_highest(bound, number, value, column)


@compiled
def replace_highest(bound: float, number: int, value: Array, column: Array) -> None:
    """Takes the place of the highest of a heap [K], which it is not above."""
    place, size = 0, len(value)
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and value[child + 1] > value[child]:
            child += 1
        if value[child] <= bound:
            break
        value[place], column[place] = value[child], column[child]
        place = child
    value[place], column[place] = bound, number
