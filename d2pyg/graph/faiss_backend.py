"""Neighbours by faiss's flat index on the CPU, re-ranked and certified: exact."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.extras import require
from d2pyg.graph.exact import EXTRA, nearest_of, rank
from d2pyg.graph.points import Points
from d2pyg.progress import Progress
from d2pyg.registry import register

_ROWS_TOGETHER = 4096


@register("backend", "faiss")
def faiss_neighbours(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """faiss's candidates, by exact distance; rows in doubt are redone by matrix products."""
    faiss = require("faiss", "faiss-cpu")
    approx = points.approx.cpu().contiguous()
    index = faiss.IndexFlatL2(points.dim)
    index.add(approx.numpy())
    count = min(k + EXTRA, len(points) - 1)
    neighbours, distances = [], []
    for rows in torch.arange(len(points), device=points.device).split(_ROWS_TOGETHER):
        found = index.search(approx[rows.cpu()].numpy(), count + 1)
        squared, candidate = (torch.from_numpy(array).to(points.device) for array in found)
        # faiss does not know which point asks: drop it, or the farthest where ties crowded it out.
        other = candidate != rows.unsqueeze(1)
        other[other.all(dim=1), -1] = False
        candidate = candidate[other].view(len(rows), count)
        squared = squared[other].view(len(rows), count)[:, -1].double()
        neighbour, distance = rank(points, rows, candidate, k)
        if count < len(points) - 1:
            doubt = points.error * (points.norm[rows] + points.norm.max()) + points.tiny
            unsure = points.at_least(squared - doubt) <= distance[:, -1]
            for again in unsure.nonzero().flatten().split(256):
                neighbour[again], distance[again] = nearest_of(points, rows[again], k)
        neighbours.append(neighbour)
        distances.append(distance)
        bar.update(len(rows))
    return torch.cat(neighbours), torch.cat(distances)
