"""Edges of an existing graph, checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import FLOATS, as_count, as_device, as_tensor, check_finite, check_unmasked
from d2pyg._base.kth import kth_smallest
from d2pyg._base.memory import free_bytes, size_of
from d2pyg._base.pages import picked, unwritten_like

_NODE_BYTES = 64  # scores, groups, places and pointers: eight numbers a node at the least
_SMALL = 1 << 28  # bytes that nobody asks for: 256 MiB


@dataclass(frozen=True)
class Edges:
    """A graph's edges, from source to target; the sources are the target's neighbors."""

    source: Tensor  # int64 [E], as the target
    target: Tensor
    distance: Tensor  # float64 [E]
    num_nodes: int
    symmetric: bool = False  # known to hold both directions of every edge

    def in_units_of(self, unit: float) -> Edges:
        """The same edges, all distances divided by ``unit``."""
        if unit == 1:
            return self
        return replace(self, distance=torch.div(self.distance, unit, out=unwritten_like(self.distance)))

    def turned(self) -> Edges:
        """The same edges, from target to source."""
        return Edges(self.target, self.source, self.distance, self.num_nodes, self.symmetric)

    def to(self, device: torch.device) -> Edges:
        """The same edges on another device."""
        source, target, distance = (
            part.to(device) for part in (self.source, self.target, self.distance)
        )
        return Edges(source, target, distance, self.num_nodes, self.symmetric)

    @property
    def edge_index(self) -> Tensor:
        """int64 [2, E], as PyG has edges."""
        return torch.stack([self.source, self.target])


@dataclass(frozen=True)
class SortedEdges(Edges):
    """Edges by ascending target."""

    ptr: Tensor = field(kw_only=True)  # int64 [N + 1], the edges into i are ptr[i]:ptr[i + 1]


def edges_of(graph: Data, signed: bool = False) -> Edges:
    """The checked edges of a PyG graph with distances in ``edge_attr``, below 0 only if ``signed``."""
    if not isinstance(graph, Data):
        raise TypeError(
            f"Expected 'graph' to be a torch_geometric.data.Data (got {type(graph).__name__}). "
            f"Make one with d2pyg.knn_graph(embeddings, k)."
        )
    index, distance, num_nodes = graph.edge_index, graph.edge_attr, graph.num_nodes
    for name, value in (("edge_index", index), ("edge_attr", distance)):
        if value is None:
            continue
        check_unmasked(name, value)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"Expected {name!r} of the graph to be a tensor (got {type(value).__name__}). "
                f"Convert it with torch.as_tensor."
            )
        as_tensor(name, value)  # dense, with data
    remedy = "Set graph.num_nodes."
    num_nodes = as_count("num_nodes", 0 if num_nodes is None else num_nodes, 0, None, "", remedy)
    if not num_nodes:
        raise ValueError(f"Expected 'graph' to have at least one node (got none). {remedy}")
    check_room(num_nodes, torch.device("cpu") if index is None else index.device)
    if index is None or index.dim() != 2 or len(index) != 2 or index.dtype != torch.int64:
        found = "none" if index is None else f"{index.dtype} {tuple(index.shape)}"
        raise ValueError(
            f"Expected 'graph' to have an 'edge_index' int64 of shape (2, E) (got {found}). "
            f"Make it with d2pyg.knn_graph(embeddings, k)."
        )
    edges = index.shape[1]
    if distance is None or distance.shape != (edges,) or distance.dtype not in FLOATS:
        found = "none" if distance is None else f"{distance.dtype} {tuple(distance.shape)}"
        raise ValueError(
            f"Expected 'graph' to have distances in 'edge_attr', floating of shape ({edges},) "
            f"(got {found}). Make it with d2pyg.knn_graph(embeddings, k)."
        )
    if edges:
        low, high = map(int, index.aminmax())
        if low < 0 or high >= num_nodes:
            raise ValueError(
                f"Expected 'edge_index' to lie in 0 to {num_nodes - 1}, the nodes "
                f"(got {low if low < 0 else high}). Check graph.num_nodes."
            )
        check_finite("edge_attr", distance)
        if not signed and float(distance.min()) < 0:
            raise ValueError(
                f"Expected 'edge_attr' to hold distances of at least 0 "
                f"(got {float(distance.min()):g}). Convert similarities to distances first."
            )
        loops = index[0] == index[1]
        if bool(loops.any()):
            raise ValueError(
                f"Expected 'graph' to have no self-loops (got {int(loops.sum())}, the first at node "
                f"{int(index[0][loops][0])}). Drop them with "
                f"torch_geometric.utils.remove_self_loops."
            )
    place = as_device(None, index.device)
    # Contiguous: torch's conversion of sorted indices to pointers misreads strided ones.
    source, target = index.detach().to(place).contiguous()
    return Edges(source, target, distance.detach().to(place).double().contiguous(), num_nodes)


def check_room(num_nodes: int, device: torch.device) -> None:
    """Refuses more nodes than there is memory for, before any is taken."""
    takes = num_nodes * _NODE_BYTES
    if takes > _SMALL and takes > (free := free_bytes(device)):
        raise ValueError(
            f"Expected 'graph' to fit into the {size_of(free)} that are free on {device} (got "
            f"{num_nodes} nodes, which take {size_of(takes)} or more). Check graph.num_nodes."
        )


def own_k(graph: Data, edges: Edges) -> int:
    """The k a graph was built with; for other graphs, the most neighbors a node has."""
    k = graph.get("k")
    if k is not None:
        batched = isinstance(k, Tensor) and k.dtype == torch.int64 and k.dim() == 1 and len(k)
        largest = k.max() if batched else k
        return as_count("k of the graph", largest, 0, None, "", "Take it out with del graph['k'].")
    return int(edges.target.bincount().max()) if len(edges.distance) else 0


def num_across(edges: Edges, group: Tensor) -> int:
    """How many edges join nodes of different groups, int64 [N]."""
    if bool((group == group[:1]).all()):
        return 0
    across = picked(group, edges.source) != picked(group, edges.target)
    return int(across.count_nonzero())


def median_distance(edges: Edges) -> float:
    """The lower median of the positive distances; 1 if there is none."""
    distance = edges.distance
    zeros = len(distance) - int(distance.count_nonzero())
    if zeros == len(distance):
        return 1.0
    return kth_smallest(distance, zeros + (len(distance) - zeros - 1) // 2)
