"""PyNNDescent: approximate, but always k different neighbors with their exact distances."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from knn_cases import DATA, brute_force, data, matrices

import d2pyg
from d2pyg._base.registry import choices, look_up


def check_contract(graph, x, k):
    """k different others each, true distances, sorted by (distance, index)."""
    neighbor, distance = matrices(graph, k)
    everything = np.arange(len(x))
    assert all(len(set(row)) == k for row in neighbor.tolist())
    assert not (neighbor == everything[:, None]).any()
    exact = d2pyg.graph.EuclideanMetric().distance(
        torch.as_tensor(x).double().unsqueeze(1), torch.as_tensor(x).double()[neighbor]
    )
    assert np.array_equal(distance, exact.numpy())
    order = np.lexsort([neighbor, distance])
    assert np.array_equal(order, np.lexsort([np.broadcast_to(np.arange(k), neighbor.shape)]))


def test_only_it_says_that_it_is_not_exact():
    inexact = [b for b in choices("backend") if not getattr(look_up("backend", b), "exact", True)]
    assert inexact == ["pynndescent"]


class TestWithAStandIn:
    """A search that finds what it is told to."""

    def graph(self, found, x, k, monkeypatch):
        def search(data, n_neighbors, random_state):
            assert data.dtype == np.float32
            assert random_state == 0
            assert n_neighbors == min(k + 21, len(x))
            rows = [(row + n_neighbors * [-1])[:n_neighbors] for row in found]
            return SimpleNamespace(neighbor_graph=(np.array(rows, np.int32), None))

        monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=search))
        return d2pyg.knn_graph(x, k, backend="pynndescent")

    def test_rows_with_too_few_are_redone(self, monkeypatch):
        x = data("duplicates")
        found = [[] if i % 3 else [i, *range(i)] for i in range(len(x))]
        graph = self.graph(found, x, 5, monkeypatch)
        redone = np.arange(len(x)) % 3 > 0
        assert np.array_equal(matrices(graph, 5)[0][redone], brute_force(x, 5)[0][redone])
        check_contract(graph, x, 5)

    def test_what_was_missed_stays_missed(self, monkeypatch):
        x = np.arange(60.0)[:, None]
        found = [[j for j in range(60) if j != i + 1] for i in range(60)]
        found = [sorted(row, key=lambda j: abs(j - i))[:23] for i, row in enumerate(found)]
        graph = self.graph(found, x, 2, monkeypatch)
        assert graph.edge_index[0].view(60, 2)[:3].tolist() == [[2, 3], [0, 3], [1, 0]]
        check_contract(graph, x, 2)


@pytest.mark.extensions
class TestWithThePackage:
    @pytest.fixture(autouse=True)
    def _package(self):
        pytest.importorskip("pynndescent")

    @pytest.mark.parametrize("name", DATA)
    @pytest.mark.parametrize("k", [1, 5])
    def test_contract(self, name, k):
        x = data(name)
        k = min(k, len(x) - 1)
        check_contract(d2pyg.knn_graph(x.copy(), k, backend="pynndescent"), x, k)

    @pytest.mark.parametrize("samples", [2, 3, 6, 14, 15])
    def test_every_point_a_neighbor(self, samples, rng):
        x = rng.normal(size=(samples, 3))
        graph = d2pyg.knn_graph(x, samples - 1, backend="pynndescent")
        assert np.array_equal(matrices(graph, samples - 1)[0], brute_force(x, samples - 1)[0])

    def test_recall(self, rng):
        """Of 2,000 x 10 = 20,000 true neighbors."""
        x = rng.normal(0, 3, (20, 16))[rng.integers(0, 20, 2000)] + rng.normal(size=(2000, 16))
        graph = d2pyg.knn_graph(x, 10, backend="pynndescent")
        exact = d2pyg.knn_graph(x, 10)
        found, true = (set(map(tuple, g.edge_index.T.tolist())) for g in (graph, exact))
        assert len(true) == 20_000
        assert len(found & true) >= 19_600

    def test_the_same_graph_every_time(self):
        x = data("blobs")
        one = d2pyg.knn_graph(x, 5, backend="pynndescent")
        np.random.default_rng().normal(size=3)
        torch.manual_seed(99)
        two = d2pyg.knn_graph(torch.as_tensor(x), 5, backend="pynndescent")
        assert one.edge_index.equal(two.edge_index)
        assert one.edge_attr.equal(two.edge_attr)

    def test_groups_and_cosine(self, rng):
        x = rng.normal(size=(300, 4))
        batch = np.repeat([0, 1, 2], [200, 97, 3])
        graph = d2pyg.knn_graph(x, 5, metric="cosine", batch=batch, backend="pynndescent")
        assert torch.bincount(graph.edge_index[1]).tolist() == [5] * 297 + [2] * 3
        assert (batch[graph.edge_index[0]] == batch[graph.edge_index[1]]).all()

    def test_warnings_and_threads_are_left_as_they_were(self):
        import warnings

        import numba

        before = warnings.filters[:], numba.get_num_threads()
        d2pyg.knn_graph(np.eye(3), 2, backend="pynndescent")
        assert (warnings.filters, numba.get_num_threads()) == before
