"""Neighbours by chunked matrix products in torch: exact, on every device, the default."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.exact import nearest_of
from d2pyg.graph.points import Points
from d2pyg.progress import Progress
from d2pyg.registry import register


@register("backend", "torch")
def torch_neighbours(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """All neighbours, a chunk of rows at a time: 2 N^2 d operations, never an N x N matrix."""
    neighbour = torch.empty(len(points), k, dtype=torch.int64, device=points.device)
    distance = torch.empty(len(points), k, dtype=torch.float64, device=points.device)
    for rows in torch.arange(len(points), device=points.device).split(points.rows_together):
        neighbour[rows], distance[rows] = nearest_of(points, rows, k)
        bar.update(len(rows))
    return neighbour, distance
