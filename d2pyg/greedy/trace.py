"""The history of one sample in a selection: every message that reached it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor

from d2pyg.greedy.problem import Problem
from d2pyg.greedy.sequential import Scores


class Message(NamedTuple):
    """How much a pick lowered the sample."""

    sample: int  # the pick
    place: int | None  # its place in ``coreset.index``; None: it was among ``initial``
    loss: float  # below 0 where a pick below 0 raised the sample


@dataclass(frozen=True, eq=False)
class Trace:
    """The inputs of a selection. With its picks, they are enough to follow every message."""

    score: Tensor  # float64 [N], before the forward pass
    problem: Problem
    sample: Tensor  # int64 [P], the samples that the problem's nodes are

    def node_of(self, sample: int) -> int | None:
        """The node of a sample; None if the cutoff dropped it."""
        found = (self.sample == sample).nonzero().flatten().tolist()
        return found[0] if found else None

    def standing(self, node: int) -> tuple[float, int, int]:
        """A node's score before the first pick, its rank in its group, and the size of the group."""
        low, high = self._group(node)
        score, own = self.problem.score[low:high], self.problem.score[node]
        rank = 1 + int((score > own).sum()) + int((score[: node - low] == own).sum())
        return float(own) * self.problem.unit, rank, high - low

    def messages_to(self, node: int, index: Tensor, pick_scores: Tensor) -> list[Message]:
        """The messages from the picks around a node until it is picked, in the order of time.

        Args:
            node: Of the problem.
            index: int64 [B], the samples picked, in order.
            pick_scores: float64 [B], theirs.
        """
        problem, (low, high) = self.problem, self._group(node)
        place = index.new_full((len(self.score),), -1)
        place[index] = torch.arange(len(index), device=place.device)
        place_of = place.to(self.sample.device)[self.sample]
        scores = (pick_scores / problem.unit).to(self.sample.device)
        first = self._initial(low, high)
        senders: dict[int, tuple[int, int | None, float]] = {
            i: (turn, None, value) for turn, (i, value) in enumerate(first)
        }
        for other in (place_of[low:high] >= 0).nonzero().flatten().tolist():
            here = int(place_of[low + other])
            senders[low + other] = (len(first) + here, here, float(scores[here]))

        edges = (problem.rows.other == node).nonzero().flatten()
        owner = torch.searchsorted(problem.rows.ptr, edges, right=True) - 1
        until = senders[node][0] if node in senders else float("inf")
        around = [
            (*senders[j], j, edge)  # when, its place, its score, who, along which edge
            for j, edge in zip(owner.tolist(), edges.tolist(), strict=True)
            if j in senders and senders[j][0] < until
        ]
        now, messages = float(problem.score[node]), []
        for _, turn in groupby(sorted(around, key=itemgetter(0)), key=itemgetter(0)):
            seen = now  # all parallel edges of a pick see the same score
            for _, at, value, j, edge in turn:
                loss = self._loss(value, seen, edge)
                messages.append(Message(int(self.sample[j]), at, loss * problem.unit))
                now -= loss
        return messages

    def _group(self, node: int) -> tuple[int, int]:
        """The range of the nodes of its group."""
        ends = self.problem.group_ptr[1:]
        group = next(g for g, end in enumerate(ends) if node < end)
        return self.problem.group_ptr[group], ends[group]

    def _loss(self, pick_score: float, score: float, edge: int) -> float:
        """A message in whole units."""
        problem = self.problem
        if problem.clamp and pick_score <= 0:
            return 0.0
        if problem.weight is not None:
            return float((problem.weight[edge] * pick_score).round())
        one, two = (problem.distance.new_tensor([v]) for v in (pick_score, score))
        with torch.no_grad():
            return float(problem.message(one, two, problem.distance[edge : edge + 1]).round())

    def _initial(self, low: int, high: int) -> list[tuple[int, float]]:
        """The initial nodes of a group in the order they were taken, and their scores then."""
        scores = Scores(self.problem)
        first = self.problem.first
        here = first[(first >= low) & (first < high)]
        return [(node, scores.take(node)) for node in here.tolist()]
