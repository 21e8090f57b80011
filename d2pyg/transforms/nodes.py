"""The nodes that a transform processes: one type, graph by graph. Reads and writes attributes."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.transforms import BaseTransform

from d2pyg._base.checks import as_name, as_tensor, shown
from d2pyg._base.labels import as_labels
from d2pyg.graph.edges import Edges, edges_of


class NodeTransform(BaseTransform):  # type: ignore[misc]  # PyG's base is untyped
    """A transform of nodes. Its repr shows the settings that differ from the defaults."""

    def __call__(self, data: Any) -> Any:
        if not isinstance(data, Data | HeteroData):
            raise TypeError(
                f"Expected 'data' to be a Data, HeteroData or Batch of PyG (got {type(data).__name__}). "
                f"For a data set, pass the transform as its 'transform' or 'pre_transform'."
            )
        return super().__call__(data)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        values = {**vars(self), **vars(self).get("settings", {})}
        if "layer" in values:  # whose argument has the name of the method that applies a transform
            values["forward"] = values.pop("layer")
        shown = [
            f"{name}={value!r}"
            for name, value in values.items()
            if name != "settings" and (name not in defaults or value != defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def check_names(transform: NodeTransform, *names: str) -> None:
    """Refuses settings that name no attribute."""
    for name in names:
        as_name(name, getattr(transform, name), "It names an attribute of the nodes or edges.")


class Nodes:
    """All nodes of ``Data``, or those of one type of ``HeteroData``."""

    def __init__(self, data: Any, node_type: str | None) -> None:
        types = data.node_types if isinstance(data, HeteroData) else None
        named = node_type is None or isinstance(node_type, str)
        if not named or node_type not in ([None] if types is None else types):
            rule = "None with Data" if types is None else f"one of {', '.join(types)}"
            raise ValueError(
                f"Expected 'node_type' to be {rule} (got {shown(node_type)}). It says which nodes of a "
                f"HeteroData are meant."
            )
        self.data, self.type = data, node_type

    def values(self, argument: str, name: str, remedy: str) -> Tensor:
        """The attribute that an argument names."""
        store = self._stored(self.type)
        if name not in store:
            raise ValueError(
                f"Expected {argument!r} to name an attribute of the nodes, which have "
                f"{', '.join(sorted(store.keys())) or 'none'} (got {name!r}). {remedy}"
            )
        values = as_tensor(name, store[name])
        if values.dim() == 0:
            raise ValueError(f"Expected {name!r} to have a value for each node (got one). {remedy}")
        return values

    @property
    def num_nodes(self) -> int | None:
        """Their number, as PyG infers it."""
        number: int | None = self._stored(self.type).num_nodes
        return number

    def batch(self, num_nodes: int, device: torch.device) -> Tensor:
        """The graph of each node, int64 [N]."""
        batch = self._stored(self.type).get("batch")
        if batch is None:
            if isinstance(self.data, Batch):
                raise ValueError(
                    "Expected a Batch with the graph of each node in 'batch' (got none). Set "
                    "'num_nodes' of every graph before they are batched."
                )
            return torch.zeros(num_nodes, dtype=torch.int64, device=device)
        return as_labels("batch", batch, num_nodes, "nodes").to(device)

    def count(self, batch: Tensor) -> list[int]:
        """How many entries each graph has."""
        graphs = self.data.num_graphs if isinstance(self.data, Batch) else 0
        counts: list[int] = batch.bincount(minlength=graphs).tolist()
        return counts

    def graphs(self, batch: Tensor, among: Tensor | None = None) -> list[Tensor]:
        """The nodes of each graph, ascending; only those of a mask, if there is one."""
        graphs = batch.argsort(stable=True).split(self.count(batch))
        return list(graphs) if among is None else [graph[among[graph]] for graph in graphs]

    @staticmethod
    def between(edges: Edges, graphs: list[Tensor]) -> list[Edges]:
        """The edges among the nodes of each graph, with the nodes renumbered 0, 1, 2, ...

        All edges are sorted once, so many small graphs cost no more than a large one.
        """
        nodes = torch.cat(graphs)
        size = torch.tensor([len(graph) for graph in graphs], device=nodes.device)
        graph = torch.full((edges.num_nodes,), -1, device=nodes.device)
        graph[nodes] = torch.arange(len(graphs), device=nodes.device).repeat_interleave(size)
        number = torch.empty_like(graph)
        number[nodes] = torch.arange(len(nodes), device=nodes.device)
        number[nodes] -= (size.cumsum(0) - size)[graph[nodes]]

        of = graph[edges.target]
        here = ((of >= 0) & (of == graph[edges.source])).nonzero().flatten()
        here = here[of[here].argsort(stable=True)]
        counts = of[here].bincount(minlength=len(graphs)).tolist()
        index = number[edges.edge_index[:, here]].split(counts, dim=1)
        distance = edges.distance[here].split(counts)
        return [
            Edges(ends[0], ends[1], far, len(members))
            for ends, far, members in zip(index, distance, graphs, strict=True)
        ]

    def edges(self, edge_index: str, edge_attr: str, num_nodes: int | None) -> Edges:
        """The checked kNN edges that are there."""
        key = self.edge_key
        there = key is None or key in self.data.edge_types
        store = self._stored(key) if there else {}
        for name in (edge_index, edge_attr):
            if store.get(name) is None:
                raise ValueError(
                    f"Expected 'data' to have a kNN graph with distances (got no {name!r}"
                    f"{'' if key is None else f' of edge type {key}'}). Put EmbeddingKNNGraph before "
                    f"this transform; its edges need distances."
                )
        graph = Data(edge_index=store[edge_index], edge_attr=store[edge_attr], num_nodes=num_nodes)
        return edges_of(graph)

    @property
    def edge_key(self) -> tuple[str, str, str] | None:
        """The type of kNN edges in HeteroData."""
        return None if self.type is None else (self.type, "near", self.type)

    def write(
        self,
        key: Any,
        name: str,
        value: Tensor,
        counts: list[int],
        nodes: list[int] | None = None,
    ) -> None:
        """Sets an attribute. In a Batch, also sets what to_data_list() needs to split it.

        Args:
            key: The node or edge type; None for Data.
            name: The attribute.
            value: Its entries, graph after graph.
            counts: How many each graph has.
            nodes: How many nodes each graph has, where entries are numbers of nodes.
        """
        self._stored(key)[name] = value
        tables = self.data.stores[0]
        if hasattr(tables, "_slice_dict"):
            slices = torch.tensor([0, *counts]).cumsum(0)
            shift = torch.zeros(len(counts), dtype=torch.int64)
            if nodes is not None:
                shift = torch.tensor([0, *nodes[:-1]]).cumsum(0).view(-1, *[1] * value.dim())
            for table, entry in (("_slice_dict", slices), ("_inc_dict", shift)):
                old = getattr(tables, table)
                new = {name: entry} if key is None else {key: {**old.get(key, {}), name: entry}}
                setattr(tables, table, {**old, **new})

    def _stored(self, key: Any) -> Any:
        return self.data if key is None else self.data[key]
