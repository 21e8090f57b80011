r"""Many picks at once, in data-parallel rounds: the engine for the GPU.

The picks are those of the sequential loop, for this reason. Order the open nodes by (score descending,
index ascending). While the best open score is positive, a ``monotone`` message can only lower scores.
Take a node that comes before all its open neighbors, along edges of either direction. Only the pick of
a neighbor could change its score, and no neighbor can come first. So it keeps its score until it is
picked. A round picks all such nodes and sends their messages at once; the sums are exact in any order.
Picks sorted by (score when picked descending, index ascending) are in the sequential order, because
there, too, the scores of the picks never rise, and ties go to the lowest index.

For B picks, a round only picks among the first B of {picks so far, open nodes} in that order, computed
anew each round. Scores only fall, so a node among the first B is among the first B picks in the end.
So rounds never pick too many. They may stop at any time and leave the rest to another engine. The best
open node is always picked, so rounds end. If picks are missing then, all open scores are at or below 0.

Initial nodes are taken in a given order, so their scores need not be positive
(:mod:`d2pyg.greedy.levels`). A message below 0 raises its receivers, so scores may exceed the largest
of the grid. They stay whole numbers.

A round costs a sort of N integers for the bound and a few passes over the nodes, but no pass over the
edges. Each candidate remembers one neighbor that comes first. Its row is read again only when that
neighbor was picked or fell behind, so later rounds only read rows near changes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from d2pyg._base.grid import largest_magnitude
from d2pyg._base.grouping import first_of_group
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.greedy.heap import heap
from d2pyg.greedy.levels import levels
from d2pyg.greedy.problem import Picks, Problem
from d2pyg.greedy.sequential import sequential

_FEW = 64  # if a round picks fewer than one in this many candidates, it is on a chain
_EXACT = 2.0**53  # up to this, sums of whole numbers are exact in any order
_KEY_BITS = 63


class _UnsuitedError(Exception):
    """Sums would depend on their order, or initial nodes form a chain."""


@register("engine", "rounds")
def rounds(problem: Problem, bar: Progress) -> Picks:
    """Picks in rounds, for ``monotone`` messages, on any device.

    Rounds hand over to the heap (to the sequential engine, if a message is not ``linear``) when scores
    are at or below 0 without ``clamp``, and on chains, where a round picks almost nothing. The heap
    continues from there. It makes all picks if initial nodes form a chain, or if messages are so large
    that sums would depend on their order.

    Returns:
        The picks. The report has ``picks_per_round``, ``edges_read`` (edges in the rows read in all
        rounds) and ``left_to_heap`` or ``left_to_sequential``, the number of picks handed over. With
        initial nodes, it has ``initial_per_level``.

    Raises:
        ValueError: If the message is not ``monotone``, or not finite.
    """
    if not problem.reverse.monotone:
        raise ValueError(
            f"Expected a message that is monotone for the engine 'rounds' (got {problem.reverse}). "
            f"Use engine='sequential', or set 'monotone' if the claim holds."
        )
    state = _State(problem, bar)
    try:
        with record_function("d2pyg.rounds"):
            state.take_first()
            stuck = state.run()
        if problem.clamp and not stuck:  # what is left is at or below 0: a sort
            return Picks(*state.best(~state.initial), state.report)
        return state.hand_over()
    except _UnsuitedError:
        state.report["picks_per_round"].clear()
        return replace(state.go_on(problem), report=state.report)


class _State:
    """Scores, open nodes, and for each node a neighbor that comes first."""

    def __init__(self, problem: Problem, bar: Progress) -> None:
        self.problem = problem
        self.bar = bar
        device = problem.score.device
        self.score = problem.score.clone()  # of picks: the score when picked
        self.initial = torch.zeros_like(problem.taken).index_fill_(0, problem.first, True)
        self.open = torch.ones_like(problem.taken)
        self.wanted = torch.tensor(problem.count, device=device)
        sizes = torch.tensor(problem.group_ptr, device=device).diff()
        self.group = torch.repeat_interleave(sizes)
        self.group_start, self.group_end = sizes.cumsum(0) - sizes, sizes.cumsum(0)
        self.waits_for = torch.arange(len(self.score), device=device)  # itself: not known
        self.around = [problem.rows]  # between them, a node's neighbors in either direction
        if not problem.symmetric:
            turned = problem.rows.turned()
            if not (turned.ptr.equal(problem.rows.ptr) and turned.other.equal(problem.rows.other)):
                self.around.append(turned)
        messages = problem.rows.other.bincount(minlength=1).max()  # a node gets one per edge
        self.most = (_EXACT - largest_magnitude(self.score)) / max(1, int(messages))
        self.score_bits = 0
        self.report: dict[str, Any] = {"picks_per_round": [], "edges_read": 0}

    def take_first(self) -> None:
        """Takes the initial nodes in levels."""
        first = self.problem.first
        if len(first) == 0:
            return
        sizes: list[int] = []
        left, self.report["initial_per_level"] = len(first), sizes
        for level in levels(first, len(self.score), self._edges_at):
            self._take(level)
            sizes.append(len(level))
            left -= len(level)
            if len(level) * _FEW < left and self.problem.reverse.linear:
                raise _UnsuitedError

    def run(self) -> bool:
        """Rounds among the other nodes; True if they stopped on a chain."""
        live, weight = self.open.clone(), self.problem.weight
        highest = float(self.score[live].clamp_(min=0).max())
        self.score_bits = int(highest).bit_length()
        largest = 0 if weight is None else highest * largest_magnitude(weight)  # even after a hand-over
        if largest > self.most or len(self.wanted).bit_length() + self.score_bits > _KEY_BITS:
            raise _UnsuitedError
        while True:
            candidate = self._candidates(live)
            if len(candidate) == 0:
                return False
            ahead = self.waits_for[candidate]
            waiting = live[ahead] & self._comes_first(ahead, candidate)
            pick = self._unbeaten(candidate[~waiting], live)
            live[pick] = False
            self._take(pick)
            self.report["picks_per_round"].append(len(pick))
            self.bar.update(len(pick))
            if len(pick) * _FEW < len(candidate) and self.problem.reverse.linear:
                return True

    def best(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Each group's first nodes by (score descending, index ascending), as many as are wanted."""
        order = nodes.nonzero().flatten()
        order = order[self.score[order].argsort(descending=True, stable=True)]
        index = order[first_of_group(self.group[order], self.wanted)]
        return index, self.score[index]

    def hand_over(self) -> Picks:
        """The picks so far and those of the engine that continues from here, in one order."""
        problem, groups = self.problem, len(self.wanted)
        picked = ~self.open & ~self.initial
        left = self.wanted - self.group[picked].bincount(minlength=groups)
        if not bool(left.any()):
            return Picks(*self.best(picked), self.report)
        rest = replace(
            problem,
            score=self.score,
            taken=~self.open,
            first=problem.first[:0],
            count=left.tolist(),
        )
        found = self.go_on(rest)
        # Until a group comes down to 0, picks of both engines are sorted by score. Then order stays.
        index, score = found.index, found.score
        group = self.group[index]
        down = score <= 0
        before = group[down].bincount(minlength=groups)
        down = down.cumsum(0) > (before.cumsum(0) - before)[group]
        self.score[index] = score
        first, first_score = self.best(picked.index_fill(0, index[~down], True))
        index, score = torch.cat([first, index[down]]), torch.cat([first_score, score[down]])
        by_group = self.group[index].argsort(stable=True)
        return Picks(index[by_group], score[by_group], self.report)

    def go_on(self, problem: Problem) -> Picks:
        """The picks of another engine for a problem."""
        engine = heap if problem.reverse.linear else sequential
        self.report[f"left_to_{engine.__name__}"] = sum(problem.count)
        with record_function("d2pyg.hand_over"):
            return engine(problem, self.bar)

    def _candidates(self, live: Tensor) -> Tensor:
        """The live nodes above 0 that are among the first picks and live nodes of each group."""
        count, bits = self.wanted, self.score_bits
        value = torch.where(self.initial, 0, self.score).clamp_(min=0).long()
        start = self.group << bits
        ascending = (start + value).sort().values
        # The score of the group's last one; above all scores if no pick is left.
        none = count == 0
        last = ascending[(self.group_end - count).clamp_(max=len(value) - 1)]
        last = torch.where(none, torch.iinfo(torch.int64).max, last)
        above = self.group_end - torch.searchsorted(ascending, last, right=True)
        seats = torch.where(none, 0, count - above)  # for those with just this score, lowest first
        bound = (last - (torch.arange(len(count), device=last.device) << bits))[self.group]
        level = value == bound
        rank = torch.cat([level.new_zeros(1, dtype=torch.int64), level.cumsum(0)])
        seated = level & (rank[1:] <= (rank[self.group_start] + seats)[self.group])
        return (live & (value > 0) & ((value > bound) | seated)).nonzero().flatten()

    def _comes_first(self, one: Tensor, two: Tensor) -> Tensor:
        """Whether nodes come before others."""
        score_one, score_two = self.score[one], self.score[two]
        return (score_one > score_two) | ((score_one == score_two) & (one < two))

    def _unbeaten(self, nodes: Tensor, live: Tensor) -> Tensor:
        """The nodes that come before all their live neighbors. The others now wait."""
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

    def _edges_at(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Both ends of all edges at these nodes, in either direction: the others, and the nodes."""
        found = [rows.of(nodes) for rows in self.around]
        other = torch.cat([rows.other[at] for rows, (at, _) in zip(self.around, found, strict=True)])
        self.report["edges_read"] += len(other)
        return other, nodes[torch.cat([whose for _, whose in found])]

    def _take(self, pick: Tensor) -> None:
        """Takes these nodes and sends their messages."""
        problem = self.problem
        self.open[pick] = False
        if problem.clamp:
            pick = pick[self.score[pick] > 0]
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
        if not largest_magnitude(message.round_()) <= self.most:
            raise _UnsuitedError
        self.score.index_add_(0, receiver, message, alpha=-1)
