"""Neighbors by chunked matrix products in torch: exact, on every device, the default."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.exact import empty, nearest_of
from d2pyg.graph.points import Points


@register("backend", "torch")
def torch_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """All neighbors, a chunk of rows at a time: 2 N^2 d operations, never an N x N matrix."""
    neighbor, distance = empty(points, len(points), k)
    for rows in torch.arange(len(points), device=points.device).split(points.rows_together):
        neighbor[rows], distance[rows] = nearest_of(points, rows, k)
        bar.update(len(rows))
    return neighbor, distance
