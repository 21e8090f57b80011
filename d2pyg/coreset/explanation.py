"""Why a sample was kept, or which picks lowered its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from d2pyg.greedy.trace import Message, Trace

_SHOWN = 10  # messages in the text


@dataclass(frozen=True)
class Explanation:
    """What happened to one sample in a selection.

    ``score_after - sum(m.loss for m in messages) == score_last``, exactly.

    Attributes:
        sample: Its index.
        id: The user's name of it, or None.
        score_before: The score that you passed; with several columns, the first.
        score_after: The score after the forward pass, as the greedy loop rounds it; NaN if the cutoff
            dropped the sample.
        rank: Its rank by ``score_after`` among the samples of its group (class) that the cutoff left;
            1 is the highest. None if the cutoff dropped it.
        group_size: The number of these samples.
        fate: ``"picked"``, ``"initial"``, ``"left"`` (not picked) or ``"cut"`` (dropped by the cutoff).
            With ``cutoff="auto"``, a dropped sample can still be picked, once no other is left.
        place: Its place in ``coreset.index``, or None.
        score_last: Its score when it was picked, or at the end; NaN if the cutoff dropped it.
        messages: The messages that lowered it before that, in order of time.
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
        """The attributes as plain values for JSON, with None for NaN.

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


def explain(
    trace: Trace, sample: int, index: Tensor, pick_scores: Tensor, initial: Sequence[int], name: Any
) -> Explanation:
    """Explains what happened to a sample.

    Args:
        trace: What the selection started from.
        sample: Its index, 0 to N - 1.
        index: int64 [B], the samples picked, in order.
        pick_scores: float64 [B], theirs.
        initial: Samples that were taken first.
        name: The user's name of the sample, or None.
    """
    node = trace.node_of(sample)
    found = (index == sample).nonzero().flatten().tolist()
    place = found[0] if found else None
    fate = "cut" if node is None else "left"
    if place is not None or sample in initial:
        fate = "initial" if place is None else "picked"
    score, rank, size, messages = math.nan, None, 0, []
    if node is not None:
        score, rank, size = trace.standing(node)
        messages = trace.messages_to(node, index, pick_scores)
    return Explanation(
        sample=sample,
        id=name,
        score_before=float(trace.score[sample]),
        score_after=score,
        rank=rank,
        group_size=size,
        fate=fate,
        place=place,
        score_last=score - sum(message.loss for message in messages),
        messages=messages,
    )
