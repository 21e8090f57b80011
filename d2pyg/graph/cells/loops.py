"""The loops of a search by cells, compiled. Imported only where they run: numba takes a while."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled
from d2pyg.graph.lowest_loop import replace_highest

Array = np.ndarray[Any, Any]

_TOGETHER = 16  # bounds that are compared before one is looked at; many pass, unlike among all pairs
_HASH = 2654435761  # Knuth's, of a whole number


@compiled
def lowest_columns(product: Array, own: Array, out: Array) -> None:
    r"""The columns [C, count] with the lowest :math:`s_j - 2\, y_i \cdot y_j`, ties to the first."""
    rows, count = out.shape
    value = np.empty(count, product.dtype)
    for i in range(rows):
        value[:] = np.inf
        for j in range(len(own)):
            bound = own[j] - 2 * product[i, j]
            if bound < value[count - 1]:
                place = count - 1
                while place and value[place - 1] > bound:
                    value[place], out[i, place] = value[place - 1], out[i, place - 1]
                    place -= 1
                value[place], out[i, place] = bound, j


@compiled
def keep_lowest_of_visits(
    product: Array,
    left: Array,
    right: Array,
    rows: Array,
    first: int,
    value: Array,
    column: Array,
) -> None:
    """Keeps what is lower than either end's highest so far, for rows that visit a range of columns.

    As :func:`~d2pyg.graph.lowest_loop.keep_lowest_of_both`, but the rows are anywhere, and a pair may
    have been seen before.

    Args:
        product: [A, B], of rows and columns.
        left: [A], s of the rows.
        right: [B], s of the columns.
        rows: int64 [A], their places.
        first: The place of the first column.
        value: [N, K] of all places, each row a heap with its highest first; changed in place.
        column: int32 [N, K], the places these are of; changed in place.
    """
    half, two = product.dtype.type(0.5), product.dtype.type(2)
    offset, open_ = right * half, np.empty_like(right)
    limit = value[first : first + len(right), 0].copy()  # of the columns
    for j in range(len(right)):
        open_[j] = (right[j] - limit[j]) * half
    for i in range(len(left)):
        row, own = rows[i], left[i] * half
        highest = value[row, 0]
        least = (left[i] - highest) * half
        for start in range(0, len(right), _TOGETHER):
            stop = min(start + _TOGETHER, len(right))
            found = 0
            for j in range(start, stop):
                by_row, by_column = least + offset[j], own + open_[j]
                found += product[i, j] > (by_row if by_row < by_column else by_column)
            if not found:
                continue
            for j in range(start, stop):
                bound, other = left[i] + right[j] - two * product[i, j], first + j
                if bound < highest and other != row:
                    _put_new(bound, other, value[row], column[row])
                    highest = value[row, 0]
                    least = (left[i] - highest) * half
                if bound < limit[j] and other != row:
                    _put_new(bound, row, value[other], column[other])
                    limit[j] = value[other, 0]
                    open_[j] = (right[j] - limit[j]) * half


@compiled
def _put_new(bound: float, number: int, value: Array, column: Array) -> None:
    """Takes the place of the highest, unless it is there."""
    if not _is_in(number, column):
        replace_highest(bound, number, value, column)


@compiled
def both_directions(
    neighbor: Array,
    distance: Array,
    fresh: Array,
    point: Array,
    near: Array,
    far: Array,
    is_fresh: Array,
) -> None:
    """Of each place its k neighbors, and the k nearest of those that it is a neighbor of.

    Args:
        neighbor: int32 [N, k], places.
        distance: float64 [N, k].
        fresh: bool [N, k], which were not there a round ago.
        point: int64 [N], the point at each place: ties go to the lowest.
        near: int32 [N, 2k], set: the neighbors, then the others, -1 for none.
        far: float64 [N, k], set: how far the others are.
        is_fresh: bool [N, 2k], set.
    """
    total, k = neighbor.shape
    near[:, :k], near[:, k:] = neighbor, -1
    is_fresh[:, :k] = fresh
    far[:] = np.inf
    for row in range(total):
        for a in range(k):
            other = neighbor[row, a]
            if _is_in(row, neighbor[other]):
                continue
            place = k - 1
            if not _is_before(distance[row, a], row, far[other, place], near[other, k + place], point):
                continue
            while place and _is_before(
                distance[row, a], row, far[other, place - 1], near[other, k + place - 1], point
            ):
                far[other, place] = far[other, place - 1]
                near[other, k + place] = near[other, k + place - 1]
                is_fresh[other, k + place] = is_fresh[other, k + place - 1]
                place -= 1
            far[other, place], near[other, k + place] = distance[row, a], row
            is_fresh[other, k + place] = fresh[row, a]


@compiled
def _is_before(one: float, here: int, two: float, there: int, point: Array) -> bool:
    """By (distance, point); what is not there comes last."""
    return there < 0 or one < two or (one == two and point[here] < point[there])


@compiled
def _is_in(number: int, numbers: Array) -> bool:
    found = False
    for other in numbers:
        found |= other == number
    return found


@compiled
def two_steps(first: int, near: Array, fresh: Array, visits: Array, out: Array, size: Array) -> None:
    """Who has a row as neighbor, and its neighbors' neighbors, if it was not compared with them.

    Args:
        first: The first of the rows.
        near: int32 [N, M], the M / 2 neighbors of each place, then those that have it as theirs; -1
            for none.
        fresh: bool [N, M], which were not there a round ago.
        visits: int32 [N, p], the cells that each place was compared with, its own first.
        out: int32 [R, M (M + 1)], what was found; set.
        size: int64 [R], how many; set.
    """
    slots = 1
    while slots < 2 * out.shape[1]:
        slots *= 2
    seen = np.full(slots, -1, np.int32)
    used = np.empty(out.shape[1] + 1, np.int64)
    for place in range(len(size)):
        row, count, marks = first + place, 0, 0
        for a in range(near.shape[1]):
            other = near[row, a]
            if other < 0:
                continue
            marks = _mark(other, seen, used, marks)
            if a >= near.shape[1] // 2 and not _have_met(row, other, visits):
                out[place, count] = other
                count += 1
        for a in range(near.shape[1]):
            middle = near[row, a]
            if middle < 0:
                continue
            for b in range(near.shape[1]):
                other = near[middle, b]
                if other < 0 or other == row or not (fresh[row, a] or fresh[middle, b]):
                    continue
                before = marks
                marks = _mark(other, seen, used, marks)
                if marks > before and not _have_met(row, other, visits):
                    out[place, count] = other
                    count += 1
        size[place] = count
        for mark in range(marks):
            seen[used[mark]] = -1


@compiled
def _mark(number: int, seen: Array, used: Array, marks: int) -> int:
    """Enters a number in a hash table; returns how many it holds."""
    last = len(seen) - 1
    slot = (number * _HASH >> 8) & last
    while seen[slot] != -1:
        if seen[slot] == number:
            return marks
        slot = (slot + 1) & last
    seen[slot] = number
    used[marks] = slot
    return marks + 1


@compiled
def _have_met(row: int, other: int, visits: Array) -> bool:
    """Whether one of two points visited the cell of the other."""
    here, there, found = visits[row, 0], visits[other, 0], False
    for i in range(visits.shape[1]):
        found |= visits[row, i] == there or visits[other, i] == here
    return found


@compiled
def keep_possible(
    first: int,
    table: Array,
    dim: int,
    highest: Array,
    out: Array,
    size: Array,
) -> None:
    r"""Keeps of each row's columns those of which :math:`s_i + s_j - 2\, y_i \cdot y_j` is low enough.

    Args:
        first: The first of the rows.
        table: [N, >= dim + 1], rounded samples, and s in the column ``dim``.
        dim: Coordinates of a sample.
        highest: [R], above which bounds a column is too far.
        out: int32 [R, M], the columns; changed in place.
        size: int64 [R], how many; changed in place.
    """
    for place in range(len(size)):
        row, kept = table[first + place], 0
        for i in range(size[place]):
            other = table[out[place, i]]
            own = np.float64(row[dim]) + np.float64(other[dim])
            if own - 2 * _product(row, other, dim) <= highest[place]:
                out[place, kept] = out[place, i]
                kept += 1
        size[place] = kept


@partial(compiled, reorders=True)
def _product(x: Array, y: Array, dim: int) -> Any:
    total = x.dtype.type(0)
    for i in range(dim):
        total += x[i] * y[i]
    return total
