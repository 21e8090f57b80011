import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg.scores import extrapolate, rank_correlation


def by_loops(x, known, value, k, gamma, iterations):
    """Weighted means over neighbors in either direction, in plain Python."""
    count = len(x)
    distance = np.sqrt(np.square(x[:, None] - x).sum(-1))
    lists = [
        sorted((j for j in range(count) if j != i), key=lambda j, i=i: (distance[i, j], j))[:k]
        for i in range(count)
    ]
    pairs = {(i, j) for i in range(count) for j in lists[i]}
    pairs |= {(j, i) for i, j in pairs}
    lengths = sorted(distance[i, j] for i, j in pairs)
    unit = lengths[(len(lengths) - 1) // 2]
    score = {i: float(np.mean(value)) for i in range(count)} | dict(zip(known, value, strict=True))
    for _ in range(iterations):
        new = {}
        for i in range(count):
            around = [j for a, j in pairs if a == i]
            weight = [np.exp(-gamma * (distance[i, j] / unit) ** 2) for j in around]
            total = sum(w * score[j] for w, j in zip(weight, around, strict=True))
            new[i] = total / sum(weight)
        score = new | dict(zip(known, value, strict=True))
    return [score[i] for i in range(count)]


def test_equals_loops(rng, device):
    x = rng.normal(size=(40, 2))
    known = rng.permutation(40)[:12]
    value = rng.exponential(size=12)
    found = extrapolate(
        torch.as_tensor(x, device=device), known, value, k=4, gamma=0.7, iterations=7, seed=0
    )
    expected = by_loops(x, known.tolist(), value.tolist(), 4, 0.7, 7)
    np.testing.assert_allclose(found.scores.cpu(), expected, rtol=1e-9)
    assert found.scores.cpu()[known].tolist() == value.tolist()
    graph = d2pyg.knn_graph(x, 4)
    again = extrapolate(graph, known, value, gamma=0.7, iterations=7, seed=0)
    np.testing.assert_allclose(again.scores, expected, rtol=1e-9)


def test_the_rank_correlation_is_that_of_hidden_samples(rng):
    x = rng.normal(size=(300, 2))
    smooth = np.abs(x[:, 0]) + x[:, 1] ** 2
    known = rng.permutation(300)[:100]
    found = extrapolate(x, known, smooth[known], k=8, seed=3)
    assert len(found.held_out) == 20
    assert set(found.held_out.tolist()) <= set(known.tolist())
    assert found.rank_correlation > 0.8
    rest = np.setdiff1d(known, found.held_out)
    by_hand = extrapolate(x, rest, smooth[rest], k=8, seed=0).scores[found.held_out]
    expected = rank_correlation(by_hand, torch.as_tensor(smooth[found.held_out]))
    # the same samples in another order: sums differ in their last bits
    assert found.rank_correlation == pytest.approx(expected, abs=1e-9)
    shuffled = extrapolate(x, known, rng.permutation(smooth[known]), k=8, seed=3)
    assert abs(shuffled.rank_correlation) < 0.6


def test_where_no_neighbor_is_known_the_mean_stays():
    graph = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.ones(2), num_nodes=6)
    found = extrapolate(graph, [0, 2, 3], [1.0, 2.0, 6.0], held_out=0.7, seed=0)
    assert found.scores.tolist() == [1, 1, 2, 6, 3, 3]


def test_rank_correlation(rng):
    stats = pytest.importorskip("scipy.stats")
    for values in rng.normal(size=(5, 2, 30)), rng.integers(0, 4, (5, 2, 30)):
        for one, two in values.astype(float):
            expected = stats.spearmanr(one, two).statistic
            found = rank_correlation(torch.as_tensor(one), torch.as_tensor(two))
            assert found == pytest.approx(expected)
    assert rank_correlation(torch.ones(4), torch.arange(4.0)) == 0


def test_errors():
    x = np.eye(6)
    with pytest.raises(ValueError, match=r"'held_out' to hide at least 2 of the 3 .* which hides 1\)"):
        extrapolate(x, [0, 1, 2], [1, 2, 3], k=2, seed=0)
    with pytest.raises(ValueError, match="and not all"):
        extrapolate(x, [0, 1, 2], [1, 2, 3], k=2, held_out=1.0, seed=0)
    with pytest.raises(ValueError, match="'scores' to have one value for each of the 3"):
        extrapolate(x, [0, 1, 2], [1, 2], k=2, seed=0)
    with pytest.raises(ValueError, match="'index' to name each sample once"):
        extrapolate(x, [0, 0, 2], [1, 2, 3], k=2, seed=0)
    with pytest.raises(ValueError, match="'iterations' to be at least 1"):
        extrapolate(x, [0, 1, 2], [1, 2, 3], k=2, iterations=0, seed=0)
