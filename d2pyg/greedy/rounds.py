r"""Many picks at once, in data-parallel rounds: the engine for the GPU.

Why the picks are those of the sequential loop. Order the open nodes by (score descending, index
ascending). While the best open score is positive, a ``monotone`` message can only lower scores. So
a node that comes before all its open neighbours, along edges of either direction, keeps its score
until it is picked: only a neighbour's pick could change it, and no neighbour can come first. All
such nodes are picked in one round, their messages sent at once (the sums are exact in any order),
and picks sorted by (score when picked descending, index ascending) stand in the sequential order:
there, too, the scores of the picks never rise, and equal ones come by index.

With B picks wanted, a round picks only among the first B of {picks so far, open nodes} in that
order, taken anew each round. Scores only fall, so what stands among the first B there is among the
first B picks in the end: rounds never pick too many, and may stop at any time and leave the rest to
another engine. The best open node is always picked, so rounds end; when they do and picks are
missing, all that is open is at or below 0.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from d2pyg.greedy.heap import heap
from d2pyg.greedy.problem import Problem, check_message, edge_weights
from d2pyg.greedy.sequential import sequential
from d2pyg.grid import snap
from d2pyg.grouping import rank_in_group
from d2pyg.progress import Progress
from d2pyg.registry import register

_FEW = 64  # a round that picks less than one in so many of its candidates is on a chain


@register("engine", "rounds")
def rounds(problem: Problem, bar: Progress) -> tuple[Tensor, Tensor]:
    """Picks in rounds, for ``monotone`` messages, on any device.

    What rounds cannot do goes to the heap (to the sequential engine, where a message is not
    ``linear``), from where they stopped: scores at or below 0 without ``clamp``, and chains, where a
    round picks next to nothing.

    Returns:
        The picks int64 [B], group after group, each in pick order, and their scores float64 [B].

    Raises:
        ValueError: If the message is not ``monotone``, or not finite.
    """
    if not problem.reverse.monotone:
        raise ValueError(
            f"Expected a message that is monotone for the engine 'rounds' (got {problem.reverse}). "
            f"Use engine='sequential', or set 'monotone' if the claim holds."
        )
    state = _State(problem, bar)
    initial = problem.initial
    wanted = torch.tensor(problem.count, device=initial.device)
    stuck = state.run(initial, torch.bincount(state.group[initial], minlength=len(wanted)))
    if problem.clamp and not stuck:
        state.open &= ~initial  # those left are at or below 0 and send nothing
    initial_left = initial & state.open
    if not bool(initial_left.any()):
        stuck = state.run(~initial, wanted)
        if problem.clamp and not stuck:  # what is left is at or below 0: a sort
            return state.first(~initial, wanted)
    return state.hand_over(initial_left, wanted)


class _State:
    """Scores, what is open, and the edges between open nodes."""

    def __init__(self, problem: Problem, bar: Progress) -> None:
        self.problem = problem
        self.bar = bar
        device = problem.score.device
        self.score = problem.score.clone()  # of picks: the score when picked
        self.open = ~problem.taken
        sizes = torch.tensor(problem.group_ptr, device=device).diff()
        self.group = torch.repeat_interleave(sizes)
        # Edges from a node to those its pick lowers; finished ones are dropped round by round.
        self.sender = torch.repeat_interleave(problem.neighbour_ptr.diff())
        self.receiver = problem.neighbour
        self.distance = problem.distance
        self.weight = edge_weights(problem) if problem.reverse.linear else None

    def run(self, eligible: Tensor, count: Tensor) -> bool:
        """Rounds among these nodes, ``count`` [G] of each group; True if they stopped on a chain."""
        while True:
            candidate = torch.zeros_like(self.open)
            candidate[self.first(eligible, count)[0]] = True
            candidate &= self.open & (self.score > 0)
            candidates = int(candidate.sum())
            if candidates == 0:
                return False
            picks = candidate & ~self._beaten(eligible)
            self._pick(picks)
            picked = int(picks.sum())
            self.bar.update(int((picks & ~self.problem.initial).sum()))
            if picked * _FEW < candidates and self.problem.reverse.linear:
                return True

    def first(self, nodes: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Each group's first ``count`` nodes by (score descending, index ascending)."""
        order = self.score.argsort(descending=True, stable=True)
        order = order[(nodes & ~self.problem.taken)[order]]
        order = order[self.group[order].argsort(stable=True)]
        group = self.group[order]
        index = order[rank_in_group(group, len(count)) < count[group]]
        return index, self.score[index]

    def hand_over(self, initial: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """The picks so far and those of the engine that goes on from here, in one order."""
        problem = self.problem
        picked = ~self.open & ~problem.taken & ~problem.initial
        done = torch.bincount(self.group[picked], minlength=len(wanted))
        rest = replace(
            problem,
            score=self.score,
            taken=~self.open,
            initial=initial,
            count=(wanted - done).tolist(),
        )
        index, score = (heap if problem.reverse.linear else sequential)(rest, self.bar)
        # Until a group comes down to 0, picks of both engines stand by score; the rest stays in order.
        group = self.group[index]
        down = score <= 0
        before = down.new_zeros(len(wanted), dtype=torch.int64).index_add_(0, group, down.long())
        down = down.cumsum(0) > (before.cumsum(0) - before)[group]
        self.score[index] = score
        first, first_score = self.first(picked.index_fill(0, index[~down], True), wanted)
        index, score = torch.cat([first, index[down]]), torch.cat([first_score, score[down]])
        by_group = self.group[index].argsort(stable=True)
        return index[by_group], score[by_group]

    def _beaten(self, eligible: Tensor) -> Tensor:
        """bool [N]: nodes that come after an eligible open neighbour."""
        score = self.score.masked_fill(~eligible, -torch.inf)
        one, two = score[self.sender], score[self.receiver]
        sender_first = (one > two) | ((one == two) & (self.sender < self.receiver))
        beaten = torch.zeros_like(self.open)
        beaten[torch.where(sender_first, self.receiver, self.sender)] = True
        return beaten

    def _pick(self, picks: Tensor) -> None:
        """Takes these nodes and sends their messages."""
        problem = self.problem
        sending = picks[self.sender]
        receiver = self.receiver[sending]
        pick_score = self.score[self.sender[sending]]
        if self.weight is not None:
            message = self.weight[sending] * pick_score
        else:
            distance = self.distance[sending]
            message = problem.reverse.message(pick_score, self.score[receiver], distance)
            check_message(problem, message, distance)
        self.score.index_add_(0, receiver, snap(message, problem.step), alpha=-1)
        self.open &= ~picks
        live = self.open[self.sender] & self.open[self.receiver]
        self.sender, self.receiver = self.sender[live], self.receiver[live]
        if self.weight is not None:
            self.weight = self.weight[live]
        else:
            self.distance = self.distance[live]
