"""Three message functions that a reader might write, each against a plain loop."""

import math

import oracle
import pytest
import torch
from torch_geometric.utils import softmax

import d2pyg

TOTAL = 40


class Attention(d2pyg.nn.ForwardMessagePassing):
    """Neighbors share one unit of attention: more to the hard and the near."""

    def message(self, score_j, distance, index, ptr, size_i):
        return softmax(score_j - self.gamma * distance.square(), index, ptr, size_i) * score_j


class Capped(d2pyg.nn.ReverseMessage):
    """A pick takes at most ``cap`` from a neighbor."""

    monotone = True  # never below 0 for a pick above 0, whatever the neighbor's score

    def __init__(self, cap=1.0, **kwargs):
        super().__init__(**kwargs)
        self.cap = cap

    def message(self, pick_score, neighbor_score, distance):
        return (pick_score * self.weight(distance)).clamp(max=self.cap)


class Trusted(d2pyg.nn.ForwardMessagePassing):
    """Difficulty and the probability of a wrong label, both spread; much of the one, little of the other."""

    in_channels = 2

    def scalarize(self, score):
        difficulty, noise = score.unbind(1)
        return difficulty / (1 + noise)


@pytest.fixture
def data(rng):
    """Samples, difficulty, noise, the graph with both directions, and who is joined how far."""
    x = torch.as_tensor(rng.normal(size=(TOTAL, 2)))
    distance = oracle.distances(x)
    lists = oracle.neighbors(distance, 15, [0] * TOTAL)
    joined = {(i, j) for i, js in enumerate(lists) for j in js}
    joined |= {(j, i) for i, j in joined}
    near = [{j: distance[i][j] for j in range(TOTAL) if (i, j) in joined} for i in range(TOTAL)]
    return x, rng.random(TOTAL), rng.random(TOTAL), near


def test_attention(data):
    x, score, _, near = data
    after = []
    for i in range(TOTAL):
        heat = {j: math.exp(score[j] - 0.5 * d * d) for j, d in near[i].items()}
        after.append(score[i] + sum(heat[j] / sum(heat.values()) * score[j] for j in near[i]))
    coreset = d2pyg.select(x, score, budget=15, scale=None, forward=Attention(gamma=0.5))
    assert coreset.scores.tolist() == pytest.approx(after, rel=1e-9)


def test_attention_has_gradients_and_compiles(data):
    _, score, _, near = data
    edges = [(j, i, d) for i, row in enumerate(near) for j, d in row.items()]
    edge_index = torch.tensor([(j, i) for j, i, _ in edges]).T
    distance = torch.tensor([d for _, _, d in edges], dtype=torch.float64, requires_grad=True)
    score = torch.as_tensor(score).requires_grad_()

    def layer(score, distance):
        return Attention()(score, edge_index, distance)

    assert torch.autograd.gradcheck(layer, (score, distance))
    compiled = torch.compile(Attention(), backend="eager", fullgraph=True)
    assert compiled(score, edge_index, distance).equal(layer(score, distance))


@pytest.mark.parametrize("engine", ["auto", "rounds", "sequential"])
def test_capped(engine, data):
    x, score, _, near = data
    reverse = Capped(cap=0.3, gamma=0.1)
    coreset = d2pyg.select(x, score, budget=25, scale=None, reverse=reverse, engine=engine, debug=True)

    def message(i, value, j, _):
        return min(0.3, math.exp(-0.1 * near[i][j] ** 2) * value)

    picks = oracle.greedy_loop(coreset.scores.tolist(), near, message, {0: 25})[0]
    assert coreset.index.tolist() == [i for i, _ in picks]
    assert coreset.pick_scores.tolist() == [value for _, value in picks]
    assert coreset.settings["engine"] == ("rounds" if engine == "auto" else engine)


def test_trusted(data):
    x, difficulty, noise, near = data
    after = []
    for i in range(TOTAL):
        weight = {i: 1.0} | {j: math.exp(-0.5 * d * d) for j, d in near[i].items()}
        hard = sum(w * difficulty[j] for j, w in weight.items())
        wrong = sum(w * noise[j] for j, w in weight.items())
        after.append(hard / (1 + wrong))
    both = torch.as_tensor(difficulty), torch.as_tensor(noise)
    coreset = d2pyg.select(
        x, torch.stack(both, dim=1), budget=15, scale=None, forward=Trusted(gamma=0.5)
    )
    assert coreset.scores.tolist() == pytest.approx(after, rel=1e-9)
