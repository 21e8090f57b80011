"""What every engine is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.utils.sparse import index2ptr

from d2pyg.graph.edges import Edges
from d2pyg.grid import GREEDY_BITS, grid_step, largest_magnitude, snap
from d2pyg.nn.reverse import ReverseMessage


@dataclass(frozen=True)
class Problem:
    r"""Greedy selection over groups of nodes that share no edges.

    In each group, first the group's initial nodes are taken, then ``count`` others are picked:
    always the highest current score, ties to the lowest node. Each neighbour j of what is taken
    loses :math:`\text{snap}(\text{message}(x_k, x_j, d_{kj}))`, with ``snap`` rounding to multiples
    of ``step`` (:mod:`d2pyg.grid`). Nodes are numbered so that each group is a range.
    """

    score: Tensor  # float64 [N], multiples of step
    step: float
    neighbour_ptr: Tensor  # int64 [N + 1]
    neighbour: Tensor  # int64 [E], node i's neighbours at neighbour_ptr[i]:neighbour_ptr[i + 1]
    distance: Tensor  # float64 [E]
    group_ptr: list[int]  # group g is the nodes group_ptr[g]:group_ptr[g + 1]
    count: list[int]  # picks wanted of each group
    initial: Tensor  # bool [N], taken first
    taken: Tensor  # bool [N], out already: never picked, sent nothing
    reverse: ReverseMessage
    clamp: bool  # nodes taken at or below 0 send no message

    @classmethod
    def build(
        cls,
        score: Tensor,
        edges: Edges,
        group: Tensor,
        count: Tensor,
        initial: Tensor,
        reverse: ReverseMessage,
        clamp: bool,
    ) -> tuple[Problem, Tensor]:
        """The problem, and the caller's number of each of its nodes.

        Args:
            score: float64 [N].
            edges: Node i lowers the sources of the edges into i.
            group: int64 [N], 0..G-1.
            count: int64 [G].
            initial: bool [N].
            reverse: The message.
            clamp: As in :func:`d2pyg.select`.
        """
        node = torch.arange(len(score), device=score.device)
        source, target, distance = edges.source, edges.target, edges.distance
        if len(count) > 1:
            node = group.argsort(stable=True)  # ascending inside a group: ties stay ties
            place = torch.empty_like(node).index_copy_(0, node, torch.arange(len(node)).to(node))
            source, target = place[source], place[target]
        if bool((target[1:] < target[:-1]).any()):
            order = target.argsort(stable=True)
            source, target, distance = source[order], target[order], distance[order]
        step = grid_step(largest_magnitude(score), GREEDY_BITS)
        sizes = torch.bincount(group, minlength=len(count))
        problem = cls(
            score=snap(score[node], step),
            step=step,
            neighbour_ptr=index2ptr(target, edges.num_nodes),
            neighbour=source,
            distance=distance,
            group_ptr=[0, *sizes.cumsum(0).tolist()],
            count=count.tolist(),
            initial=initial[node],
            taken=torch.zeros_like(initial),
            reverse=reverse,
            clamp=clamp,
        )
        return problem, node


def edge_weights(problem: Problem) -> Tensor:
    """A linear message for a pick score of 1, float64 [E]: computed once, shared by all engines."""
    one = torch.ones_like(problem.distance)
    with torch.no_grad():
        weight = problem.reverse.message(one, torch.zeros_like(one), problem.distance)
    check_message(problem, weight, one)
    return weight


def check_message(problem: Problem, message: Tensor, like: Tensor) -> None:
    """One finite float64 for each neighbour."""
    if message.shape != like.shape or message.dtype != like.dtype:
        raise ValueError(
            f"Expected the message of {problem.reverse} to be {like.dtype} of shape "
            f"{tuple(like.shape)} (got {message.dtype} of shape {tuple(message.shape)}). "
            f"Return one value for each neighbour."
        )
    if not bool(message.isfinite().all()):
        raise not_finite(problem)


def not_finite(problem: Problem) -> ValueError:
    """What an engine raises at a message that is NaN or infinite."""
    return ValueError(
        f"Expected the reverse messages of {problem.reverse} to be finite (got NaN or "
        f"infinity). Check its message for the distances and scores of this graph."
    )
