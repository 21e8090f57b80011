"""The engine for the CPU: a priority queue, whose cost a pick does not grow with N."""

from __future__ import annotations

import numpy as np
import torch
from torch.profiler import record_function

from d2pyg.greedy.problem import Picks, Problem, not_finite
from d2pyg.progress import Progress
from d2pyg.registry import register

_PICKS_TOGETHER = 1 << 16  # between looks at the progress bar, and at Ctrl-C


@register("engine", "heap")
def heap(problem: Problem, bar: Progress) -> Picks:
    """Picks from a heap, on the CPU: O((N + B k) log N), for messages linear in the pick's score.

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
        initial, taken = problem.initial.cpu().numpy(), problem.taken.cpu().numpy()
        graph = (
            problem.rows.ptr.cpu().numpy(),
            problem.rows.other.cpu().numpy(),
            problem.weight.cpu().numpy(),
        )
    group = np.repeat(np.arange(len(problem.count), dtype=np.int32), np.diff(problem.group_ptr))
    place = np.where(taken, heap_loop.TAKEN, heap_loop.ABSENT).astype(np.int32)

    def run(members: np.ndarray, count: np.ndarray, bar: Progress | None) -> list[np.ndarray]:
        """Takes ``count`` of each group from among these nodes; their numbers and scores."""
        heap_, key = members.astype(np.int32), score[members]
        size, left = np.array([len(members)]), count.copy()
        heap_loop.heapify(heap_, key, place, len(members))
        index, value = np.empty(int(left.sum()), dtype=np.int64), np.empty(int(left.sum()))
        for start in range(0, len(index), _PICKS_TOGETHER):
            block = slice(start, start + _PICKS_TOGETHER)
            done = heap_loop.take(
                score,
                *graph,
                group,
                left,
                problem.clamp,
                heap_,
                key,
                place,
                size,
                index[block],
                value[block],
            )
            if done == heap_loop.NOT_FINITE:
                raise not_finite(problem.reverse)
            if bar is not None:
                bar.update(done)
        return [index, value]

    first = initial.nonzero()[0]
    run(first, np.bincount(group[first], minlength=len(problem.count)), None)
    index, value = run((~initial & ~taken).nonzero()[0], np.array(problem.count), bar)
    by_group = np.argsort(group[index], kind="stable")
    return Picks(
        torch.from_numpy(index[by_group]).to(device), torch.from_numpy(value[by_group]).to(device)
    )
