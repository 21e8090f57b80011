"""Greedy for facility location, compiled. Imported only when it runs: numba takes a while."""

from __future__ import annotations

import numpy as np

from d2pyg._base.compiled import compiled
from d2pyg.greedy.heap_loop import Array, heapify, sift_down

__all__ = ["gain", "heapify", "serve", "take", "take_sampled"]


@compiled
def gain(node: int, ptr: Array, other: Array, similarity: Array, served: Array) -> float:
    """The gain of a node: how much it raises its neighbors' and its own best similarity."""
    total: float = 1.0 - served[node]
    for edge in range(ptr[node], ptr[node + 1]):
        more = similarity[edge] - served[other[edge]]
        if more > 0:
            total += more
    return total


@compiled
def serve(node: int, ptr: Array, other: Array, similarity: Array, served: Array) -> None:
    """Takes a node. It serves itself, and each neighbor that it serves better than before."""
    served[node] = 1
    for edge in range(ptr[node], ptr[node + 1]):
        served[other[edge]] = max(served[other[edge]], similarity[edge])


@compiled
def take(
    ptr: Array,
    other: Array,
    similarity: Array,
    served: Array,
    group: Array,
    left: Array,
    heap: Array,
    key: Array,
    place: Array,
    size: Array,
    index: Array,
    value: Array,
) -> int:
    """Takes nodes from the heap until ``index`` is full or the heap empty; returns how many.

    Keys are the last computed gains, which are never below the current ones. So a node at the top whose
    key equals its current gain comes before all others.

    Args:
        ptr: int64 [N + 1].
        other: int64 [E], i's neighbors at ptr[i]:ptr[i + 1].
        similarity: float64 [E], multiples of a step.
        served: float64 [N], each node's largest similarity to one taken, raised in place.
        group: int64 [N].
        left: int64 [G], how many nodes may still be taken from each group, lowered in place.
        heap: int32, nodes, by (key descending, node ascending).
        key: float64, their keys.
        place: int32 [N], where in the heap a node is.
        size: int64 [1], how many nodes the heap holds.
        index: int64, filled with the nodes taken.
        value: float64, filled with their gains.
    """
    done = 0
    while done < len(index) and size[0] > 0:
        node = heap[0]
        if left[group[node]] > 0:
            now = gain(node, ptr, other, similarity, served)
            if now != key[0]:
                sift_down(heap, key, place, size[0], 0, node, now)
                continue
            left[group[node]] -= 1
            serve(node, ptr, other, similarity, served)
            index[done] = node
            value[done] = now
            done += 1
        size[0] -= 1
        last = size[0]
        if last > 0:
            sift_down(heap, key, place, size[0], 0, heap[last], key[last])
    return done


@compiled
def take_sampled(
    ptr: Array,
    other: Array,
    similarity: Array,
    served: Array,
    bound: Array,
    free: Array,
    draws: Array,
    index: Array,
    value: Array,
) -> None:
    """Repeatedly takes the best of a random sample of the free nodes, until ``index`` is full.

    Args:
        ptr: int64 [N + 1].
        other: int64 [E], i's neighbors at ptr[i]:ptr[i + 1].
        similarity: float64 [E], multiples of a step.
        served: float64 [N], each node's largest similarity to one taken, raised in place.
        bound: float64 [N], upper bounds of the gains, lowered in place.
        free: int32 [M], the nodes to take from, in any order; shuffled, with those taken at the end.
        draws: float64 [B, S] in 0 to 1; row b draws the sample of pick b, in the first steps of a
            Fisher-Yates shuffle.
        index: int64 [B], filled with the nodes taken.
        value: float64 [B], filled with their gains.
    """
    for done in range(len(index)):
        size = len(free) - done
        best, most = -1, -np.inf
        for at in range(min(draws.shape[1], size)):
            chosen = at + int(draws[done, at] * (size - at))
            free[at], free[chosen] = free[chosen], free[at]
            node = free[at]
            if best >= 0 and (bound[node] < most or (bound[node] == most and node > free[best])):
                continue
            bound[node] = gain(node, ptr, other, similarity, served)
            if best < 0 or bound[node] > most or (bound[node] == most and node < free[best]):
                best, most = at, bound[node]
        node = free[best]
        free[best], free[size - 1] = free[size - 1], free[best]
        serve(node, ptr, other, similarity, served)
        index[done] = node
        value[done] = most
