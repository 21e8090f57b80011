"""Many coordinates: bounds that still tell rows apart, within the memory that was given."""

import numpy as np
import pytest
import torch
from knn_cases import brute_force, matrices
from live_bytes import LiveBytes
from perturbed import PerturbedProducts
from torch.utils._python_dispatch import TorchDispatchMode

import d2pyg
from d2pyg import baselines, metrics
from d2pyg.graph import exact, kmeans, pairs, plan, torch_backend
from d2pyg.graph.doubt import settle
from d2pyg.graph.exact import certify
from d2pyg.graph.metric import EuclideanMetric
from d2pyg.graph.points import Points
from d2pyg.graph.table import Rounded

CPU = torch.device("cpu")


def normal(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["tiles", "a chunk of rows at a time"])
def way(request, monkeypatch):
    monkeypatch.setattr(torch_backend, "_FEWEST", 0 if request.param == "tiles" else 10**9)


@pytest.fixture
def in_doubt(monkeypatch):
    """How many rows were, one number a search."""
    found = []

    def counted(points, rows, neighbor, distance, unsure):
        found.append(int(unsure.sum()))
        settle(points, rows, neighbor, distance, unsure)

    monkeypatch.setattr(exact, "settle", counted)
    return found


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_rows_of_many_coordinates_are_certified(metric, way, in_doubt):
    """All were in doubt: the bound of a sum of so many products is above the gaps between distances."""
    x = normal(100, 1 << 15)
    graph = d2pyg.knn_graph(x, 15, metric=metric)
    assert sum(in_doubt) <= 2
    if metric == "euclidean":
        assert np.array_equal(matrices(graph, 15)[0], brute_force(x.numpy(), 15)[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [700, 1100, 20_001])
def test_bounds_are_below_distances(dtype, dim):
    rounded = Rounded(dtype, dim)
    x = (normal(12, dim).double() / 4).clamp(-1, 1)
    x[6:] = x[:6] * (1 + 1e-3 * normal(6, dim, 1).double())  # near ones, whose bounds are the tightest
    norm, distance = x.square().sum(dim=1), torch.cdist(x, x).square()
    table = rounded.of(x, norm)
    with PerturbedProducts(dim):
        bound = rounded.bounds(table, table).double()
    bound += rounded.row_bound(norm).unsqueeze(1)
    slack = 2.1 * rounded.error * (norm.unsqueeze(1) + norm) + 3 * rounded.tiny
    assert bool((bound <= distance + 1e-12).all())
    assert bool((bound >= distance - slack).all())


def test_errors_grow_with_the_root_of_the_coordinates():
    narrow, wide, wider = (Rounded(torch.float32, dim) for dim in (1024, 1 << 16, 1 << 22))
    assert narrow.error == narrow.error_at_once
    assert wide.error < narrow.error < wide.error_at_once / 50
    assert wider.error < 4 * narrow.error < wider.error_at_once / 900


def test_no_product_is_of_more_coordinates_than_its_error_says(way):
    longest = []

    class Inner(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func.overloadpacket.__name__ in ("mm", "bmm", "addmm", "baddbmm"):
                longest.append(args[0].shape[-1])
                assert func.overloadpacket.__name__ in ("mm", "bmm")  # others may add in one go
            return func(*args, **(kwargs or {}))

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # a mode watches its own thread
        with Inner():
            d2pyg.knn_graph(normal(100, 2000), 3, batch=np.arange(100) // 96)
    finally:
        torch.set_num_threads(before)
    assert max(longest) <= 512 + 1 + 16


def test_a_library_may_add_in_any_order():
    """What it proposes is certified by the error of one sum of all products."""
    x = normal(60, 16_384)
    points = Points(x, EuclideanMetric(), CPU)
    rows = torch.arange(60)
    order = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf).argsort(dim=1)
    assert int(certify(points, rows, order[:, :11], 9)[2].sum()) > 50


MEMORY = 1_500_000


@pytest.fixture
def tight(monkeypatch):
    """As little memory as this, beside what a graph itself takes."""
    monkeypatch.setattr(plan, "_LEAST", 0)
    monkeypatch.setattr(plan, "free_bytes", lambda device: 4 * MEMORY)
    monkeypatch.setattr(pairs, "_COPIED", 1 << 14)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Doubled(d2pyg.graph.Metric):
    def embed(self, x):
        return 2 * x


class Manhattan(d2pyg.graph.PairwiseMetric):
    def pairwise(self, x, y):
        return (x.unsqueeze(1) - y).abs().sum(dim=2)


def peak(run):
    with LiveBytes() as live:
        run()
    return live.peak


def pairs_of_parts(x):
    return [x[:, : x.shape[1] // 2].contiguous(), x[:, x.shape[1] // 2 :].contiguous()]


GRAPHS = {
    "euclidean": {},
    "cosine": {"metric": "cosine"},
    "inner product": {"metric": "inner_product"},
    "a user's": {"metric": Doubled()},
    "pairs": {"metric": Manhattan()},
    "groups": {"batch": np.arange(200) % 7},
    "groups, a user's": {"batch": np.arange(200) % 7, "metric": Doubled()},
    "large groups, inner product": {"batch": np.arange(200) % 2, "metric": "inner_product"},
}


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_keep_to_the_memory(name, way, tight):
    x = normal(200, 1 << 11)
    if name == "cosine":
        x = x.half()  # which is copied before it is measured
    if name == "pairs":
        x = x[:60]
    assert peak(lambda: d2pyg.knn_graph(x, 3, **GRAPHS[name])) < MEMORY


def test_graphs_of_joined_embeddings_keep_to_the_memory(way, tight, monkeypatch):
    monkeypatch.setattr("d2pyg.graph.joined._ELEMENTS", 1 << 13)
    x = pairs_of_parts(normal(200, 1 << 11))
    assert peak(lambda: d2pyg.knn_graph(x, 3)) < MEMORY


@pytest.mark.parametrize("name", ["euclidean", "a user's"])
def test_rows_in_doubt_keep_to_the_memory(name, way, tight, in_doubt):
    """Samples that are nearly the same, and far from as many others; they are redone together."""
    x = normal(2, 1 << 12)[torch.arange(64) % 2]
    x[:, 0] += torch.arange(64) * 1e-6
    assert peak(lambda: d2pyg.knn_graph(x, 3, **GRAPHS[name])) < MEMORY
    assert len(in_doubt) == 1
    assert in_doubt[0] >= 25


MEASURES = {
    "coverage_radius": lambda x, **how: metrics.coverage_radius(x, range(0, 200, 3), **how),
    "aucpr": lambda x, **how: metrics.aucpr(x, range(0, 200, 3), **how),
    "near_duplicates": lambda x, **how: metrics.near_duplicates(x, range(0, 200, 3), 0.1, **how),
    "duplicates": lambda x, **how: d2pyg.duplicates(x, 0.1, **how),
    "k_center": lambda x, **how: baselines.k_center(x, budget=20, **how),
    "k_center, resumed": lambda x, **how: baselines.k_center(x, budget=2, initial=range(150), **how),
    "moderate": lambda x, **how: baselines.moderate(x, budget=20, **how),
    "facility_location": lambda x, **how: baselines.facility_location(x, budget=20, **how),
    "graph_cut": lambda x, **how: baselines.graph_cut(x, budget=20, **how),
}


@pytest.mark.parametrize("metric", ["euclidean", Doubled()], ids=str)
@pytest.mark.parametrize("name", MEASURES)
def test_measures_and_methods_keep_to_a_quarter_of_what_is_free(name, metric, tight):
    x = normal(200, 1 << 11)
    assert peak(lambda: MEASURES[name](x, metric=metric)) < MEMORY


def test_k_center_where_all_tie_keeps_to_it(tight):
    x = torch.eye(600).repeat(1, 4)
    assert peak(lambda: baselines.k_center(x, budget=5, metric=Doubled())) < MEMORY


@pytest.mark.parametrize("method", [baselines.prototypes, baselines.semdedup])
def test_clusterings_keep_to_chunks(method, monkeypatch):
    monkeypatch.setattr(kmeans, "_ITERATIONS", 1)
    x = normal(300, 1 << 14)
    assert peak(lambda: method(x, budget=10, clusters=2)) < 100 * 2**20


def test_a_covariance_takes_few_copies_of_itself():
    x = normal(900, 800)
    metric = d2pyg.graph.MahalanobisMetric(shrinkage=0.1)
    assert peak(lambda: metric.fit(x, CPU)) < 6.5 * 8 * 800**2
