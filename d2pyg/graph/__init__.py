"""The kNN graph over embeddings: metrics, backends (one file each), and edge bookkeeping."""

from d2pyg.graph.knn import knn_graph
from d2pyg.graph.metric import CosineMetric, EuclideanMetric, Metric

__all__ = ["CosineMetric", "EuclideanMetric", "Metric", "knn_graph"]
