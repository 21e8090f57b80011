"""Two ways to maximize facility location greedily: lazy, and stochastic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.graph.edges import Edges
from d2pyg.graph.order import by_target
from d2pyg.selection.request import Task

Array = np.ndarray[Any, Any]

_PICKS_TOGETHER = 1 << 14  # between looks at the progress bar, and at Ctrl-C


@dataclass
class Coverage:
    """Samples, their similarities, and how well the samples taken so far serve each of them."""

    graph: tuple[Array, Array, Array]  # i's neighbors and similarities at graph[0][i]:graph[0][i + 1]
    served: Array  # float64 [N], the largest similarity to one taken
    group: Array  # int64 [N]
    left: Array  # int64 [G], picks that each group may still give
    free: Array  # int32, the samples that can be picked, ascending

    @classmethod
    def of(cls, edges: Edges, task: Task) -> Coverage:
        """The coverage after taking the initial samples."""
        from d2pyg.baselines import coverage_loop  # compiles, so only when it is needed

        rows = by_target(edges)
        ptr, source, similarity = (part.cpu().numpy() for part in (rows.ptr, rows.source, rows.distance))
        graph = ptr, source, similarity
        served = np.zeros(edges.num_nodes)
        start = task.start[task.pool].cpu().numpy()
        for node in start.nonzero()[0]:
            coverage_loop.serve(int(node), *graph, served)
        group, left = task.group[task.pool].cpu().numpy(), task.count.cpu().numpy().copy()
        return cls(graph, served, group, left, (~start).nonzero()[0].astype(np.int32))


def lazy_greedy(coverage: Coverage, bar: Progress) -> tuple[Tensor, Tensor]:
    """The picks of all classes in the order of picking, and their gains."""
    from d2pyg.baselines import coverage_loop

    heap, served = coverage.free.copy(), coverage.served
    gain = np.array([coverage_loop.gain(int(node), *coverage.graph, served) for node in heap])
    size, room = np.array([len(heap)]), np.full(len(served), -1, dtype=np.int32)
    coverage_loop.heapify(heap, gain, room, len(heap))
    index, value = _room(int(coverage.left.sum()))
    for block in _blocks(len(index)):
        bar.update(
            coverage_loop.take(
                *coverage.graph, served, coverage.group, coverage.left, heap, gain, room, size,
                index[block], value[block],
            )
        )  # fmt: skip
    return torch.from_numpy(index), torch.from_numpy(value)


def stochastic_greedy(
    coverage: Coverage, bar: Progress, epsilon: float, seed: int
) -> tuple[Tensor, Tensor]:
    """The picks, class after class, and their gains."""
    from d2pyg.baselines import coverage_loop

    generator = torch.Generator().manual_seed(seed)
    bound = np.full(len(coverage.served), np.inf)
    found = []
    for group, picks in enumerate(coverage.left.tolist()):
        free = coverage.free[coverage.group[coverage.free] == group]
        index, value = _room(picks)
        if picks:
            drawn = min(len(free), math.ceil(-len(free) / picks * math.log(epsilon)))
            draws = torch.rand(picks, drawn, generator=generator, dtype=torch.float64).numpy()
            for block in _blocks(picks):
                coverage_loop.take_sampled(
                    *coverage.graph, coverage.served, bound, free[: len(free) - block.start],
                    draws[block], index[block], value[block],
                )  # fmt: skip
                bar.update(len(index[block]))
        found.append((index, value))
    index, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return torch.from_numpy(index), torch.from_numpy(value)


def _room(picks: int) -> tuple[Array, Array]:
    return np.empty(picks, dtype=np.int64), np.empty(picks)


def _blocks(picks: int) -> list[slice]:
    return [slice(first, first + _PICKS_TOGETHER) for first in range(0, picks, _PICKS_TOGETHER)]
