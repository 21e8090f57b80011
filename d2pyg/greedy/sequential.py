"""The reference engine: one pick at a time, any message, any device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.greedy.problem import Problem, check_message, edge_weights, not_finite
from d2pyg.grid import snap
from d2pyg.progress import Progress
from d2pyg.registry import register

_TAKEN = -math.inf


@register("engine", "sequential")
def sequential(problem: Problem, bar: Progress) -> tuple[Tensor, Tensor]:
    """Picks as the definition reads: an argmax over the group, then messages to its neighbours.

    Costs an argmax over the group for every pick.

    Returns:
        The picks int64 [B], group after group, each in pick order, and their scores float64 [B].
    """
    state = _State(problem)
    index: list[int] = []
    value: list[float] = []
    for group, count in enumerate(problem.count):
        low, high = problem.group_ptr[group : group + 2]
        initial = problem.initial[low:high].nonzero().flatten() + low
        for _ in range(len(initial)):
            state.take(int(initial[state.score[initial].argmax()]))
        open_scores = state.score[low:high]
        for _ in range(count):
            node = low + int(open_scores.argmax())
            index.append(node)
            value.append(state.take(node))
            bar.update()
    device = problem.score.device
    return (
        torch.tensor(index, dtype=torch.int64, device=device),
        torch.tensor(value, dtype=torch.float64, device=device),
    )


class _State:
    """The scores as they stand; nodes taken are at minus infinity."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.score = problem.score.masked_fill(problem.taken, _TAKEN)
        self.row = problem.neighbour_ptr.cpu().numpy()
        self.weight = edge_weights(problem) if problem.reverse.linear else None

    def take(self, node: int) -> float:
        """Takes a node: it leaves, and its neighbours lose its message. Returns its score."""
        problem = self.problem
        score = float(self.score[node])
        if not math.isfinite(score):
            raise not_finite(problem)
        self.score[node] = _TAKEN
        row = slice(self.row[node], self.row[node + 1])
        if row.start == row.stop or (problem.clamp and score <= 0):
            return score
        neighbour = problem.neighbour[row]
        if self.weight is not None:
            message = self.weight[row] * score
        else:
            is_open = self.score[neighbour] > _TAKEN
            neighbour, distance = neighbour[is_open], problem.distance[row][is_open]
            pick_score = torch.full_like(distance, score)
            message = problem.reverse.message(pick_score, self.score[neighbour], distance)
            check_message(problem, message, distance)
        self.score.index_add_(0, neighbour, snap(message, problem.step), alpha=-1)
        return score
