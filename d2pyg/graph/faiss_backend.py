"""Neighbors by faiss's flat index, on the CPU or CUDA, re-ranked and certified: exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.doubt import settle
from d2pyg.graph.exact import EXTRA, certify
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import empty

_ROWS_TOGETHER = 4096  # that are asked about, where neither they nor their candidates are too many
_ENTRY_BYTES = 32  # a coordinate of such a row, or a candidate
_GROWTH = 2.25  # on a GPU an index grows by a quarter, and is copied when it does


@register("backend", "faiss")
def faiss_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """faiss's candidates, by exact distance; rows in doubt are redone by matrix products."""
    faiss = require("faiss", "faiss-cpu")
    index = _on_device(faiss, faiss.IndexFlatL2(points.dim), points.device)
    if hasattr(index, "codes"):  # room for all at once; adding them part by part would double it
        index.codes.resize(len(points) * index.code_size)
    for part in points.parts:
        index.add(_float32(points, part))
    count = min(k + EXTRA, len(points) - 1)
    room = points.beside / 4 // (_ENTRY_BYTES * max(points.dim, count))
    together = int(max(1, min(_ROWS_TOGETHER, room)))
    neighbor, distance = empty(len(points), k, points.device)
    unsure = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    for rows in torch.arange(len(points), device=points.device).split(together):
        candidate = torch.from_numpy(index.search(_float32(points, rows), count + 1)[1]).to(rows)
        # faiss does not know which point asks: drop it, or the farthest where ties crowded it out.
        other = candidate != rows.unsqueeze(1)
        other[other.all(dim=1), -1] = False
        neighbor[rows], distance[rows], unsure[rows] = certify(
            points, rows, candidate[other].view(len(rows), count), k
        )
        bar.update(len(rows))
    settle(points, torch.arange(len(points), device=points.device), neighbor, distance, unsure)
    return neighbor, distance


def _held(total: int, dim: int, k: int, device: torch.device) -> int:
    """Bytes of the index."""
    return int(4 * total * dim * (1 if device.type == "cpu" else _GROWTH))


faiss_neighbors.held = _held  # type: ignore[attr-defined]  # for the plan


def _float32(points: Points, rows: slice | Tensor) -> np.ndarray[Any, Any]:
    return points.centered(rows).float().cpu().numpy()


def _on_device(faiss: Any, index: Any, device: torch.device) -> Any:
    """The index on the points' GPU, where this faiss was built for GPUs; it takes arrays as before."""
    if device.type != "cuda" or not hasattr(faiss, "StandardGpuResources"):
        return index
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), device.index or 0, index)
