"""The sequential engine on CUDA: one pick at a time, without waiting for the host.

Each pick runs the same few kernels on tensors of fixed shapes: an argmax, a gather of the pick's row,
and a scatter into the scores of its neighbors. Rows differ in length; hubs can be a hundred times longer
than the mean. So the kernels read a window as wide as the longest row, and mask the entries beyond the
pick's own row. The host needs no value, so a block of picks is captured in a CUDA graph once and then
replayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.greedy.problem import Picks, Problem, check_shape, not_finite

TAKEN = -math.inf
_BLOCK = 64  # picks in a CUDA graph
_WORTH_CAPTURING = 16 * _BLOCK  # picks of a group: fewer are done before a graph is made
_BLOCKS_AHEAD = 64  # between waits for the device, so that the bar shows what is done


def in_windows(problem: Problem, bar: Progress) -> Picks:
    """The picks, group after group. The report says how many ran in CUDA graphs."""
    window = Window(problem)
    first = torch.empty_like(problem.first, dtype=torch.float64)
    for turn in range(len(first)):
        node = problem.first[turn : turn + 1]
        first[turn : turn + 1] = window.score[node]
        window.take(node, first[turn])
    total = sum(problem.count)
    index = torch.empty(total, dtype=torch.int64, device=problem.score.device)
    value = torch.empty(total, dtype=torch.float64, device=problem.score.device)
    report: dict[str, Any] = {"picks_captured": 0}
    done = 0
    for group, count in enumerate(problem.count):
        members = slice(*problem.group_ptr[group : group + 2])
        replay = None
        if count >= _WORTH_CAPTURING and "eager" not in report:
            replay = _captured(partial(window.block, members), report)
        blocks, rest = divmod(count, _BLOCK)
        for block in range(blocks + bool(rest)):
            here = min(_BLOCK, count - block * _BLOCK)
            if replay is not None and here == _BLOCK:
                replay()
                report["picks_captured"] += here
            else:
                window.block(members, here)
            index[done : done + here] = window.index[:here]
            value[done : done + here] = window.value[:here]
            done += here
            if block % _BLOCKS_AHEAD == 0 and replay is not None:
                torch.cuda.synchronize()
            bar.update(here)
    gone = int(problem.taken.sum()) + len(first) + total
    lost = int((window.score == TAKEN).sum()) != gone  # because of a message of plus infinity
    if lost or not bool(torch.cat([first, value]).isfinite().all()):
        raise not_finite(problem.reverse)
    return Picks(index, value, report)


class Window:
    """The current scores, with taken nodes at minus infinity, and the picks of a block."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.score = problem.score.masked_fill(problem.taken, TAKEN)
        device = self.score.device
        self.start, self.degree = problem.rows.ptr[:-1], problem.rows.ptr.diff()
        self.lane = torch.arange(max(1, int(self.degree.max())), device=device)
        # Longer, so that the window of the last row ends inside.
        self.other = _longer(problem.rows.other, len(self.lane))
        along = problem.distance if problem.weight is None else problem.weight
        self.along = _longer(along, len(self.lane))
        self.index = torch.empty(_BLOCK, dtype=torch.int64, device=device)
        self.value = torch.empty(_BLOCK, dtype=torch.float64, device=device)

    def block(self, members: slice, picks: int = _BLOCK) -> None:
        """The next picks among these nodes, into ``index`` and ``value``."""
        for at in range(picks):
            self.pick(at, members)

    def pick(self, at: int, members: slice) -> None:
        """The next pick among these nodes, into ``index[at]`` and ``value[at]``."""
        node, value = self.index[at : at + 1], self.value[at]
        torch.max(self.score[members], 0, out=(value, self.index[at]))
        if members.start:
            node += members.start
        self.take(node, value)

    def take(self, node: Tensor, value: Tensor) -> None:
        """Takes a node, int64 [1], with this score, and sends its messages."""
        self.score.index_fill_(0, node, TAKEN)
        position = self.start[node] + self.lane
        sent = self.lane < self.degree[node]
        other, along = self.other[position], self.along[position]
        if self.problem.clamp:
            sent &= value > 0
        if self.problem.weight is not None:
            message = along * value
        else:
            score = self.score[other]
            sent &= score > TAKEN
            unit = self.problem.unit
            score = torch.where(sent, score, 0) * unit
            message = self.problem.reverse.message((value * unit).expand_as(along), score, along)
            check_shape(self.problem.reverse, message, along)
            message = message / unit
        self.score.index_add_(0, other, torch.where(sent, message.round_(), 0), alpha=-1)


def _captured(block: Callable[[], None], report: dict[str, Any]) -> Callable[[], None] | None:
    """A function that replays the block. None, with the reason in the report, if capture fails."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            block()
    except RuntimeError as error:
        report["eager"] = f"the message cannot be captured: {str(error).splitlines()[0]}"
        return None
    replay: Callable[[], None] = graph.replay
    return replay


def _longer(values: Tensor, by: int) -> Tensor:
    return torch.cat([values, values.new_zeros(by)])
