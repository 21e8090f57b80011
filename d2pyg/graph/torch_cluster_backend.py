"""Neighbors by torch-cluster, on the CPU or CUDA, re-ranked and certified: exact."""

from __future__ import annotations

from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.knn_op import held, op_neighbors
from d2pyg.graph.points import Points


@register("backend", "torch_cluster")
def torch_cluster_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """torch-cluster's candidates: a k-d tree and one thread on the CPU, every pair on CUDA.

    On CUDA, k is at most 99. Above 91 there are fewer candidates to spare, and at 99 none, so that more
    rows are redone, in the end all.
    """
    knn = require("torch_cluster", "torch-cluster", "--no-build-isolation torch-cluster").knn
    return op_neighbors(points, k, bar, knn)


torch_cluster_neighbors.held = held  # type: ignore[attr-defined]  # for the plan
