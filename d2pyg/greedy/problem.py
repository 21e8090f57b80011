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
    initial: Tensor  # bool [N]
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
        node = group.argsort(stable=True)  # ascending inside a group: ties stay ties
        place = torch.empty_like(node)
        place[node] = torch.arange(len(node), device=node.device)
        target = place[edges.target]
        order = target.argsort(stable=True)
        step = grid_step(largest_magnitude(score), GREEDY_BITS)
        sizes = torch.bincount(group, minlength=len(count))
        problem = cls(
            score=snap(score[node], step),
            step=step,
            neighbour_ptr=index2ptr(target[order], edges.num_nodes),
            neighbour=place[edges.source[order]],
            distance=edges.distance[order],
            group_ptr=[0, *sizes.cumsum(0).tolist()],
            count=count.tolist(),
            initial=initial[node],
            reverse=reverse,
            clamp=clamp,
        )
        return problem, node
