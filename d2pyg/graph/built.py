"""A kNN graph to build on: how it was built, its edges checked, and the embeddings that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import as_embeddings, shown
from d2pyg._base.registry import choices, look_up
from d2pyg.graph.edges import Edges, SortedEdges, edges_of, num_across
from d2pyg.graph.joined import Joined, JoinedMetric
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.order import by_target
from d2pyg.graph.record import ANEW, fitted_metric, groups_of
from d2pyg.sources.source import Source

_DRAWN, _SEED = 256, 0  # nodes
_ROUNDING = 2.0**-30  # of the farthest neighbor's distance, between devices; float32 rounds off more


@dataclass(frozen=True)
class Built:
    """A graph that :func:`d2pyg.knn_graph` built, and how."""

    edges: SortedEdges
    k: int
    metric: Metric | PairwiseMetric  # as fitted
    dims: list[int] | None  # coordinates of the embeddings, one a part; None if that is not known
    group: Tensor | None  # int64 [N]
    names: list[str] | None  # of the groups 0, 1, ...

    @classmethod
    def of(cls, graph: Data, metric: str | Metric | PairwiseMetric | None) -> Built:
        """The graph, checked.

        Args:
            graph: What a user gives for one.
            metric: What it was built with, where it does not keep that.
        """
        if not isinstance(graph, Data):
            edges_of(graph)  # which says what a graph is
        named = [graph.get(name) for name in ("k", "metric", "backend")]
        if [type(value) for value in named] != [int, str, str] or named[0] < 1:
            raise ValueError(
                f"Expected 'graph' to say how it was built, in its 'k', 'metric' and 'backend', as "
                f"those of d2pyg.knn_graph do (got {shown(named)}). {ANEW}"
            )
        k, _, backend = named
        check_exact(backend, graph)
        fitted, dims = fitted_metric(graph, metric)
        signed = isinstance(fitted, PairwiseMetric) and not fitted.is_distance
        edges = edges_of(graph, signed)
        group, names = groups_of(graph, edges.num_nodes)
        if group is not None:
            group = group.to(edges.target.device)
        if group is not None and (across := num_across(edges, group)):
            raise ValueError(
                f"Expected edges of 'graph' to join nodes of one 'group' (got {across} of "
                f"{len(edges.distance)} that do not). {ANEW}"
            )
        _check_complete(edges, k, group)
        return cls(by_target(edges), k, fitted, dims, group, names)

    def __len__(self) -> int:
        return self.edges.num_nodes

    def table(self, num_nodes: int, place: torch.device) -> tuple[Tensor, Tensor]:
        """Neighbors and distances as :func:`empty_table` has them, of M >= N nodes; k, or all others."""
        neighbor, distance = empty_table(num_nodes, min(self.k, num_nodes - 1), place)
        target = self.edges.target
        column = (torch.arange(len(target), device=target.device) - self.edges.ptr[target]).to(place)
        row = target.to(place)
        neighbor[row, column] = self.edges.source.to(place)
        distance[row, column] = self.edges.distance.to(place)
        return neighbor, distance

    def as_given(self, name: str, embeddings: Any) -> Tensor | Joined:
        """Checked embeddings for the metric: one tensor, or as many as were joined."""
        if isinstance(embeddings, Data):
            raise TypeError(
                f"Expected {name!r} to be a tensor or an array (got a graph, which has distances "
                f"alone). Pass the embeddings of the samples."
            )
        if isinstance(self.metric, JoinedMetric):
            given = embeddings.parts if isinstance(embeddings, Joined | Source) else embeddings
            if not isinstance(given, list | tuple) or len(given) != len(self.metric.dims):
                raise ValueError(
                    f"Expected {name!r} to be a list of {len(self.metric.dims)} arrays, as the graph is "
                    f"of joined embeddings (got {type(given).__name__}). Pass such as [image, text]."
                )
            given = [as_embeddings(part, f"{name}[{m}]") for m, part in enumerate(given)]
            found: Tensor | Joined = Joined(given, scale=None)
            dims = [part.shape[1] for part in given]
        else:
            found = as_embeddings(embeddings, name)
            dims = [found.shape[1]]
        if self.dims is not None and dims != self.dims:
            raise ValueError(
                f"Expected {name!r} to have the {' and '.join(map(str, self.dims))} coordinates that "
                f"the graph was built from (got {' and '.join(map(str, dims))}). Embed all samples with "
                f"one model, or build a new graph with d2pyg.knn_graph."
            )
        return found

    def check_of(self, embeddings: Tensor | Joined, place: torch.device) -> None:
        """Refuses embeddings of other samples: the edges into some drawn nodes are measured again."""
        if len(embeddings) != len(self):
            raise ValueError(
                f"Expected 'embeddings' of the {len(self)} samples of the graph (got {len(embeddings)} "
                f"rows). Pass those that it was built from."
            )
        drawn = torch.randint(len(self), (_DRAWN,), generator=torch.Generator().manual_seed(_SEED))
        for row in drawn.unique().tolist():
            into = slice(*self.edges.ptr[row : row + 2].tolist())
            known = self.edges.distance[into].to(place)
            pair = embeddings[torch.tensor([row, *self.edges.source[into].tolist()])]
            found = _measured(self.metric, pair.to(place).double())
            allowed = _ROUNDING * known.abs().max() if len(known) else 0.0
            wrong = (~((found - known).abs() <= allowed)).nonzero().flatten().tolist()
            if wrong:
                raise ValueError(
                    f"Expected 'embeddings' to be those that the graph was built from (got a distance "
                    f"{float(found[wrong[0]]):.12g} of sample {row} to a neighbor, in place of "
                    f"{float(known[wrong[0]]):.12g}). Pass them in the same order and precision."
                )


def _measured(metric: Metric | PairwiseMetric, pair: Tensor) -> Tensor:
    """Distances [C - 1] of the first row of float64 [C, d] to the others."""
    if isinstance(metric, Metric):
        return metric.distance(pair[:1], pair[1:])
    return metric.pairwise(pair[:1], pair[1:])[0]


def empty_table(num_nodes: int, k: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Neighbors int64 [N, k] and distances float64 [N, k], none yet."""
    neighbor = torch.full((num_nodes, k), -1, dtype=torch.int64, device=device)
    return neighbor, torch.full((num_nodes, k), torch.inf, dtype=torch.float64, device=device)


def graph_of(neighbor: Tensor, distance: Tensor) -> Data:
    """The graph of a table of neighbors, where -1 is none."""
    target, column = (neighbor >= 0).nonzero(as_tuple=True)
    return Data(
        edge_index=torch.stack([neighbor[target, column], target]),
        edge_attr=distance[target, column],
        num_nodes=len(neighbor),
    )


def check_exact(backend: str, graph: Data) -> None:
    """Refuses graphs in which neighbors may be missing; an approximate search keeps its ``recall``."""
    known = backend in choices("backend")
    if not known or "recall" in graph or not getattr(look_up("backend", backend), "exact", True):
        what = f"{backend!r}, which is approximate" if known else f"{backend!r}, which is not known here"
        raise ValueError(
            f"Expected 'graph' to be of an exact 'backend', so that what is added to it is exact too "
            f"(got {what:.60}). Build a new one with d2pyg.knn_graph and backend='auto'."
        )


def _check_complete(edges: Edges, k: int, group: Tensor | None) -> None:
    """Refuses edges in another order than that of :func:`d2pyg.knn_graph`, and missing ones."""
    source, target, distance = edges.source, edges.target, edges.distance
    farther = distance[1:] > distance[:-1]
    farther |= (distance[1:] == distance[:-1]) & (source[1:] > source[:-1])
    if not bool((farther & (target[1:] == target[:-1]) | (target[1:] > target[:-1])).all()):
        raise ValueError(
            f"Expected the edges of 'graph' by target, distance and source, as d2pyg.knn_graph has "
            f"them (got another order). {ANEW}"
        )
    count = target.bincount(minlength=edges.num_nodes)
    size = torch.full_like(count, edges.num_nodes) if group is None else _sizes(group)
    wrong = (count != (size - 1).clamp(max=min(k, edges.num_nodes))).nonzero().flatten().tolist()
    if wrong:
        raise ValueError(
            f"Expected each node of 'graph' to have k neighbors, {shown(k)}, or all others of its group "
            f"(got {int(count[wrong[0]])} at node {wrong[0]}). {ANEW}"
        )


def _sizes(group: Tensor) -> Tensor:
    """The size of each node's group."""
    _, code, sizes = group.unique(return_inverse=True, return_counts=True)
    found: Tensor = sizes[code]
    return found
