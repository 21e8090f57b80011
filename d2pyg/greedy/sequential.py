"""The reference engine: one pick at a time, any message, any device."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.greedy.problem import Picks, Problem, not_finite
from d2pyg.greedy.window import TAKEN, Window, in_windows

_TRIED = 16  # picks on which windows are compared with rows


@register("engine", "sequential")
def sequential(problem: Problem, bar: Progress) -> Picks:
    """Picks as in the definition: an argmax over the group, then messages to the neighbors.

    Every pick costs an argmax over the group. On CUDA, picks do not wait for the host if the message
    allows it (:mod:`d2pyg.greedy.window`).

    Returns:
        The picks. On CUDA the report has ``picks_captured``, the number of picks run in CUDA graphs, and
        ``eager``, the reason if the message must run from the host.
    """
    if not _without_host(problem):
        return loop(problem, bar)
    if problem.weight is None and not same_in_windows(problem):
        reason = "the message to a neighbor depends on more than its own score and distance"
        return replace(loop(problem, bar), report={"picks_captured": 0, "eager": reason})
    return in_windows(problem, bar)


def _without_host(problem: Problem) -> bool:
    """Whether to avoid waits for the device. On CUDA a wait costs more than a pick."""
    return problem.score.is_cuda


def loop(problem: Problem, bar: Progress) -> Picks:
    """The picks, one after the other. The host reads each one."""
    state = Scores(problem)
    for node in problem.first.tolist():
        state.take(node)
    index: list[int] = []
    value: list[float] = []
    for group, count in enumerate(problem.count):
        low, high = problem.group_ptr[group : group + 2]
        open_scores = state.score[low:high]
        for _ in range(count):
            node = low + int(open_scores.argmax())
            index.append(node)
            value.append(state.take(node))
            bar.update()
    device = problem.score.device
    return Picks(
        torch.tensor(index, dtype=torch.int64, device=device),
        torch.tensor(value, dtype=torch.float64, device=device),
    )


def same_in_windows(problem: Problem) -> bool:
    """Tests on some picks whether a message is the same among masked entries of other rows."""
    rows, window = Scores(problem), Window(problem)
    for _ in range(min(_TRIED, int((~problem.taken).sum()))):
        window.pick(0, slice(0, len(problem.score)))
        rows.take(int(rows.score.argmax()))
    return window.score.equal(rows.score)


class Scores:
    """The current scores. Taken nodes are at minus infinity."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.score = problem.score.masked_fill(problem.taken, TAKEN)
        self.row = problem.rows.ptr.cpu().numpy()

    def take(self, node: int) -> float:
        """Takes a node, and lowers its neighbors by its message. Returns its score."""
        problem = self.problem
        score = float(self.score[node])
        if not math.isfinite(score):
            raise not_finite(problem.reverse)
        self.score[node] = TAKEN
        row = slice(self.row[node], self.row[node + 1])
        if row.start == row.stop or (problem.clamp and score <= 0):
            return score
        neighbor = problem.rows.other[row]
        if problem.weight is not None:
            message = problem.weight[row] * score
        else:
            is_open = self.score[neighbor] > TAKEN
            neighbor, distance = neighbor[is_open], problem.distance[row][is_open]
            pick_score = torch.full_like(distance, score)
            message = problem.message(pick_score, self.score[neighbor], distance)
        self.score.index_add_(0, neighbor, message.round_(), alpha=-1)
        return score
