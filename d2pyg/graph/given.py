"""What a selection starts from: embeddings, or a kNN graph that was built before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import shown
from d2pyg._base.registry import choices, name_of
from d2pyg.graph.edges import Edges, edges_of, num_across, own_k
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded, build_graph, check_k
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.graph.parts import induced, nearest


@dataclass(frozen=True)
class Given:
    """Checked embeddings, with how neighbors are found; or a graph, which has them."""

    data: Tensor | Joined | Data
    ready: Edges | None  # of a graph
    metric: str | Metric | PairwiseMetric | None
    backend: str
    recall: float | None = None

    @classmethod
    def of(
        cls,
        embeddings: Embeddings | Data,
        metric: str | Metric | PairwiseMetric | None,
        backend: str = "auto",
        recall: float | None = None,
    ) -> Given:
        """Kernels weigh distances, so no other metric will do."""
        if isinstance(embeddings, Data):
            measure: str | Metric | PairwiseMetric | None = _named(embeddings, "metric")
            if isinstance(measure, str) and measure in choices("metric"):
                measure = as_metric(measure)
        else:
            measure = as_metric("euclidean" if metric is None else metric)
        if isinstance(measure, PairwiseMetric) and not measure.is_distance:
            raise ValueError(
                f"Expected 'metric' to be a distance, which kernels turn into weights (got {measure}). "
                f"Use 'cosine', or normalize the embeddings and use 'euclidean'."
            )
        if isinstance(embeddings, Data):
            return cls(embeddings, edges_of(embeddings), metric, backend, recall)
        data = as_embedded(embeddings, "euclidean" if metric is None else metric)
        return cls(data, None, metric, backend, recall)

    def __len__(self) -> int:
        return len(self.data) if self.ready is None else self.ready.num_nodes

    @property
    def device(self) -> torch.device:
        return self.data.device if self.ready is None else self.ready.distance.device

    def edges(
        self,
        k: int | None,
        default: int,
        pool: Tensor,
        group: Tensor,
        place: torch.device,
        progress: bool,
    ) -> tuple[Edges, dict[str, Any]]:
        """The edges among a pool, and k, metric, backend and recall as used.

        Args:
            k: As asked for; None is what a graph has, or else ``default``, less if there are fewer.
            default: Neighbors a sample where the graph is built.
            pool: int64 [M] ascending, the samples that become nodes.
            group: int64 [N]; samples of different groups are not joined.
            place: Where to compute.
            progress: Show a bar of rows.
        """
        if self.ready is None:
            return self._built(k_of(k, len(self), default), pool, group, place, progress)
        return self._given(self.ready, k, pool, group, place)

    def _built(
        self, k: int, pool: Tensor, group: Tensor, place: torch.device, progress: bool
    ) -> tuple[Edges, dict[str, Any]]:
        """The kNN graph of the pool, group by group; none of no samples."""
        metric = "euclidean" if self.metric is None else self.metric
        if len(pool) == 0:
            measure = self.data.metric if isinstance(self.data, Joined) else metric
            edges = Edges(pool[:0], pool[:0], torch.empty(0, dtype=torch.float64, device=place), 0)
            return edges, {"k": k, "metric": name_of(measure), "backend": None, "recall": None}
        graph = build_graph(
            self.data,
            k,
            metric,
            self.backend,
            group[pool],
            place,
            progress,
            pool=pool,
            recall=self.recall,
        )
        used = {"metric": graph.metric, "backend": graph.backend, "recall": graph.get("recall")}
        return edges_of(graph), {"k": k, **used}

    def _given(
        self, edges: Edges, k: int | None, pool: Tensor, group: Tensor, place: torch.device
    ) -> tuple[Edges, dict[str, Any]]:
        """The pool's part of a graph that was built before."""
        auto = isinstance(self.backend, str) and self.backend == "auto"
        backend = None if auto else self.backend
        for name, value in (("metric", self.metric), ("backend", backend), ("recall", self.recall)):
            if value is not None:
                raise ValueError(
                    f"Expected {name!r} to be left out with a graph, which was built with its own "
                    f"(got {shown(value)}). Pass it to knn_graph."
                )
        graph: Data = self.data
        most = own_k(graph, edges)
        if k is not None:
            edges = nearest(edges, k, most)
        edges = edges.to(place)
        if across := num_across(edges, group):
            raise ValueError(
                f"Expected a graph without edges between samples of different labels (got {across} of "
                f"{len(edges.distance)} edges). Build it with knn_graph(embeddings, k, batch=labels)."
            )
        if len(pool) < edges.num_nodes:
            edges = induced(edges, pool)
        used = {name: _named(graph, name) for name in ("metric", "backend")}
        recall = graph.get("recall")
        found = recall if isinstance(recall, dict) else None
        return edges, {"k": most if k is None else k, **used, "recall": found}


def _named(graph: Data, name: str) -> str | None:
    """A name that a graph records; the graphs of a Batch record one each."""
    names = graph.get(name)
    if isinstance(names, list) and all(isinstance(one, str) for one in names) and len(set(names)) == 1:
        names = names[0]
    return names if isinstance(names, str) else None


def k_of(k: int | None, num_samples: int, default: int) -> int:
    """The k asked for, or the default, or what there is if that is less."""
    return max(1, min(default, num_samples - 1)) if k is None else check_k(k, num_samples)
