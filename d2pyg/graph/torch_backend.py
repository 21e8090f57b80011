"""Neighbors by matrix products in torch: exact, on every device, the default."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.exact import EXTRA, certified, nearest_of
from d2pyg.graph.points import Points
from d2pyg.graph.tiles import Tiles

_FEWEST = 4096  # samples; fewer are searched at once, before the loops of tiles are loaded
_FEWEST_WIDE, _WORK = 1024, 1 << 30  # but of many coordinates, if N^2 d is so much


@register("backend", "torch")
def torch_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """All neighbors, never an N x N matrix: N^2 d operations on the CPU, which multiplies a pair once.

    Elsewhere it is 2 N^2 d, a chunk of rows at a time.
    """
    count = min(k + EXTRA, len(points) - 1)
    if by_tiles(points, count):
        table = points.tables[0]
        return certified(points, table, *Tiles(table, count).find(bar), k)
    return nearest_of(points, torch.arange(len(points), device=points.device), k, bar)


def by_tiles(points: Points, count: int) -> bool:
    """Whether tiles serve these points, with so many bounds a row."""
    return points.device.type == "cpu" and len(points) >= 2 * count and _is_much(points)


def _is_much(points: Points) -> bool:
    """Whether multiplying each pair once saves more than loading the loops takes."""
    size = len(points)
    return size >= _FEWEST or (size >= _FEWEST_WIDE and size * size * points.dim >= _WORK)
