"""The kNN graph over embeddings: metrics, backends (one file each), and edge bookkeeping."""

from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import knn_graph
from d2pyg.graph.metric import (
    CosineMetric,
    EuclideanMetric,
    InnerProductMetric,
    MahalanobisMetric,
    Metric,
    PairwiseMetric,
)

__all__ = [
    "CosineMetric",
    "EuclideanMetric",
    "InnerProductMetric",
    "Joined",
    "MahalanobisMetric",
    "Metric",
    "PairwiseMetric",
    "knn_graph",
]
