"""K-means on a drawn sample: the centroids of cells."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.cells.guide import Guide, nearest_centroids

_ITERATIONS = 8
_DRAWN = 64  # points for a centroid
_SEED = 1


def kmeans(guide: Guide, cells: int) -> Tensor:
    """Float32 [K, dim], whole numbers, all different; K at most ``cells``.

    Lloyd's iterations on a sample drawn with a fixed seed, from the first of it. Each drawn point goes
    to its nearest centroid, ties to the first, and each centroid to the rounded mean of its points; one
    without points stays. All numbers are whole, so no order of sums matters.
    """
    place, generator = guide.points.device, torch.Generator().manual_seed(_SEED)
    drawn = torch.randperm(len(guide), generator=generator)[: cells * _DRAWN]
    centroid = guide.rows(drawn[:cells].to(place)).unique(dim=0)
    sample = drawn.sort().values.to(place)
    for _ in range(_ITERATIONS):
        total = torch.zeros(centroid.shape, dtype=torch.float64, device=place)
        size = torch.zeros(len(centroid), dtype=torch.int64, device=place)
        for part in guide.parts(sample, len(centroid)):
            rows = guide.rows(part)
            nearest = nearest_centroids(rows, centroid, 1).flatten()
            total.index_add_(0, nearest, rows.double())
            size += nearest.bincount(minlength=len(centroid))
        mean = (total / size.clamp(min=1).unsqueeze(1)).round().float()
        centroid = torch.where(size.unsqueeze(1) > 0, mean, centroid)
    different: Tensor = centroid.unique(dim=0)
    return different
