"""The heap engine's inner loop, compiled. Imported only when the engine runs: numba takes a while."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]

ABSENT, TAKEN = -1, -2  # where a node is not in the heap
NOT_FINITE = -1  # what `take` returns when a message is


@compiled
def take_in_turn(
    nodes: Array,
    score: Array,
    ptr: Array,
    neighbor: Array,
    weight: Array,
    clamp: bool,
    place: Array,
) -> bool:
    """Takes the given nodes in order, before the heap exists. False if a message is not finite.

    Args:
        nodes: int64.
        score, ptr, neighbor, weight, clamp, place: As in :func:`take`.
    """
    heap, key = place[:0], score[:0]
    for node in nodes:
        place[node] = TAKEN
        if clamp and score[node] <= 0:
            continue
        if not _send(node, score, ptr, neighbor, weight, heap, key, place):
            return False
    return True


@compiled
def take(
    score: Array,
    ptr: Array,
    neighbor: Array,
    weight: Array,
    group: Array,
    left: Array,
    clamp: bool,
    heap: Array,
    key: Array,
    place: Array,
    size: Array,
    index: Array,
    value: Array,
) -> int:
    """Takes nodes from the heap until ``index`` is full or the heap empty; returns how many.

    A four-way heap by (key descending, node ascending). A key may be above its node's score, but never
    below. If a message lowers a score, nothing moves until the node comes to the top. If it raises a
    score, the node rises at once. So a node at the top whose key equals its score comes before all
    others.

    Args:
        score: float64 [N] in units of the grid, lowered in place.
        ptr: int64 [N + 1].
        neighbor: int64 [E], i's neighbors at ptr[i]:ptr[i + 1].
        weight: float64 [E], a neighbor loses rint(weight * score of the pick).
        group: int32 [N].
        left: int64 [G], how many nodes may still be taken from each group, lowered in place.
        clamp: Nodes taken at or below 0 send nothing.
        heap: int32, nodes.
        key: float64, their keys.
        place: int32 [N], where in the heap a node is, or ABSENT or TAKEN.
        size: int64 [1], how many nodes the heap holds.
        index: int64, filled with the nodes taken.
        value: float64, filled with their scores.
    """
    done = 0
    while done < len(index) and size[0] > 0:
        node = heap[0]
        now = score[node]
        if key[0] != now:
            sift_down(heap, key, place, size[0], 0, node, now)
            continue
        size[0] -= 1
        place[node] = ABSENT
        if size[0] > 0:
            last = size[0]
            sift_down(heap, key, place, size[0], 0, heap[last], key[last])
        if left[group[node]] == 0:
            continue
        left[group[node]] -= 1
        place[node] = TAKEN
        index[done] = node
        value[done] = now
        done += 1
        if clamp and now <= 0:
            continue
        if not _send(node, score, ptr, neighbor, weight, heap, key, place):
            return NOT_FINITE
    return done


@compiled
def _send(
    node: int,
    score: Array,
    ptr: Array,
    neighbor: Array,
    weight: Array,
    heap: Array,
    key: Array,
    place: Array,
) -> bool:
    """Lowers the scores of a node's neighbors that are not taken; False if a message is not finite."""
    for edge in range(ptr[node], ptr[node + 1]):
        other = neighbor[edge]
        if place[other] == TAKEN:
            continue
        loss = np.rint(weight[edge] * score[node])
        if not math.isfinite(loss):
            return False
        score[other] -= loss
        if loss < 0 and place[other] >= 0 and score[other] > key[place[other]]:
            _sift_up(heap, key, place, place[other], other, score[other])
    return True


@compiled
def heapify(heap: Array, key: Array, place: Array, size: int) -> None:
    """Orders nodes as a heap."""
    for at in range(size):
        place[heap[at]] = at
    for at in range((size - 2) // 4, -1, -1):
        sift_down(heap, key, place, size, at, heap[at], key[at])


@compiled
def sift_down(
    heap: Array, key: Array, place: Array, size: int, at: int, node: int, value: float
) -> None:
    """Puts a node at ``at``, or moves it down to its place."""
    while True:
        best, best_node, best_key = at, node, value
        for child in range(4 * at + 1, min(4 * at + 5, size)):
            if key[child] > best_key or (key[child] == best_key and heap[child] < best_node):
                best, best_node, best_key = child, heap[child], key[child]
        heap[at] = best_node
        key[at] = best_key
        place[best_node] = at
        if best == at:
            return
        at = best


@compiled
def _sift_up(heap: Array, key: Array, place: Array, at: int, node: int, value: float) -> None:
    """Puts a node at ``at`` or above."""
    while at > 0:
        above = (at - 1) // 4
        if key[above] > value or (key[above] == value and heap[above] < node):
            break
        heap[at] = heap[above]
        key[at] = key[above]
        place[heap[at]] = at
        at = above
    heap[at] = node
    key[at] = value
    place[node] = at
