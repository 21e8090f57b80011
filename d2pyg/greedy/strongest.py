"""Of every sample, the pick that lowered it most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from d2pyg.greedy.sequential import Scores
from d2pyg.greedy.trace import Trace

_EDGES = 1 << 22  # about as many are looked at together


class Strongest(NamedTuple):
    """The largest message to each sample before it was picked."""

    sample: Tensor  # int64 [N], the pick that sent it, the first of equals; -1: none lowered the sample
    distance: Tensor  # float64 [N], along which, as messages see it; NaN: none


def strongest(trace: Trace, index: Tensor, pick_scores: Tensor) -> Strongest:
    """The largest message to each sample.

    Args:
        trace: What the selection started from.
        index: int64 [B], the samples picked, in order.
        pick_scores: float64 [B], theirs.
    """
    problem = trace.problem
    nodes, scores = _taken(trace, index, pick_scores)
    turn_of = torch.full_like(problem.score, len(nodes), dtype=torch.int64)
    turn_of[nodes] = torch.arange(len(nodes), device=nodes.device)
    most = torch.zeros_like(problem.score)
    sender = torch.full_like(turn_of, -1)  # the node
    distance = torch.full_like(problem.score, torch.nan)
    for turns, edges, whose, loss in _messages(trace, nodes, scores):
        other = problem.rows.other[edges]
        reaches = (whose + turns.start < turn_of[other]) & (loss > most[other])
        edges, whose, loss, other = (part[reaches] for part in (edges, whose, loss, other))
        most.scatter_reduce_(0, other, loss, "amax")
        first = torch.full_like(turn_of, len(nodes))
        is_most = loss == most[other]
        first.scatter_reduce_(0, other[is_most], whose[is_most], "amin")
        is_first = is_most & (whose == first[other])
        nearest = torch.full_like(distance, torch.inf)  # of parallel edges
        nearest.scatter_reduce_(0, other[is_first], problem.distance[edges[is_first]], "amin")
        found = (first < len(nodes)).nonzero().flatten()
        sender[found], distance[found] = nodes[turns][first[found]], nearest[found]

    found = (sender >= 0).nonzero().flatten()
    samples = trace.sample[found].cpu()
    return Strongest(
        torch.full((len(trace.score),), -1).index_copy_(0, samples, trace.sample[sender[found]].cpu()),
        torch.full((len(trace.score),), torch.nan, dtype=torch.float64).index_copy_(
            0, samples, distance[found].cpu()
        ),
    )


def _taken(trace: Trace, index: Tensor, pick_scores: Tensor) -> tuple[Tensor, Tensor]:
    """The nodes that were taken, initial ones first, in an order that is right in each group.

    And their scores then, in units.
    """
    problem = trace.problem
    state = Scores(problem)
    first = [state.take(node) for node in problem.first.tolist()]
    place = trace.sample.new_full((len(trace.score),), -1)
    place[trace.sample] = torch.arange(len(trace.sample), device=place.device)
    picked = place[index.to(place.device)]
    scores = pick_scores.to(place.device)[picked >= 0] / problem.unit  # the others were cut off
    return torch.cat([problem.first, picked[picked >= 0]]), torch.cat([scores.new_tensor(first), scores])


def _messages(
    trace: Trace, nodes: Tensor, scores: Tensor
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """The messages of nodes in turn, some nodes at a time.

    Which nodes; along which edges; whose each is among these nodes; and how much, in units. Of parallel
    edges with a message that is not linear, each has the sum.
    """
    problem, state = trace.problem, Scores(trace.problem)
    together = max(1, _EDGES * len(problem.score) // max(1, len(problem.rows.other)))
    for start in range(0, len(nodes), together):
        turns = slice(start, start + together)
        edges, whose = problem.rows.of(nodes[turns])
        if problem.weight is not None:
            sends = scores[turns].clamp(min=0) if problem.clamp else scores[turns]
            yield turns, edges, whose, (problem.weight[edges] * sends[whose]).round_()
            continue
        losses = [problem.score[:0]]
        for node in nodes[turns].tolist():
            row = problem.rows.other[state.row[node] : state.row[node + 1]]
            before = state.score[row]
            state.take(node)
            losses.append(before - state.score[row])  # NaN for those taken before
        yield turns, edges, whose, torch.cat(losses)
