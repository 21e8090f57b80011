"""The kNN graph over embeddings: metrics, backends (one file each), edge bookkeeping, files."""

from d2pyg.graph.extend import extend_graph
from d2pyg.graph.files import load_graph, save_graph
from d2pyg.graph.inner_product import InnerProductMetric
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import knn_graph
from d2pyg.graph.mahalanobis import MahalanobisMetric
from d2pyg.graph.metric import (
    CosineMetric,
    EuclideanMetric,
    Metric,
    PairwiseMetric,
)
from d2pyg.graph.parts import nearest_graph
from d2pyg.graph.shrink import shrink_graph

__all__ = [
    "CosineMetric",
    "EuclideanMetric",
    "InnerProductMetric",
    "Joined",
    "MahalanobisMetric",
    "Metric",
    "PairwiseMetric",
    "extend_graph",
    "knn_graph",
    "load_graph",
    "nearest_graph",
    "save_graph",
    "shrink_graph",
]
