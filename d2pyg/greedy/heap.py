"""The engine for the CPU: a priority queue. A pick updates its neighbors, at a cost of log N each."""

from __future__ import annotations

import numpy as np
import torch
from torch.profiler import record_function

from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.greedy.problem import Picks, Problem, not_finite

_PICKS_TOGETHER = 1 << 16  # between looks at the progress bar, and at Ctrl-C


@register("engine", "heap")
def heap(problem: Problem, bar: Progress) -> Picks:
    """Picks from a heap on the CPU, in O((N + B k) log N), if messages are linear in the pick's score.

    Raises:
        ValueError: If the message is not ``linear``, or not finite.
    """
    if problem.weight is None:
        raise ValueError(
            f"Expected a message that is linear in the pick's score for the engine 'heap' (got "
            f"{problem.reverse}). Use engine='sequential', or set 'linear' if the claim holds."
        )
    from d2pyg.greedy import heap_loop  # compiles, so only when it is needed

    device = problem.score.device
    with record_function("d2pyg.copy"):
        score = problem.score.cpu().numpy().copy()
        first, taken = problem.first.cpu().numpy(), problem.taken.cpu().numpy()
        graph = (
            problem.rows.ptr.cpu().numpy(),
            problem.rows.other.cpu().numpy(),
            problem.weight.cpu().numpy(),
        )
    place = np.where(taken, heap_loop.TAKEN, heap_loop.ABSENT).astype(np.int32)
    if not heap_loop.take_in_turn(first, score, *graph, problem.clamp, place):
        raise not_finite(problem.reverse)

    group = np.repeat(np.arange(len(problem.count), dtype=np.int32), np.diff(problem.group_ptr))
    left = np.array(problem.count)
    index, value = np.empty(int(left.sum()), dtype=np.int64), np.empty(int(left.sum()))
    nodes = (place == heap_loop.ABSENT).nonzero()[0].astype(np.int32)
    key, size = score[nodes], np.array([len(nodes)])
    heap_loop.heapify(nodes, key, place, len(nodes))
    state = (nodes, key, place, size)
    for start in range(0, len(index), _PICKS_TOGETHER):
        block = slice(start, start + _PICKS_TOGETHER)
        done = heap_loop.take(
            score, *graph, group, left, problem.clamp, *state, index[block], value[block]
        )
        if done == heap_loop.NOT_FINITE:
            raise not_finite(problem.reverse)
        bar.update(done)
    by_group = np.argsort(group[index], kind="stable")
    return Picks(
        torch.from_numpy(index[by_group]).to(device), torch.from_numpy(value[by_group]).to(device)
    )
