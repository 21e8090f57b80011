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


def test_scores_of_any_size(rng):
    """Units of a power of two change no bit; what is known stays as it is."""
    x, value = rng.normal(size=(40, 2)), rng.uniform(0.5, 1, 12)
    plain = extrapolate(x, range(12), value, k=4, seed=0)
    for exponent in 1023, -1000:
        found = extrapolate(x, range(12), value * 2.0**exponent, k=4, seed=0)
        assert found.scores.equal(plain.scores * 2.0**exponent)
        assert found.rank_correlation == plain.rank_correlation
    largest = extrapolate(x, range(12), [1e308] * 12, k=4, seed=0).scores
    assert largest[:12].tolist() == [1e308] * 12
    np.testing.assert_allclose(largest, 1e308)


def test_it_ends_where_nothing_changes():
    graph = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.ones(2), num_nodes=4)
    found = extrapolate(graph, [0, 2, 3], [1.0, 2.0, 6.0], held_out=0.7, iterations=2**62, seed=0)
    assert found.scores.tolist() == [1, 1, 2, 6]


def test_a_graph_without_edges_carries_nothing():
    graph = Data(edge_index=torch.zeros(2, 0, dtype=torch.int64), edge_attr=torch.zeros(0), num_nodes=4)
    assert extrapolate(graph, [0, 2, 3], [1, 2, 6], held_out=0.7, seed=0).scores.tolist() == [1, 3, 2, 6]


class Wild(d2pyg.nn.Kernel):
    def weight(self, distance, gamma):
        return distance - 1e9


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"gamma": float("nan")}, r"'gamma' to be finite \(got nan\)"),
        ({"gamma": float("inf")}, r"'gamma' to be finite \(got inf\)"),
        ({"gamma": -1e4}, r"'gamma' to be at least 0 \(got -10000\)"),
        ({"gamma": None}, "'gamma' to be a number"),
        ({"seed": -1}, "'seed' to be between 0 and"),
        ({"seed": 2**63}, "'seed' to be between 0 and"),
        ({"seed": 10**30}, "'seed' to be between 0 and"),
        ({"seed": True}, "'seed' to be a whole number"),
        ({"seed": 1.5}, "'seed' to be a whole number"),
        ({"seed": None}, "'seed' to be a whole number"),
        ({"held_out": float("nan")}, "'held_out' to be finite"),
        ({"held_out": "half"}, "'held_out' to be a number"),
        ({"held_out": -0.1}, r"'held_out' to be in 0 to 1 \(got -0.1\)"),
        ({"held_out": 1.5}, r"'held_out' to be in 0 to 1 \(got 1.5\)"),
        ({"iterations": 10**30}, "'iterations' to be "),
        ({"iterations": None}, "'iterations' to be a whole number"),
        ({"index": [], "scores": []}, r"'index' to name at least 3 samples .*\(got 0\)"),
        ({"index": [1, 2], "scores": [1, 2]}, r"'index' to name at least 3 samples .*\(got 2\)"),
        ({"index": [], "scores": [1]}, "'scores' to have one value for each of the 0"),
        ({"index": [0, 1, 6], "scores": [1, 2, 3]}, "'index' to lie in 0 to 5"),
        ({"index": [-1, 1, 2], "scores": [1, 2, 3]}, "'index' to lie in 0 to 5"),
        ({"scores": [1, float("nan"), 3]}, "'scores' to be finite"),
        ({"scores": [1, -2, 3]}, "'scores' to be at least 0"),
        ({"k": 10**30}, "'k' to be between 1 and 5"),
        ({"kernel": Wild()}, r"weights of the kernel Wild\(\) to be finite and at least 0"),
        ({"embeddings": Data(num_nodes=6)}, "'graph' to have an 'edge_index'"),
        (
            {"embeddings": d2pyg.knn_graph(-np.eye(6) - 1, 2, metric="inner_product")},
            "'metric' to be a dis",
        ),
    ],
)
def test_refuses(changed, match):
    arguments = {"embeddings": np.eye(6), "index": [0, 1, 2], "scores": [1, 2, 3], "k": 2, "seed": 0}
    with pytest.raises((ValueError, TypeError), match=match):
        extrapolate(**{**arguments, "held_out": 0.6, **changed})


def test_a_rank_correlation_needs_numbers():
    for one, two, match in [
        ([1, 2, 3], [1, 2], "'two' to have one value for each of the 3 numbers in 'one'"),
        ([1, float("nan")], [1, 2], "'one' to be finite"),
        ([1, 2], [[1, 2]], r"'two' to be real numbers of shape \(M,\)"),
        (torch.zeros(2, dtype=torch.complex64), [1, 2], r"'one' to be real numbers of shape \(M,\)"),
        (None, [1, 2], "'one' to "),
    ]:
        with pytest.raises((ValueError, TypeError), match=match):
            rank_correlation(one, two)
    assert rank_correlation([], []) == 0


def test_the_default_k_and_the_k_of_a_graph(rng):
    x, known = rng.normal(size=(40, 3)), list(range(8))
    value, seed = rng.random(8), 0
    by_default = extrapolate(x, known, value, seed=seed).scores
    assert by_default.equal(extrapolate(x, known, value, k=15, seed=seed).scores)
    graph = d2pyg.knn_graph(x, 20)
    assert by_default.equal(extrapolate(graph, known, value, k=15, seed=seed).scores)
    with pytest.raises(ValueError, match="'k' to be between 1 and 20, the graph's own k"):
        extrapolate(graph, known, value, k=21, seed=seed)
    assert extrapolate(x[:9], known, value, seed=seed).scores.isfinite().all()
