"""The nearest of the neighbors in a graph, compiled. Imported only when it runs: numba takes a while."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.compiled import compiled

Array = np.ndarray[Any, Any]


@compiled
def mark_nearest(
    ptr: Array, place: Array, source: Array, distance: Array, best: Array, kept: Array
) -> None:
    """Marks the nearest edges into each node, as many as there is room for; ties to the lowest source.

    Args:
        ptr, place: The edges into i are place[ptr[i]:ptr[i + 1]].
        source, distance: int64 and float64 [E].
        best: int64 [k], the room.
        kept: bool [E], raised in place.
    """
    for node in range(len(ptr) - 1):
        size = 0
        for edge in place[ptr[node] : ptr[node + 1]]:
            if size < len(best):
                size += 1
            elif not _is_nearer(edge, best[size - 1], source, distance):
                continue
            at = size - 1
            while at > 0 and _is_nearer(edge, best[at - 1], source, distance):
                best[at] = best[at - 1]
                at -= 1
            best[at] = edge
        for edge in best[:size]:
            kept[edge] = True


@compiled
def _is_nearer(one: int, two: int, source: Array, distance: Array) -> bool:
    """Whether an edge comes before another that was seen earlier."""
    nearer: bool = distance[one] < distance[two]
    return nearer or (distance[one] == distance[two] and source[one] < source[two])
