"""Neighbours by faiss's flat index, on the CPU or CUDA, re-ranked and certified: exact."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from d2pyg.extras import require
from d2pyg.graph.exact import EXTRA, certify
from d2pyg.graph.points import Points
from d2pyg.progress import Progress
from d2pyg.registry import register

_ROWS_TOGETHER = 4096


@register("backend", "faiss")
def faiss_neighbours(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """faiss's candidates, by exact distance; rows in doubt are redone by matrix products."""
    faiss = require("faiss", "faiss-cpu")
    approx = points.approx.cpu().contiguous()
    index = _on_device(faiss, faiss.IndexFlatL2(points.dim), points.device)
    index.add(approx.numpy())
    count = min(k + EXTRA, len(points) - 1)
    neighbours, distances = [], []
    for rows in torch.arange(len(points), device=points.device).split(_ROWS_TOGETHER):
        found = index.search(approx[rows.cpu()].numpy(), count + 1)[1]
        candidate = torch.from_numpy(found).to(points.device)
        # faiss does not know which point asks: drop it, or the farthest where ties crowded it out.
        other = candidate != rows.unsqueeze(1)
        other[other.all(dim=1), -1] = False
        neighbour, distance = certify(points, rows, candidate[other].view(len(rows), count), k)
        neighbours.append(neighbour)
        distances.append(distance)
        bar.update(len(rows))
    return torch.cat(neighbours), torch.cat(distances)


def _on_device(faiss: Any, index: Any, device: torch.device) -> Any:
    """The index on the points' GPU, where this faiss was built for GPUs; it takes arrays as before."""
    if device.type != "cuda" or not hasattr(faiss, "StandardGpuResources"):
        return index
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), device.index or 0, index)
