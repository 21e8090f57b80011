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

What a round costs: a sort of N integers for the bound and a few passes over the nodes, but no pass
over the edges. A candidate keeps the name of one neighbour that comes first, and its row is read again
only when that neighbour was picked or fell behind, so later rounds read the rows around what changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from d2pyg.greedy.heap import heap
from d2pyg.greedy.problem import Picks, Problem
from d2pyg.greedy.sequential import sequential
from d2pyg.grouping import rank_in_group
from d2pyg.progress import Progress
from d2pyg.registry import register

_FEW = 64  # a round that picks less than one in so many of its candidates is on a chain
_SCORE_BITS = 31  # positive scores are at most 2**30 units


@register("engine", "rounds")
def rounds(problem: Problem, bar: Progress) -> Picks:
    """Picks in rounds, for ``monotone`` messages, on any device.

    What rounds cannot do goes to the heap (to the sequential engine, where a message is not
    ``linear``), from where they stopped: scores at or below 0 without ``clamp``, and chains, where a
    round picks next to nothing.

    Returns:
        The picks. The report has ``picks_per_round``, ``edges_read`` (rows read, in edges, over all
        rounds) and ``left_to_heap`` or ``left_to_sequential``, the number of picks handed over.

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
    with record_function("d2pyg.rounds"):
        stuck = state.run(initial, state.count(initial))
        if problem.clamp and not stuck:
            state.open &= ~initial  # those left are at or below 0 and send nothing
        if not bool((initial & state.open).any()):
            stuck = state.run(~initial, wanted)
            if problem.clamp and not stuck:  # what is left is at or below 0: a sort
                return Picks(*state.first(~initial, wanted), state.report)
    return state.hand_over(wanted)


class _State:
    """Scores, what is open, and for each node a neighbour that comes first."""

    def __init__(self, problem: Problem, bar: Progress) -> None:
        self.problem = problem
        self.bar = bar
        device = problem.score.device
        self.score = problem.score.clone()  # of picks: the score when picked
        self.open = torch.ones_like(problem.initial)
        sizes = torch.tensor(problem.group_ptr, device=device).diff()
        self.group = torch.repeat_interleave(sizes)
        self.group_start, self.group_end = sizes.cumsum(0) - sizes, sizes.cumsum(0)
        self.waits_for = torch.arange(len(self.score), device=device)  # itself: not known
        self.around = [problem.rows]  # between them, a node's neighbours in either direction
        if not problem.symmetric:
            turned = problem.rows.turned()
            if not (turned.ptr.equal(problem.rows.ptr) and turned.other.equal(problem.rows.other)):
                self.around.append(turned)
        self.report: dict[str, Any] = {"picks_per_round": [], "edges_read": 0}

    def run(self, among: Tensor, count: Tensor) -> bool:
        """Rounds among these nodes, ``count`` [G] of each group; True if they stopped on a chain."""
        live = among & self.open
        while True:
            candidate = self._candidates(among, live, count)
            if len(candidate) == 0:
                return False
            ahead = self.waits_for[candidate]
            waiting = live[ahead] & self._comes_first(ahead, candidate)
            pick = self._unbeaten(candidate[~waiting], live)
            live[pick] = False
            self._take(pick)
            if len(pick) * _FEW < len(candidate) and self.problem.reverse.linear:
                return True

    def count(self, nodes: Tensor) -> Tensor:
        """How many of these nodes each group has, int64 [G]."""
        return torch.bincount(self.group[nodes], minlength=len(self.group_end))

    def first(self, nodes: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Each group's first ``count`` nodes by (score descending, index ascending)."""
        order = nodes.nonzero().flatten()
        order = order[self.score[order].argsort(descending=True, stable=True)]
        order = order[self.group[order].argsort(stable=True)]
        group = self.group[order]
        index = order[rank_in_group(group, len(count)) < count[group]]
        return index, self.score[index]

    def hand_over(self, wanted: Tensor) -> Picks:
        """The picks so far and those of the engine that goes on from here, in one order."""
        problem = self.problem
        picked = ~self.open & ~problem.initial
        left = wanted - self.count(picked)
        if not bool(left.any()):
            return Picks(*self.first(picked, wanted), self.report)
        rest = replace(
            problem,
            score=self.score,
            taken=~self.open,
            initial=problem.initial & self.open,
            count=left.tolist(),
        )
        goes_on = heap if problem.reverse.linear else sequential
        self.report[f"left_to_{goes_on.__name__}"] = int(left.sum())
        with record_function("d2pyg.hand_over"):
            found = goes_on(rest, self.bar)
        # Until a group comes down to 0, picks of both engines stand by score; the rest stays in order.
        index, score = found.index, found.score
        group = self.group[index]
        down = score <= 0
        before = down.new_zeros(len(wanted), dtype=torch.int64).index_add_(0, group, down.long())
        down = down.cumsum(0) > (before.cumsum(0) - before)[group]
        self.score[index] = score
        first, first_score = self.first(picked.index_fill(0, index[~down], True), wanted)
        index, score = torch.cat([first, index[down]]), torch.cat([first_score, score[down]])
        by_group = self.group[index].argsort(stable=True)
        return Picks(index[by_group], score[by_group], self.report)

    def _candidates(self, among: Tensor, live: Tensor, count: Tensor) -> Tensor:
        """The live nodes above 0 among each group's first ``count`` of picks and live nodes."""
        value = torch.where(among, self.score, 0).clamp_(min=0).long()
        start = self.group << _SCORE_BITS
        ascending = (start + value).sort().values
        # The score of the group's last one; where none is wanted, above all scores.
        none = count == 0
        last = ascending[(self.group_end - count).clamp_(max=len(value) - 1)]
        last = torch.where(none, torch.iinfo(torch.int64).max, last)
        above = self.group_end - torch.searchsorted(ascending, last, right=True)
        seats = torch.where(none, 0, count - above)  # for those with just this score, lowest first
        bound = (last - (torch.arange(len(count), device=last.device) << _SCORE_BITS))[self.group]
        level = value == bound
        rank = torch.cat([level.new_zeros(1, dtype=torch.int64), level.cumsum(0)])
        seated = level & (rank[1:] <= (rank[self.group_start] + seats)[self.group])
        return (live & (value > 0) & ((value > bound) | seated)).nonzero().flatten()

    def _comes_first(self, one: Tensor, two: Tensor) -> Tensor:
        """Whether nodes come before others."""
        score_one, score_two = self.score[one], self.score[two]
        return (score_one > score_two) | ((score_one == score_two) & (one < two))

    def _unbeaten(self, nodes: Tensor, live: Tensor) -> Tensor:
        """Those of the nodes that come before all their live neighbours; the others now wait."""
        for rows in self.around:
            position, whose = rows.of(nodes)
            other = rows.other[position]
            self.report["edges_read"] += len(position)
            ahead = live[other] & self._comes_first(other, nodes[whose])
            self.waits_for[nodes[whose[ahead]]] = other[ahead]
            beaten = torch.zeros_like(nodes, dtype=torch.bool)
            beaten[whose[ahead]] = True
            nodes = nodes[~beaten]
        return nodes

    def _take(self, pick: Tensor) -> None:
        """Takes these nodes and sends their messages."""
        problem = self.problem
        self.open[pick] = False
        position, whose = problem.rows.of(pick)
        receiver = problem.rows.other[position]
        self.report["edges_read"] += len(position)
        still = self.open[receiver]
        position, whose, receiver = position[still], whose[still], receiver[still]
        pick_score = self.score[pick][whose]
        if problem.weight is not None:
            message = problem.weight[position] * pick_score
        else:
            message = problem.message(pick_score, self.score[receiver], problem.distance[position])
        self.score.index_add_(0, receiver, message.round_(), alpha=-1)
        self.report["picks_per_round"].append(len(pick))
        self.bar.update(int((~problem.initial[pick]).sum()))
