"""Tiles: each pair multiplied once, the same graph; and data that used to cost a hundred times as much."""

import threading

import numpy as np
import pytest
import torch
from knn_cases import DATA, brute_force, data, matrices

import d2pyg
from d2pyg._base.progress import progress_bar
from d2pyg._base.threads import share_out
from d2pyg.graph import plan, tiles, torch_backend
from d2pyg.graph.metric import EuclideanMetric
from d2pyg.graph.points import Points
from d2pyg.graph.tiles import Tiles


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(torch_backend, "_FEWEST", 0)


@pytest.fixture(params=["kept, one tile", "kept, many tiles", "made anew, panels of one tile"])
def small(request, always, monkeypatch):
    """Arguments, with tiles that are small beside the data."""
    monkeypatch.setattr(plan, "_LEAST", 0)
    if request.param == "kept, one tile":
        return {}
    monkeypatch.setattr(tiles, "_SIDE", 37)
    monkeypatch.setattr(tiles, "_DRAWN_SHARE", 0.4)
    return {} if request.param == "kept, many tiles" else {"memory": 90_000}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [1, 7])
def test_equals_brute_force(name, k, small):
    x = data(name)
    if len(x) <= 2 * (k + 8):
        pytest.skip("such a small set is compared whole")
    neighbor, distance = matrices(d2pyg.knn_graph(x, k, **small), k)
    expected, exact = brute_force(x, k)
    np.testing.assert_allclose(distance, exact, rtol=1e-13, atol=0)
    assert (neighbor != expected).mean() < (1e-3 if name == "tight clusters" else 1e-9)


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "mahalanobis"])
def test_equals_a_chunk_of_rows_at_a_time(metric, small, monkeypatch):
    x = data("blobs")
    found = d2pyg.knn_graph(x, 6, metric=metric, **small)
    monkeypatch.setattr(torch_backend, "_FEWEST", 10**9)
    expected = d2pyg.knn_graph(x, 6, metric=metric)
    assert found.edge_index.equal(expected.edge_index)
    assert found.edge_attr.equal(expected.edge_attr)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_for_any_number_of_threads(threads, always, monkeypatch):
    monkeypatch.setattr(tiles, "_SIDE", 50)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        graph = d2pyg.knn_graph(data("blobs"), 5)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(matrices(graph, 5)[0], brute_force(data("blobs"), 5)[0])


def test_each_pair_is_multiplied_once(always, monkeypatch):
    monkeypatch.setattr(tiles, "_SIDE", 100)
    pairs, lock = [], threading.Lock()
    honest = Tiles._product

    def counted(self, rows, columns, room):
        with lock:
            pairs.append(len(rows) * len(columns))
        return honest(self, rows, columns, room)

    monkeypatch.setattr(Tiles, "_product", counted)
    d2pyg.knn_graph(data("blobs"), 5)
    assert sum(pairs) == 7 * 8 // 2 * 100**2


def test_limits_leave_nothing_out(always, rng):
    """What is not kept has at least the highest bound of either end."""
    x = torch.from_numpy(rng.normal(size=(500, 6)).astype(np.float32))
    points = Points(x, EuclideanMetric(), torch.device("cpu"))
    table = points.tables[0]
    with progress_bar(500, "", "", False) as bar:
        value, column = Tiles(table, 9).find(bar)
    every = torch.arange(500)
    bound = table.bounds(table.rows(every), table.rows(every)) + table.row_bound(
        points.norm
    ).float().unsqueeze(1)
    bound.fill_diagonal_(torch.inf)
    inside = torch.zeros(500, 500, dtype=torch.bool).scatter_(1, column.long().clamp(min=0), True)
    assert bool((column >= 0).all())
    assert int(inside.sum()) == 500 * 9
    highest = value.amax(dim=1, keepdim=True)
    assert bool((bound[~inside].view(500, -1) >= highest - 1e-5 * points.norm.max()).all())
    assert value[:, :1].equal(highest)


def test_an_error_on_a_thread_is_raised_and_stops_the_others():
    done = []

    def worker():
        def work(task):
            if task == 3:
                raise KeyError("three")
            done.append(task)

        return work

    before = torch.get_num_threads()
    with pytest.raises(KeyError, match="three"):
        share_out(range(100_000), worker)
    assert torch.get_num_threads() == before
    assert len(done) < 100_000


def far_data(name, n=600, dim=12):
    """Data that float32 products cannot tell apart, or where nearly all pairs tie."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, dim)).astype(np.float32)
    if name.startswith("row"):
        x[7] = float(name.split()[1])
    elif name.startswith("clusters"):
        x[n // 2 :] += np.float32(name.split()[1])
    elif name.startswith("column"):
        x[:, 0] = rng.integers(0, 3, n) * np.float32(name.split()[1])
    elif name == "outliers of every size":
        x[:60] *= (10.0 ** rng.uniform(0, 12, (60, 1))).astype(np.float32)
    elif name == "counts":
        x = rng.poisson(0.3, (n, dim)).astype(np.float32)
    elif name == "one-hot":
        x = np.eye(dim, dtype=np.float32)[rng.integers(0, dim, n)]
    elif name == "duplicates by the thousand":
        x = x[rng.integers(0, 5, n)]
    elif name == "weights of words":
        x = np.where(rng.random((n, dim)) < 0.1, rng.random((n, dim)), 0).astype(np.float32)
    return x


FAR = [
    "row 1e8", "row 1e20", "row 1e38", "clusters 1e4", "clusters 1e7", "column 1e6", "column 1e12",
    "outliers of every size", "counts", "one-hot", "duplicates by the thousand", "weights of words",
]  # fmt: skip


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("tiled", [False, True])
def test_hard_data_is_exact(name, tiled, monkeypatch):
    monkeypatch.setattr(torch_backend, "_FEWEST", 0 if tiled else 10**9)
    monkeypatch.setattr(tiles, "_SIDE", 64)
    x = far_data(name)
    neighbor, distance = matrices(d2pyg.knn_graph(x, 5), 5)
    expected, exact = brute_force(x, 5)
    np.testing.assert_allclose(distance, exact, rtol=1e-13, atol=0)
    assert np.array_equal(neighbor, expected)


def cosine(x, others):
    x, others = x.astype(np.float64), others.astype(np.float64)
    lengths = np.linalg.norm(others, axis=1)
    inside = (lengths > 0) & ((others != 0) & (x != 0)).any(axis=1)
    found = np.ones(len(others))
    direction = others[inside] / lengths[inside, None] - x / np.linalg.norm(x) if inside.any() else 0
    found[inside] = np.square(direction).sum(axis=1) / 2 if inside.any() else 0
    return found


@pytest.mark.parametrize("name", ["counts", "one-hot", "weights of words"])
@pytest.mark.parametrize("tiled", [False, True])
def test_samples_that_share_nothing_tie_at_1(name, tiled, monkeypatch):
    monkeypatch.setattr(torch_backend, "_FEWEST", 0 if tiled else 10**9)
    x = far_data(name)
    neighbor, distance = matrices(d2pyg.knn_graph(x, 9, metric="cosine"), 9)
    expected, exact = brute_force(x, 9, distance=cosine)
    np.testing.assert_allclose(distance, exact, rtol=1e-12, atol=1e-15)
    for row, (found, right) in enumerate(zip(neighbor, expected, strict=True)):
        ones = exact[row] == 1
        assert np.array_equal(found[ones], right[ones])
        assert (distance[row][ones] == 1).all()
