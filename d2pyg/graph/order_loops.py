"""Edges sorted by counting, and rows merged; compiled. Imported only when it runs: numba takes a while.

An edge on its way is a pair of float64, its other end (exact below 2**53) and its distance: side by side
they are in one line of memory, and places that follow no order cost a line each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]


@compiled
def sort_by(key: Array, other: Array, distance: Array, ptr: Array, edge: Array) -> None:
    """Sorts edges by one end, those of the same in the order given.

    Args:
        key, other: int64 [E], the end to sort by, and the other one.
        distance: float64 [E].
        ptr: int64 [N + 2], zeros; then the edges of i are ``edge[ptr[i]:ptr[i + 1]]``.
        edge: float64 [E, 2] or longer, filled.
    """
    for node in key:
        ptr[node + 2] += 1
    for node in range(2, len(ptr)):
        ptr[node] += ptr[node - 1]
    for at in range(len(key)):
        place = ptr[key[at] + 1]
        ptr[key[at] + 1] = place + 1
        edge[place, 0] = other[at]
        edge[place, 1] = distance[at]


@compiled
def split(ptr: Array, edge: Array, source: Array, target: Array, distance: Array) -> None:
    """Writes rows of pairs as source, target and distance, each [E]."""
    for node in range(len(ptr) - 1):
        for at in range(ptr[node], ptr[node + 1]):
            source[at] = np.int64(edge[at, 0])
            target[at] = node
            distance[at] = edge[at, 1]


@compiled
def merge(
    ptr: Array,
    source: Array,
    distance: Array,
    ascending: bool,
    turned_ptr: Array,
    turned: Array,
    row: Array,
    merged_ptr: Array,
    merged_source: Array,
    merged_target: Array,
    merged_distance: Array,
) -> int:
    """Merges each row with the turned one; of equal sources the smaller distance. Returns how many.

    No branch depends on which row a source comes from: half of these would be guessed wrong.

    Args:
        ptr, source, distance: The edges into i are ptr[i]:ptr[i + 1].
        ascending: Whether the sources of each row are; if not, a row of k takes k^2 steps.
        turned_ptr, turned: Those out of i as pairs, the targets ascending, with a pair to spare.
        row: float64, pairs, one more than the longest row.
        merged_ptr: int64 [N + 1], filled but for the first.
        merged_source, merged_target, merged_distance: [2 E], filled.
    """
    last = -1
    for node in range(len(ptr) - 1):
        first, size = ptr[node], ptr[node + 1] - ptr[node]
        own = source[first : first + size]
        for at in range(size):
            place = at if ascending else _place_of(at, own)
            row[place, 0] = own[at]
            row[place, 1] = distance[first + at]
        one, two, end = 0, turned_ptr[node], turned_ptr[node + 1]
        before, least = -1.0, np.inf
        for _ in range(size + end - two):
            is_one = (two >= end) | ((one < size) & (row[one, 0] <= turned[two, 0]))
            other = row[one, 0] if is_one else turned[two, 0]
            far = row[one, 1] if is_one else turned[two, 1]
            one += is_one
            two += not is_one
            is_new = other != before
            least = far if is_new else min(far, least)
            before = other
            last += is_new
            merged_source[last] = np.int64(other)
            merged_target[last] = node
            merged_distance[last] = least
        merged_ptr[node + 1] = last + 1
    return last + 1


@compiled
def _place_of(at: int, source: Array) -> int:
    """The place of an entry in ascending order, those that are equal in the order given.

    It is counted, not searched for: such loops have no branches, and count several sources at once.
    """
    place = 0
    for before in range(at):
        place += source[before] <= source[at]
    for after in range(at + 1, len(source)):
        place += source[after] < source[at]
    return place
