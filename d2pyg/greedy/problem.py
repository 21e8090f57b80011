"""The input of every engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import is_finite
from d2pyg._base.grid import GREEDY_BITS, grid_step, largest_magnitude
from d2pyg._base.pages import picked, unwritten_like
from d2pyg.graph.edges import Edges
from d2pyg.graph.order import by_target
from d2pyg.greedy.rows import Rows
from d2pyg.nn.reverse import ReverseMessage


@dataclass(frozen=True)
class Problem:
    r"""Greedy selection over groups of nodes that share no edges.

    First the nodes ``first`` are taken in their order, for any scores. Then ``count`` others of each
    group are picked, always the one with the highest current score, ties to the lowest node. Each
    neighbor j of a taken node k loses :math:`\text{message}(x_k, x_j, d_{kj})`, rounded to a whole
    number of units. Nodes are numbered so that each group is a range.
    """

    score: Tensor  # float64 [N], whole numbers of units
    unit: float  # a power of two
    rows: Rows  # the nodes that lose when a node is taken
    distance: Tensor  # float64 [E], along rows
    weight: Tensor | None  # float64 [E], linear messages for a pick score of 1: shared by all engines
    symmetric: bool  # whether the rows hold both directions of every edge
    group_ptr: list[int]  # group g is the nodes group_ptr[g]:group_ptr[g + 1]
    count: list[int]  # picks wanted of each group
    first: Tensor  # int64 [M], nodes that are taken before all others, in the order taken
    taken: Tensor  # bool [N], excluded: never picked, send nothing
    reverse: ReverseMessage
    clamp: bool  # nodes taken at or below 0 send no message

    @classmethod
    def build(
        cls,
        score: Tensor,
        edges: Edges,
        group: Tensor,
        count: Tensor,
        first: Tensor,
        reverse: ReverseMessage,
        clamp: bool,
    ) -> tuple[Problem, Tensor]:
        """Builds the problem. Also returns the caller's number of each of its nodes.

        Args:
            score: float64 [N].
            edges: Node i lowers the sources of the edges into i.
            group: int64 [N], 0..G-1.
            count: int64 [G].
            first: int64 [M].
            reverse: The message.
            clamp: As in :func:`d2pyg.select`.
        """
        node = torch.arange(len(score), device=score.device)
        if len(count) > 1:
            node = group.argsort(stable=True)  # ascending inside a group: ties stay ties
            place = torch.empty_like(node).index_copy_(0, node, torch.arange(len(node)).to(node))
            source, target = picked(place, edges.source), picked(place, edges.target)
            first = place[first]
            edges = Edges(source, target, edges.distance, edges.num_nodes, edges.symmetric)
        rows = by_target(edges)
        unit = grid_step(largest_magnitude(score), GREEDY_BITS)
        sizes = torch.bincount(group, minlength=len(count))
        problem = cls(
            score=(score[node] / unit).round_(),
            unit=unit,
            rows=Rows(rows.ptr, rows.source),
            distance=rows.distance,
            weight=edge_weights(reverse, rows.distance) if reverse.linear else None,
            symmetric=rows.symmetric,
            group_ptr=[0, *sizes.cumsum(0).tolist()],
            count=count.tolist(),
            first=first,
            taken=torch.zeros_like(score, dtype=torch.bool),
            reverse=reverse,
            clamp=clamp,
        )
        return problem, node

    def message(self, pick_score: Tensor, neighbor_score: Tensor, distance: Tensor) -> Tensor:
        """The reverse message before rounding. Scores and message are in units."""
        message = self.reverse.message(pick_score * self.unit, neighbor_score * self.unit, distance)
        check_message(self.reverse, message, distance)
        return message / self.unit


@dataclass(frozen=True)
class Picks:
    """The result of every engine."""

    index: Tensor  # int64 [B], group after group, each in pick order
    score: Tensor  # float64 [B], their scores when picked, in units
    report: dict[str, Any] = field(default_factory=dict)  # how it went


def edge_weights(reverse: ReverseMessage, distance: Tensor) -> Tensor:
    """A linear message for a pick score of 1, float64 [E]."""
    one, none = unwritten_like(distance).fill_(1), unwritten_like(distance).zero_()
    with torch.no_grad():
        weight = reverse.message(one, none, distance)
    check_message(reverse, weight, one)
    if reverse.monotone and len(weight) and float(weight.min()) < 0:
        raise ValueError(
            f"Expected the messages of {reverse} to be at least 0, as it claims to be monotone (got "
            f"{float(weight.min()):g} for a pick score of 1). Set 'monotone' to False, or change the "
            f"message or its kernel."
        )
    return weight


def check_shape(reverse: ReverseMessage, message: Tensor, like: Tensor) -> None:
    """One float64 for each neighbor."""
    if message.shape != like.shape or message.dtype != like.dtype:
        raise ValueError(
            f"Expected the message of {reverse} to be {like.dtype} of shape "
            f"{tuple(like.shape)} (got {message.dtype} of shape {tuple(message.shape)}). "
            f"Return one value for each neighbor."
        )


def check_message(reverse: ReverseMessage, message: Tensor, like: Tensor) -> None:
    """One finite float64 for each neighbor."""
    check_shape(reverse, message, like)
    if not is_finite(message):
        raise not_finite(reverse)


def not_finite(reverse: ReverseMessage) -> ValueError:
    """The error for a message that is NaN or infinite."""
    return ValueError(
        f"Expected the reverse messages of {reverse} to be finite (got NaN or "
        f"infinity). Check its message for the distances and scores of this graph."
    )
