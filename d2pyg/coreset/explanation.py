"""Why a sample was kept, or which picks stood in its way."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from d2pyg.coreset.coreset import Coreset
    from d2pyg.greedy.problem import Problem

_SHOWN = 10  # messages in the text


class Message(NamedTuple):
    """What a pick took from the sample."""

    sample: int  # the pick
    place: int | None  # its place in ``coreset.index``; None: it was among ``initial``
    loss: float  # below 0 where a pick below 0 raised the sample


@dataclass(frozen=True)
class Explanation:
    """One sample's way through a selection.

    ``score_after - sum(m.loss for m in messages) == score_last``, exactly.

    Attributes:
        sample: Its index.
        id: The user's name of it, or None.
        score_before: The score that was given; of several columns the first.
        score_after: After the forward pass, as the greedy loop rounds it; NaN if the cutoff dropped it.
        rank: Its place by ``score_after`` among the samples of its group (class) past the cutoff, 1
            is the highest; None if the cutoff dropped it.
        group_size: How many samples that is.
        fate: ``"picked"``, ``"initial"``, ``"left"`` (not picked) or ``"cut"`` (dropped by the cutoff).
            With ``cutoff="auto"`` a sample that was dropped can still be picked, once no other is left.
        place: Its place in ``coreset.index``, or None.
        score_last: Its score when it was picked, or at the end; NaN if the cutoff dropped it.
        messages: What lowered it before that, in order of time.
    """

    sample: int
    id: Any
    score_before: float
    score_after: float
    rank: int | None
    group_size: int
    fate: str
    place: int | None
    score_last: float
    messages: list[Message]

    def as_dict(self) -> dict[str, Any]:
        """Plain values by the names of the attributes, NaN as None: what JSON can hold.

        Example:
            >>> coreset = d2pyg.select(torch.tensor([[0.0], [9.0]]), budget=1, k=1, scale=9)
            >>> coreset.explain(1).as_dict()["fate"]
            'left'
        """
        values = {**asdict(self), "messages": [message._asdict() for message in self.messages]}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()
        }

    def __str__(self) -> str:
        name = f"sample {self.sample}" + ("" if self.id is None else f" ({self.id})")
        if self.rank is None:
            then = {
                "cut": "",
                "initial": ", taken first, as one of 'initial', without messages",
                "picked": f", picked as number {(self.place or 0) + 1}, when no other sample was left",
            }
            return f"{name}: score {self.score_before:.6g}, dropped by the cutoff{then[self.fate]}"
        ends = {
            "picked": f"picked as number {(self.place or 0) + 1}, with {self.score_last:.6g} left",
            "initial": f"taken first, as one of 'initial', with {self.score_last:.6g} left",
            "left": f"not picked, with {self.score_last:.6g} left",
        }
        lines = [
            f"{name}: {ends[self.fate]}",
            f"  score {self.score_before:.6g}, after the forward pass {self.score_after:.6g}, rank "
            f"{self.rank} of {self.group_size}",
        ]
        largest = sorted(self.messages, key=lambda message: -abs(message.loss))[:_SHOWN]
        for message in (m for m in self.messages if m in largest):
            when = "initial" if message.place is None else f"pick {message.place + 1}"
            verb = "took" if message.loss >= 0 else "gave"
            lines.append(f"  {when}, sample {message.sample}, {verb} {abs(message.loss):.6g}")
        if len(self.messages) > len(largest):
            lines.append(f"  and {len(self.messages) - len(largest)} smaller messages")
        if not self.messages:
            lines.append("  no pick before was its neighbor")
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Trace:
    """What a selection started from: with its picks, enough to follow every message."""

    score: Tensor  # float64 [N], as given
    problem: Problem
    sample: Tensor  # int64 [P], the samples that the problem's nodes are

    def explain(self, coreset: Coreset, sample: int) -> Explanation:
        """The messages to one node, from the picks around it in the order of time."""
        problem = self.problem
        name = None if coreset.ids is None else coreset.ids[sample : sample + 1].tolist()[0]
        before = float(self.score[sample])
        found = (self.sample == sample).nonzero().flatten()
        if len(found) == 0:
            picked = coreset.index.tolist()
            where, nan = picked.index(sample) if sample in picked else None, math.nan
            is_initial = sample in coreset.settings["initial"]
            fate = "initial" if is_initial else "cut" if where is None else "picked"
            return Explanation(sample, name, before, nan, None, 0, fate, where, nan, [])
        node = int(found)
        group = next(g for g, end in enumerate(problem.group_ptr[1:]) if node < end)
        low, high = problem.group_ptr[group : group + 2]
        score = problem.score[low:high]
        own = problem.score[node]
        rank = 1 + int((score > own).sum()) + int((score[: node - low] == own).sum())

        place = coreset.index.new_full((len(self.score),), -1)
        place[coreset.index] = torch.arange(len(coreset), device=place.device)
        place_of = place.to(self.sample.device)[self.sample]
        scores = (coreset.pick_scores / problem.unit).to(self.sample.device)
        first = self._initial(low, high)
        is_initial = any(i == node for i, _ in first)
        fate = "initial" if is_initial else "picked" if place_of[node] >= 0 else "left"
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
        now, messages = float(own), []
        for _, turn in groupby(sorted(around, key=itemgetter(0)), key=itemgetter(0)):
            seen = now  # by all parallel edges of one pick
            for _, at, value, j, edge in turn:
                loss = self._loss(value, seen, edge)
                messages.append(Message(int(self.sample[j]), at, loss * problem.unit))
                now -= loss
        return Explanation(
            sample, name, before, float(own) * problem.unit, rank, high - low, fate,
            int(place_of[node]) if fate == "picked" else None, now * problem.unit, messages,
        )  # fmt: skip

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
        from d2pyg.greedy.sequential import Scores

        scores = Scores(self.problem)
        first = self.problem.first
        here = first[(first >= low) & (first < high)]
        return [(node, scores.take(node)) for node in here.tolist()]
