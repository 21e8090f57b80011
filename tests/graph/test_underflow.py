"""Samples closer than the square root of the smallest float, beside others that keep the range legal."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from test_lengths import exact_length

import d2pyg
from d2pyg.graph import CosineMetric, EuclideanMetric, Joined, MahalanobisMetric


def exact_distance(one, two):
    return exact_length([Fraction(float(a)) - Fraction(float(b)) for a, b in zip(one, two, strict=True)])


def exact_neighbors(x, k):
    """By the exact distance, rounded to a float; ties to the lowest index."""
    found = []
    for i, row in enumerate(x):
        distance = [exact_distance(row, other) for other in x]
        found.append(sorted((j for j in range(len(x)) if j != i), key=lambda j: (distance[j], j))[:k])
    return np.array(found)


@pytest.fixture
def tiny(rng):
    """Half of the samples about 1e-170 apart, with duplicates and ties; the others 1."""
    x = rng.integers(-5, 6, size=(40, 3)) * np.where(np.arange(40) % 2, 1.0, 2.0**-565)[:, None]
    x[30] = x[12]
    return x


def distances(graph):
    return graph.edge_attr.view(graph.num_nodes, -1).cpu().numpy()


def lists(graph):
    return graph.edge_index[0].view(graph.num_nodes, -1).cpu().numpy()


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_neighbors_are_the_true_ones(backend, tiny):
    pytest.importorskip(backend)
    graph = d2pyg.knn_graph(tiny, 4, backend=backend)
    assert np.array_equal(lists(graph), exact_neighbors(tiny, 4))
    for i, row in enumerate(lists(graph)):
        expected = [exact_distance(tiny[i], tiny[j]) for j in row]
        np.testing.assert_allclose(distances(graph)[i], expected, rtol=1e-15, atol=0)
    assert 0 < distances(graph)[0, 0] < 1e-168


def test_in_small_groups(tiny):
    """Searched together, each in its own scale."""
    batch = np.arange(40) % 4 // 2
    graph = d2pyg.knn_graph(tiny, 3, batch=batch)
    for group in 0, 1:
        rows = np.arange(40)[batch == group]
        assert np.array_equal(lists(graph)[rows], rows[exact_neighbors(tiny[rows], 3)])


def test_joined(tiny):
    joined = Joined([tiny, np.zeros((40, 1))], scale=None)
    assert np.array_equal(lists(d2pyg.knn_graph(joined, 4)), exact_neighbors(tiny, 4))


def test_mahalanobis(tiny):
    metric = MahalanobisMetric(4 * np.eye(3))
    graph = d2pyg.knn_graph(tiny, 4, metric=metric)
    assert np.array_equal(lists(graph), exact_neighbors(tiny, 4))
    assert np.array_equal(2 * distances(graph), distances(d2pyg.knn_graph(tiny, 4)))


def test_coverage(tiny):
    """The radius among samples that are 1e-170 apart, if those far away are kept."""
    kept = [0, *range(1, 40, 2)]
    nearest = [min(exact_length(tiny[i] - tiny[j]) for j in kept) for i in range(40)]
    assert d2pyg.metrics.coverage_radius(tiny, kept) == pytest.approx(max(nearest), rel=1e-15)
    assert 0 < max(nearest) < 1e-168


def test_the_first_of_k_center_is_the_nearest_to_the_mean():
    x = np.array([[1.0], [-1.0], [3e-170], [-3e-170], [1e-180], [-1e-180]])
    coreset = d2pyg.baselines.k_center(x, budget=1)
    assert (coreset.index.tolist(), coreset.pick_scores.tolist()) == ([4], [1e-180])
    away = d2pyg.baselines.moderate(x, budget=3)
    assert away.index.tolist() == [2, 3, 4]  # from the lower median, 3e-170
    assert away.pick_scores[2] == pytest.approx(3e-170)


def test_differences_that_square_to_infinity():
    x = torch.tensor([[1e200, 0.0], [0.0, 1e200], [1.5e308, 1e308]], dtype=torch.float64)
    y = torch.tensor([[0.0, 0.0], [0.0, 5e199], [-1e308, 1e308]], dtype=torch.float64)
    expected = [1e200, 5e199, np.inf]
    assert EuclideanMetric().distance(x, y).tolist() == pytest.approx(expected)


def test_cosine_of_rows_of_any_size(rng):
    x = rng.normal(size=(40, 3))
    scale = 10.0 ** rng.integers(-300, 300, size=(40, 1))
    plain, scaled = (d2pyg.knn_graph(rows, 5, metric="cosine") for rows in (x, x * scale))
    assert plain.edge_index.equal(scaled.edge_index)
    one = torch.tensor([5e-324, 0.0], dtype=torch.float64)  # the smallest there is
    assert CosineMetric().distance(one, torch.tensor([1e-310, 1e-310]).double()).item() == 1
    other = torch.tensor([1e-310, 1e-310], dtype=torch.float64)
    assert CosineMetric().distance(one, other).item() == pytest.approx(1 - np.sqrt(0.5))


class TestInnerProduct:
    def test_rows_of_any_size_that_can_be_multiplied(self, rng):
        y = rng.normal(size=(50, 4))
        plain = d2pyg.knn_graph(y, 3, metric="inner_product")
        for scale in 1e-140, 1e140:
            assert d2pyg.knn_graph(y * scale, 3, metric="inner_product").edge_index.equal(
                plain.edge_index
            )

    def test_others_are_refused(self, rng):
        y = rng.normal(size=(50, 4))
        y[7] = 0
        assert d2pyg.knn_graph(y, 3, metric="inner_product").k == 3
        for bad in 1e-200, 1e160:
            y[9] = bad
            match = "each row of 'embeddings' to be 0 or 1e-150 to 1e150.*at row 9"
            with pytest.raises(ValueError, match=match):
                d2pyg.knn_graph(y, 3, metric="inner_product")
            with pytest.raises(ValueError, match="at row 9"):
                d2pyg.knn_graph(y, 3, metric="inner_product", batch=np.arange(50) % 2)
