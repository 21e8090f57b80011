"""Of every sample, the pick that lowered it most."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from d2pyg.greedy.sequential import Scores
from d2pyg.greedy.trace import Trace


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
    edges, turn = problem.rows.of(nodes)
    loss = _losses(trace, nodes, scores, edges, turn)
    other, last = problem.rows.other[edges], len(nodes)
    turn_of = turn.new_full((len(problem.score),), last)
    turn_of[nodes] = torch.arange(last, device=turn.device)
    lowers = (turn < turn_of[other]) & (loss > 0)
    edges, turn, loss, other = (part[lowers] for part in (edges, turn, loss, other))

    most = torch.zeros_like(problem.score).scatter_reduce_(0, other, loss, "amax")
    first = torch.full_like(turn_of, last)
    is_most = loss == most[other]
    first.scatter_reduce_(0, other[is_most], turn[is_most], "amin")
    is_first = is_most & (turn == first[other])
    nearest = torch.full_like(problem.score, torch.inf)  # of parallel edges
    nearest.scatter_reduce_(0, other[is_first], problem.distance[edges[is_first]], "amin")

    found = (first < last).nonzero().flatten()
    sample = torch.full((len(trace.score),), -1, dtype=torch.int64)
    distance = torch.full((len(trace.score),), torch.nan, dtype=torch.float64)
    sample[trace.sample[found].cpu()] = trace.sample[nodes[first[found]]].cpu()
    distance[trace.sample[found].cpu()] = nearest[found].cpu()
    return Strongest(sample, distance)


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


def _losses(trace: Trace, nodes: Tensor, scores: Tensor, edges: Tensor, turn: Tensor) -> Tensor:
    """The message along each edge, in units; of parallel edges that are not linear, that of all."""
    problem = trace.problem
    if problem.weight is not None:
        sends = scores.clamp(min=0) if problem.clamp else scores
        return (problem.weight[edges] * sends[turn]).round_()
    state = Scores(problem)
    losses = [problem.score[:0]]
    for node in nodes.tolist():
        row = problem.rows.other[state.row[node] : state.row[node + 1]]
        before = state.score[row]
        state.take(node)
        losses.append(before - state.score[row])  # NaN for those taken before
    return torch.cat(losses)
