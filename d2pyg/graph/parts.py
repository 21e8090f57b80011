"""Parts of an existing graph: fewer neighbors, fewer nodes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import as_count
from d2pyg._base.grouping import rank_in_group
from d2pyg._base.pages import picked
from d2pyg.graph.edges import Edges, edges_of, own_k
from d2pyg.graph.order import by_target
from d2pyg.graph.record import copy_record


def nearest(edges: Edges, k: int, most: int) -> Edges:
    """Each node's k nearest neighbors alone, of the ``most`` it has; ties to the lowest index."""
    k = as_count("k", k, 1, most, ", the graph's own k", "Build the graph with a larger k.")
    if k == most:
        return edges
    kept = _marked(edges, k) if edges.distance.device.type == "cpu" else _ranked(edges, k)
    return _of(edges.source, edges.target, edges.distance, kept, edges.num_nodes)


def nearest_graph(graph: Data, k: int) -> Data:
    """Reduces a graph to fewer neighbors per node, so one graph at a large k serves every smaller k.

    Args:
        graph: From :func:`d2pyg.knn_graph`, or any directed one with distances in ``edge_attr``.
        k: 1 to the graph's own k.

    Returns:
        The graph that :func:`d2pyg.knn_graph` builds at this k, bit by bit. Other attributes are left
        out.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]])
        >>> nearest_graph(d2pyg.knn_graph(x, k=2), k=1).edge_index
        tensor([[1, 0, 1],
                [0, 1, 2]])
    """
    edges = edges_of(graph)
    few = nearest(edges, k, own_k(graph, edges))
    result = Data(edge_index=few.edge_index, edge_attr=few.distance, num_nodes=few.num_nodes)
    result.k = int(k)
    return copy_record(graph, result, "group", "group_names")


def induced(edges: Edges, nodes: Tensor) -> Edges:
    """The edges among these nodes (ascending), which become 0, 1, 2, ..."""
    number = torch.full((edges.num_nodes,), -1, device=nodes.device)
    number[nodes] = torch.arange(len(nodes), device=nodes.device)
    source, target = picked(number, edges.source), picked(number, edges.target)
    return _of(source, target, edges.distance, (source >= 0) & (target >= 0), len(nodes))


def _of(source: Tensor, target: Tensor, distance: Tensor, kept: Tensor, num_nodes: int) -> Edges:
    """The edges that a mask keeps."""
    return Edges(picked(source, kept), picked(target, kept), picked(distance, kept), num_nodes)


def _marked(edges: Edges, k: int) -> Tensor:
    """Which edges are among the k nearest into their target, bool [E]; on the CPU."""
    from d2pyg.graph import nearest_loop  # compiles, so only when it is needed

    place = torch.arange(len(edges.distance))
    rows = by_target(Edges(place, edges.target, edges.distance, edges.num_nodes))
    kept = np.zeros(len(place), dtype=bool)
    room = np.empty(k, dtype=np.int64)
    source, distance = edges.source.numpy(), edges.distance.numpy()
    nearest_loop.mark_nearest(rows.ptr.numpy(), rows.source.numpy(), source, distance, room, kept)
    return torch.from_numpy(kept)


def _ranked(edges: Edges, k: int) -> Tensor:
    """The same on any device, by sorting."""
    order = edges.source.argsort(stable=True)
    for key in (edges.distance, edges.target):
        order = order[key[order].argsort(stable=True)]
    rank = rank_in_group(edges.target[order], edges.num_nodes)
    return torch.empty_like(rank, dtype=torch.bool).index_copy_(0, order, rank < k)
