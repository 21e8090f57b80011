"""Edges in order: by target, and in both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.utils import to_undirected
from torch_geometric.utils.sparse import index2ptr

from d2pyg.graph.edges import Edges, SortedEdges

Array = np.ndarray[Any, Any]

_LONG = 256  # edges into a node, from where it is faster to sort all than rows of k in k^2 steps


def by_target(edges: Edges) -> SortedEdges:
    """The edges by ascending target, those of one target in the order given.

    Example:
        >>> edges = Edges(torch.tensor([2, 0]), torch.tensor([1, 0]), torch.ones(2), num_nodes=3)
        >>> by_target(edges).source, by_target(edges).ptr
        (tensor([0, 2]), tensor([0, 1, 2, 2]))
    """
    if isinstance(edges, SortedEdges):
        return edges
    source, target, distance = edges.source, edges.target, edges.distance
    if bool((target[1:] < target[:-1]).any()):
        if target.device.type == "cpu":
            return _counted(edges)
        order = target.argsort(stable=True)
        source, target, distance = source[order], target[order], distance[order]
    ptr = index2ptr(target, edges.num_nodes)
    return SortedEdges(source, target, distance, edges.num_nodes, edges.symmetric, ptr=ptr)


def both_directions(edges: Edges) -> SortedEdges:
    """Both directions of every edge, once each, by target and source; of two distances the smaller."""
    if edges.distance.device.type == "cpu":
        return _merged(edges)
    index, distance = to_undirected(
        edges.edge_index, edges.distance, num_nodes=edges.num_nodes, reduce="min"
    )
    target, source = index  # PyG sorts by source
    ptr = index2ptr(target, edges.num_nodes)
    return SortedEdges(source, target, distance, edges.num_nodes, symmetric=True, ptr=ptr)


def _counted(edges: Edges) -> SortedEdges:
    """:func:`by_target` on the CPU."""
    from d2pyg.graph import order_loops  # compiles, so only when it is needed

    ptr, pairs = _pairs_by(edges.target, edges.source, edges)
    columns = _columns(len(edges.distance))
    order_loops.split(ptr, pairs, *columns)
    return _as_edges(columns, ptr, edges.num_nodes, edges.symmetric)


def _merged(edges: Edges) -> SortedEdges:
    """:func:`both_directions` on the CPU."""
    from d2pyg.graph import order_loops  # compiles, so only when it is needed

    rows = by_target(edges)
    longest = int(rows.ptr.diff().max()) if rows.num_nodes else 0
    ascending = longest > _LONG
    if ascending:
        rows = by_target(by_target(rows.turned()).turned())
    given = rows.ptr.numpy(), rows.source.numpy(), rows.distance.numpy()
    turned = _pairs_by(rows.source, rows.target, rows)
    ptr = np.zeros(rows.num_nodes + 1, dtype=np.int64)
    columns = _columns(2 * len(rows.distance))
    room = np.empty((longest + 1, 2))
    size = order_loops.merge(*given, ascending, *turned, room, ptr, *columns)
    for column in columns:
        column.resize(size, refcheck=False)  # gives back what was not written
    return _as_edges(columns, ptr, rows.num_nodes, symmetric=True)


def _pairs_by(key: Tensor, other: Tensor, edges: Edges) -> tuple[Array, Array]:
    """Where the edges of each node begin, and the edges as pairs, with a pair to spare."""
    from d2pyg.graph import order_loops

    ptr = np.zeros(edges.num_nodes + 2, dtype=np.int64)
    pairs = np.empty((len(key) + 1, 2))
    order_loops.sort_by(key.numpy(), other.numpy(), edges.distance.numpy(), ptr, pairs)
    return ptr[:-1], pairs


def _columns(size: int) -> tuple[Array, Array, Array]:
    """Room for sources, targets and distances."""
    return np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64), np.empty(size)


def _as_edges(
    columns: tuple[Array, Array, Array], ptr: Array, num_nodes: int, symmetric: bool
) -> SortedEdges:
    source, target, distance = (torch.from_numpy(column) for column in columns)
    return SortedEdges(source, target, distance, num_nodes, symmetric, ptr=torch.from_numpy(ptr))
