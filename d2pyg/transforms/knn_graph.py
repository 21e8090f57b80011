"""EmbeddingKNNGraph: builds a kNN graph from an attribute of the nodes."""

from __future__ import annotations

from typing import Any

import torch

from d2pyg._base.checks import as_count, as_name
from d2pyg._base.defaults import K
from d2pyg._base.labels import as_labels
from d2pyg.graph.backends import as_backend
from d2pyg.graph.knn import as_embedded, build_graph
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.transforms.nodes import Nodes, NodeTransform, check_names


class EmbeddingKNNGraph(NodeTransform):
    r"""Joins every node to its k nearest neighbors by an attribute, with :func:`d2pyg.knn_graph`.

    As in PyG's ``KNNGraph``, existing edges named ``edge_index`` are replaced. In ``HeteroData`` the
    edges have type (``node_type``, ``"near"``, ``node_type``).

    Args:
        k: Neighbors per node; in a graph of n nodes, min(k, n - 1).
        metric: As in :func:`d2pyg.knn_graph`. ``"mahalanobis"`` estimates one covariance from all nodes
            of the data, also in a Batch.
        backend, recall: As in :func:`d2pyg.knn_graph`.
        attr: The attribute with the embeddings [N, d], floating.
        labels: The attribute with the classes [N], integers >= 0. Then only nodes of the same class are
            joined.
        edge_index: The attribute to write the edges to, int64 [2, E] from source j to target i, where j
            is a neighbor of i. Choose another name to keep existing edges. It must contain
            ``"edge_index"``, because PyG uses the name to shift indices in a batch.
        edge_attr: The attribute to write the distances to, float64 [E].
        node_type: The node type, for ``HeteroData``.

    Raises:
        ValueError, TypeError: If a setting or the data breaks its rule.
        ImportError: If the backend's package is not installed.

    Example:
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.tensor([[0.0], [1.0], [3.0]]))
        >>> EmbeddingKNNGraph(k=1)(data).edge_index
        tensor([[1, 0, 1],
                [0, 1, 2]])
    """

    def __init__(
        self,
        k: int = K,
        *,
        metric: str | Metric | PairwiseMetric = "euclidean",
        backend: str = "auto",
        recall: float | None = None,
        attr: str = "x",
        labels: str | None = None,
        edge_index: str = "edge_index",
        edge_attr: str = "edge_attr",
        node_type: str | None = None,
    ) -> None:
        self.k = as_count("k", k, 1, None, "", "It is the number of neighbors of a node.")
        as_metric(metric)
        as_backend(backend, recall)
        if "edge_index" not in as_name("edge_index", edge_index, "It names an attribute of the edges."):
            raise ValueError(
                f"Expected 'edge_index' to be a name with 'edge_index' in it, which PyG shifts when it "
                f"batches (got {edge_index!r}). Pass one such as 'near_edge_index'."
            )
        self.metric = metric
        self.backend = backend
        self.recall = recall
        self.attr = attr
        self.labels = labels
        self.edge_index = edge_index
        self.edge_attr = edge_attr
        self.node_type = node_type
        check_names(self, "attr", "edge_attr", *["labels"] * (labels is not None))

    def forward(self, data: Any) -> Any:
        nodes = Nodes(data, self.node_type)
        x = as_embedded(nodes.values("attr", self.attr, "Name the embeddings."), self.metric)
        batch = nodes.batch(len(x), x.device)
        group = batch
        if self.labels is not None:
            label = nodes.values("labels", self.labels, "For edges between classes, leave it out.")
            both = torch.stack([batch, as_labels(self.labels, label, len(x), "nodes").to(x.device)])
            group = both.unique(dim=1, return_inverse=True)[1]
        k = min(self.k, max(1, len(x) - 1))
        graph = build_graph(
            x, k, self.metric, self.backend, group, x.device, progress=False, recall=self.recall
        )
        counts = nodes.count(batch[graph.edge_index[1]])
        nodes.write(nodes.edge_key, self.edge_index, graph.edge_index, counts, nodes.count(batch))
        nodes.write(nodes.edge_key, self.edge_attr, graph.edge_attr, counts)
        return data
