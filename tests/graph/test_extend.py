"""A graph that grows and shrinks: bit by bit the graph of what there is, with the metric as fitted."""

import numpy as np
import pytest
import torch
from knn_cases import DATA, data

import d2pyg
from d2pyg.graph import (
    InnerProductMetric,
    Joined,
    MahalanobisMetric,
    Metric,
    PairwiseMetric,
    exact,
    grow,
    nearest_graph,
    plan,
    tiles,
    torch_backend,
)
from d2pyg.graph.groups import Search
from d2pyg.graph.joined import JoinedMetric

CPU = torch.device("cpu")


class Manhattan(PairwiseMetric):
    def pairwise(self, x, y):
        return (x.unsqueeze(1) - y).abs().sum(dim=2)


class Weighted(Metric):
    """A metric that is fitted, and whose state d2pyg cannot know."""

    def __init__(self, weight=None):
        self.weight = weight

    def fit(self, embeddings, device):
        return self if self.weight is not None else Weighted(1 / embeddings.double().var(dim=0))

    def embed(self, x):
        return x * self.weight.sqrt()


def assert_same(one, two):
    """All attributes, but for what an oracle was given as its metric."""
    assert one.edge_index.equal(two.edge_index)
    assert one.edge_attr.equal(two.edge_attr)
    assert (one.num_nodes, one.k, one.backend) == (two.num_nodes, two.k, two.backend)
    assert one.get("group_names") == two.get("group_names")
    assert ("group" in one) == ("group" in two)
    if "group" in one:
        assert one.group.equal(two.group)


def samples(rng, total):
    """Clouds, duplicates, ties on a grid, scales that float32 does not hold, zeros."""
    dim = int(rng.integers(1, 9))
    kind = rng.choice(["normal", "grid", "copies", "constant", "apart", "half", "sparse"])
    x = rng.normal(size=(total, dim))
    if kind == "grid":
        x = rng.integers(0, 3, (total, dim)).astype(float)
    elif kind == "copies":
        x = x[rng.integers(0, max(2, total // 4), total)]
    elif kind == "constant":
        x[:] = x[0]
    elif kind == "apart":
        x[rng.random(total) < 0.5] += 1e6
    elif kind == "sparse":
        x *= rng.random((total, dim)) < 0.3
    return torch.as_tensor(
        x.astype(np.float16 if kind == "half" else rng.choice([np.float32, np.float64]))
    )


def oracle(x, k, metric, batch=None):
    """The graph of all samples by the metric as it was fitted; k may exceed N - 1."""
    found = d2pyg.knn_graph(x, min(k, len(x) - 1), metric=metric, batch=batch)
    found.k = k
    return found


def measures(rng, old):
    """A metric as it is given, and as it is fitted to the old samples."""
    name = str(rng.choice(["euclidean", "cosine", "inner_product", "mahalanobis", "shrunk"]))
    if name not in ("mahalanobis", "shrunk"):
        return name, name
    metric = MahalanobisMetric(shrinkage=0.5 if name == "shrunk" else 0.0)
    try:
        return metric if name == "shrunk" else name, metric.fit(old, CPU)
    except ValueError:  # these samples have no covariance that can be inverted
        return "euclidean", "euclidean"


@pytest.fixture(params=["by rows", "in half precision first", "one tile", "small tiles"])
def way(request, monkeypatch):
    """Sets are small here, so tiles have to be asked for, and so has what a GPU does."""
    if request.param == "in half precision first":
        types = [torch.float16, torch.float32, torch.float64]
        monkeypatch.setattr("d2pyg.graph.points.precisions", lambda device, dim: types)
    elif request.param != "by rows":
        monkeypatch.setattr(torch_backend, "_FEWEST", 0)
    if request.param == "small tiles":
        monkeypatch.setattr(tiles, "_SIDE", 23)
        monkeypatch.setattr(tiles, "_DRAWN_SHARE", 0.9)
    return request.param


@pytest.mark.parametrize("seed", range(100))
def test_equals_the_graph_of_all(seed, way):
    rng = np.random.default_rng(seed)
    total = int(rng.integers(3, 150))
    first = int(rng.integers(2, total))
    x = samples(rng, total)
    k = int(rng.integers(1, min(first, 12)))
    given, fitted = measures(rng, x[:first])
    batch = None if rng.random() < 0.6 else torch.as_tensor(rng.integers(0, rng.integers(1, 9), total))
    graph = d2pyg.knn_graph(x[:first], k, metric=given, batch=None if batch is None else batch[:first])
    more = d2pyg.extend_graph(graph, x[:first], x[first:], None if batch is None else batch[first:])
    assert_same(more, oracle(x, k, fitted, batch))
    assert more.metric == graph.metric
    again = d2pyg.shrink_graph(more, x, torch.arange(total) < first)
    assert_same(again, graph)
    keep = torch.as_tensor(rng.permutation(total)[: int(rng.integers(2, total + 1))].copy())
    left = keep.sort().values
    part = d2pyg.shrink_graph(more, x, keep)
    assert_same(part, oracle(x[left], k, fitted, None if batch is None else batch[left]))


@pytest.mark.parametrize("name", DATA)
def test_data_that_tempts_a_search_to_be_wrong(name, way):
    x = torch.as_tensor(np.ascontiguousarray(data(name)))
    first = max(2, len(x) - len(x) // 5)
    if first == len(x):
        pytest.skip("two samples")
    k = min(7, first - 1)
    expected = d2pyg.knn_graph(x, k)
    more = d2pyg.extend_graph(d2pyg.knn_graph(x[:first], k), x[:first], x[first:])
    assert_same(more, expected)
    keep = torch.arange(len(x)) % 6 > 0
    assert_same(d2pyg.shrink_graph(more, x, keep), d2pyg.knn_graph(x[keep], k))


def test_more_ties_among_new_samples_than_candidates(way):
    # Small whole numbers, of which products and bounds are exact.
    old = torch.cartesian_prod(*[torch.tensor([0.0, 20.0, 40.0, 60.0])] * 3)
    for new in torch.ones(60, 3), torch.cat([torch.full((2, 3), 3.0), torch.ones(60, 3)]):
        x = torch.cat([old, new])
        more = d2pyg.extend_graph(d2pyg.knn_graph(old, 5), old, new)
        assert_same(more, d2pyg.knn_graph(x, 5))
        assert more.edge_index[0, :5].tolist() == [len(x) - 60 + i for i in range(5)]


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "mahalanobis", "inner_product"])
def test_large_enough_for_tiles(metric, rng, monkeypatch):
    x = torch.as_tensor(rng.normal(size=(5000, 12)).astype(np.float32))
    x[4990:] = x[:10]
    called = []
    honest = grow._by_tiles
    monkeypatch.setattr(grow, "_by_tiles", lambda *given: (called.append(1), honest(*given)))
    fitted = MahalanobisMetric().fit(x[:4500], CPU) if metric == "mahalanobis" else metric
    graph = d2pyg.knn_graph(x[:4500], 10, metric=metric)
    assert_same(d2pyg.extend_graph(graph, x[:4500], x[4500:]), d2pyg.knn_graph(x, 10, metric=fitted))
    assert called


@pytest.mark.parametrize("threads", [1, 3])
def test_in_panels_on_threads(threads, monkeypatch):
    """The rounded samples do not fit into memory, so they are made anew, some at a time."""
    monkeypatch.setattr(torch_backend, "_FEWEST", 0)
    monkeypatch.setattr(plan, "_LEAST", 0)
    monkeypatch.setattr(tiles, "_SIDE", 37)
    x = torch.as_tensor(data("blobs"))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        graph = d2pyg.knn_graph(x[:520], 5)
        more = d2pyg.extend_graph(graph, x[:520], x[520:], memory=90_000)
        less = d2pyg.shrink_graph(more, x, torch.arange(700) % 30 > 0, memory=90_000)
    finally:
        torch.set_num_threads(before)
    assert_same(more, d2pyg.knn_graph(x, 5))
    assert_same(less, d2pyg.knn_graph(x[torch.arange(700) % 30 > 0], 5))


def test_sample_by_sample(rng):
    x = torch.as_tensor(rng.integers(0, 4, (30, 2)).astype(np.float32))
    graph = d2pyg.knn_graph(x[:5], 4)
    for total in range(5, 30):
        graph = d2pyg.extend_graph(graph, x[:total], x[total : total + 1])
    assert_same(graph, d2pyg.knn_graph(x, 4))
    for total in range(29, 1, -1):
        graph = d2pyg.shrink_graph(graph, x[: total + 1], range(total))
    assert_same(graph, oracle(x[:2], 4, "euclidean"))


def test_from_one_sample_and_fewer_than_k(rng):
    x = torch.as_tensor(rng.normal(size=(9, 2)))
    one = d2pyg.shrink_graph(d2pyg.knn_graph(x, 5), x, [4])
    assert (one.num_nodes, one.num_edges, one.k) == (1, 0, 5)
    few = d2pyg.extend_graph(one, x[4:5], x[5:8])
    assert_same(few, oracle(x[4:8], 5, "euclidean"))
    assert_same(d2pyg.extend_graph(few, x[4:8], x[:4]), d2pyg.knn_graph(torch.cat([x[4:8], x[:4]]), 5))


def test_only_pairs_with_a_new_sample_are_multiplied(rng, monkeypatch):
    monkeypatch.setattr(torch_backend, "_FEWEST", 0)
    monkeypatch.setattr(tiles, "_SIDE", 50)
    x = torch.as_tensor(rng.normal(size=(1030, 4)).astype(np.float32))
    graph = d2pyg.knn_graph(x[:1000], 3)
    pairs = []
    honest = tiles.Tiles._product
    monkeypatch.setattr(
        tiles.Tiles,
        "_product",
        lambda self, one, two, room: (pairs.append(len(one) * len(two)), honest(self, one, two, room))[
            1
        ],
    )
    d2pyg.extend_graph(graph, x[:1000], x[1000:])
    assert sum(pairs) == 1000 * 30 + 30 * 30  # no sample is drawn from so few


def test_only_rows_that_lost_a_neighbor_are_searched(rng, monkeypatch):
    x = torch.as_tensor(rng.normal(size=(200, 3)))
    graph = d2pyg.knn_graph(x, 4)
    keep = torch.arange(200) != 77
    lost = graph.edge_index[1][graph.edge_index[0] == 77]
    asked = []
    honest = exact.nearest_of
    monkeypatch.setattr(
        "d2pyg.graph.renew.nearest_of",
        lambda points, rows, k: (asked.extend(rows.tolist()), honest(points, rows, k))[1],
    )
    d2pyg.shrink_graph(graph, x, keep)
    assert sorted(asked) == sorted((lost - (lost > 77).long()).tolist())


def test_groups_that_do_not_change_are_not_searched(rng, monkeypatch):
    x, batch = torch.as_tensor(rng.normal(size=(90, 3))), torch.arange(90) % 3
    batch[80:] = 2
    graph = d2pyg.knn_graph(x[:80], 4, batch=batch[:80])
    searched = []
    for name in "groups", "points":
        honest = getattr(Search, name)
        monkeypatch.setattr(
            Search,
            name,
            lambda self, nodes, *rest, do=honest: (
                searched.extend(nodes.tolist()),
                do(self, nodes, *rest),
            )[1],
        )
    more = d2pyg.extend_graph(graph, x[:80], x[80:], batch[80:])
    assert {*searched} == {*(batch == 2).nonzero().flatten().tolist()}
    searched.clear()
    less = d2pyg.shrink_graph(more, x, (batch == 1) | (torch.arange(90) < 80))
    assert {*searched} == {i for i in range(80) if batch[i] == 2}
    assert_same(less, graph)


@pytest.mark.parametrize("kind", ["list of two", "Joined", "weights, cosine and Mahalanobis"])
def test_joined(kind, way, rng):
    parts = [torch.as_tensor(rng.normal(size=(90, d)).astype(np.float32)) for d in (3, 5)]
    old, new = [p[:70] for p in parts], [p[70:] for p in parts]
    given = old
    if kind == "Joined":
        given = Joined(old)
    elif kind != "list of two":
        given = Joined(old, weights=[1, 3], metric=["mahalanobis", "cosine"])
    graph = d2pyg.knn_graph(given, 5)
    expected = Joined(parts)
    expected.metric = given.metric if isinstance(given, Joined) else Joined(old).metric
    more = d2pyg.extend_graph(graph, given, new)
    assert_same(more, d2pyg.knn_graph(expected, 5))
    assert more.metric == graph.metric
    one = d2pyg.extend_graph(graph, old, [p[:1] for p in new])  # arrays of one row
    assert_same(d2pyg.extend_graph(one, [p[:71] for p in parts], [p[71:] for p in parts]), more)
    assert_same(d2pyg.shrink_graph(more, parts, range(70)), graph)


@pytest.mark.parametrize("registered", [False, True])
def test_metrics_of_ones_own_that_compare_pairs(registered, rng):
    if registered:
        d2pyg.register("metric", "manhattan-here")(Manhattan)
    x = torch.as_tensor(rng.integers(0, 5, (80, 3)).astype(np.float64))
    graph = d2pyg.knn_graph(x[:60], 4, metric=Manhattan())
    again = {} if registered else {"metric": Manhattan()}
    more = d2pyg.extend_graph(graph, x[:60], x[60:], **again)
    assert_same(more, d2pyg.knn_graph(x, 4, metric=Manhattan()))
    assert_same(d2pyg.shrink_graph(more, x, torch.arange(80) < 60, **again), graph)


def test_metrics_of_ones_own_that_are_fitted(rng):
    x = torch.as_tensor(rng.normal(size=(80, 3))) * torch.tensor([1.0, 5.0, 9.0])
    fitted = Weighted().fit(x[:60], CPU)
    graph = d2pyg.knn_graph(x[:60], 4, metric=Weighted())
    with pytest.raises(ValueError, match=r"'metric' with a graph that does not keep its own \(got 'Wei"):
        d2pyg.extend_graph(graph, x[:60], x[60:])
    assert_same(
        d2pyg.extend_graph(graph, x[:60], x[60:], metric=fitted), d2pyg.knn_graph(x, 4, metric=fitted)
    )


def test_a_metric_that_goes_by_a_name(rng):
    class Power(Metric):
        def __init__(self, power=3):
            self.power = power

        def embed(self, x):
            return x**self.power

        def state(self):
            return {"power": self.power}

    d2pyg.register("metric", "power-here")(Power)
    x = torch.as_tensor(rng.normal(size=(40, 3)))
    for metric in "power-here", Power(), Power(power=5):
        graph = d2pyg.knn_graph(x[:30], 4, metric=metric)
        assert_same(d2pyg.extend_graph(graph, x[:30], x[30:]), d2pyg.knn_graph(x, 4, metric=metric))


def test_names_of_groups(rng):
    x = torch.as_tensor(rng.normal(size=(40, 3)))
    names = np.array(["dog", "cat", "eel"])[rng.integers(0, 3, 30)].tolist()
    more = ["ape", "dog"] * 5
    graph = d2pyg.knn_graph(x[:30], 3, batch=names)
    assert graph.group_names == ["cat", "dog", "eel"]
    found = d2pyg.extend_graph(graph, x[:30], x[30:], more)
    assert found.group_names == ["ape", "cat", "dog", "eel"]
    assert_same(found, d2pyg.knn_graph(x, 3, batch=names + more))
    dogs = [name == "dog" for name in names + more]
    assert_same(
        d2pyg.shrink_graph(found, x, dogs), d2pyg.knn_graph(x[dogs], 3, batch=["dog"] * sum(dogs))
    )


@pytest.mark.parametrize("metric", ["euclidean", "mahalanobis"])
def test_from_files(metric, rng, tmp_path):
    x = torch.as_tensor(rng.normal(size=(60, 3)))
    d2pyg.save_graph(d2pyg.knn_graph(x[:50], 3, metric=metric, batch=["a", "b"] * 25), tmp_path / "g.pt")
    graph = d2pyg.load_graph(tmp_path / "g.pt")
    more = d2pyg.extend_graph(graph, x[:50], x[50:], ["a"] * 10)
    d2pyg.save_graph(more, tmp_path / "g.pt")
    found = d2pyg.shrink_graph(d2pyg.load_graph(tmp_path / "g.pt"), x, range(50))
    assert_same(found, graph)
    fitted = MahalanobisMetric().fit(x[:50], CPU) if metric == "mahalanobis" else metric
    assert_same(more, oracle(x, 3, fitted, ["a", "b"] * 25 + ["a"] * 10))


def test_mapped_half_precision_and_other_types(rng, tmp_path):
    x = rng.normal(size=(90, 6))
    np.save(tmp_path / "old.npy", x[:70].astype(np.float16))
    old, new = np.load(tmp_path / "old.npy", mmap_mode="r"), x[70:].astype(np.float32)
    both = torch.cat([torch.tensor(old).double(), torch.tensor(new).double()])
    for metric in "euclidean", "cosine":
        more = d2pyg.extend_graph(d2pyg.knn_graph(old, 4, metric=metric), old, new)
        assert_same(more, d2pyg.knn_graph(both, 4, metric=metric))


def test_of_fewer_neighbors(rng):
    x = torch.as_tensor(rng.normal(size=(50, 3)))
    batch = torch.arange(50) % 2
    graph = nearest_graph(d2pyg.knn_graph(x[:40], 9, batch=batch[:40]), 4)
    assert_same(
        d2pyg.extend_graph(graph, x[:40], x[40:], batch[40:]), d2pyg.knn_graph(x, 4, batch=batch)
    )


def test_keep_in_every_form(rng):
    x = rng.normal(size=(40, 3))
    graph, coreset = d2pyg.knn_graph(x, 3), d2pyg.select(x, budget=15)
    expected = d2pyg.knn_graph(d2pyg.take(x, coreset), 3)
    forms = coreset, coreset.index, coreset.index.tolist(), coreset.mask, coreset.mask.tolist()
    for keep in (*forms, coreset.mask.numpy(), coreset.index.numpy().astype(np.uint16)):
        assert_same(d2pyg.shrink_graph(graph, x, keep), expected)


def test_all_stay(rng):
    x = rng.normal(size=(40, 3))
    graph = d2pyg.knn_graph(x, 3)
    assert_same(d2pyg.shrink_graph(graph, x, range(40)), graph)


def test_inputs_stay_as_they_are(rng):
    x = torch.as_tensor(rng.normal(size=(40, 3)))
    graph = d2pyg.knn_graph(x[:30], 3, batch=torch.arange(30) % 2)
    before = graph.clone()
    d2pyg.extend_graph(graph, x[:30], x[30:], torch.zeros(10).long())
    d2pyg.shrink_graph(graph, x[:30], range(20))
    assert_same(graph, before)


def test_progress_counts_to_the_end(rng, capsys):
    x = torch.as_tensor(rng.normal(size=(5000, 4)))
    d2pyg.extend_graph(d2pyg.knn_graph(x[:4500], 3), x[:4500], x[4500:], progress=True)
    d2pyg.shrink_graph(d2pyg.knn_graph(x, 3), x, range(4900), progress=True)
    said = capsys.readouterr().err
    assert "5.00k/5.00k" in said
    assert "4.90k/4.90k" in said


def test_exact_backends_of_all_names(rng):
    pytest.importorskip("faiss")
    x = torch.as_tensor(rng.normal(size=(60, 3)))
    graph = d2pyg.knn_graph(x[:50], 3, backend="faiss")
    assert_same(d2pyg.extend_graph(graph, x[:50], x[50:]), d2pyg.knn_graph(x, 3, backend="faiss"))


def test_on_other_devices(device, rng):
    x = torch.as_tensor(rng.integers(0, 5, (400, 3)).astype(np.float32)).to(device)
    for metric in "euclidean", "mahalanobis", "inner_product":
        fitted = MahalanobisMetric().fit(x[:350], device) if metric == "mahalanobis" else metric
        graph = d2pyg.knn_graph(x[:350], 4, metric=metric)
        more = d2pyg.extend_graph(graph, x[:350], x[350:])
        assert more.edge_attr.device.type == device.type
        assert_same(more, d2pyg.knn_graph(x, 4, metric=fitted))
        assert_same(d2pyg.shrink_graph(more, x, range(350)), graph)


X = np.random.default_rng(0).normal(size=(30, 3))
GRAPH = d2pyg.knn_graph(X, 4)
GROUPED = d2pyg.knn_graph(X, 4, batch=np.arange(30) % 2)


def changed(graph=GRAPH, **attributes):
    found = graph.clone()
    for name, value in attributes.items():
        found[name] = value
    return found


def without(*names):
    found = GRAPH.clone()
    for name in names:
        del found[name]
    return found


def turned(graph=GRAPH):
    return changed(graph, edge_index=graph.edge_index.flip(1), edge_attr=graph.edge_attr.flip(0))


BAD_GRAPHS = {
    "no graph": (X, TypeError, r"'graph' to be a torch_geometric.data.Data \(got ndarray\)"),
    "no k": (without("k"), ValueError, r"to say how it was built, .* \(got \[None, 'euclidean', 'torch'\]\)"),
    "no backend": (without("backend"), ValueError, r"to say how it was built"),
    "no metric": (without("metric"), ValueError, r"to say how it was built"),
    "approximate": (
        changed(backend="pynndescent"),
        ValueError,
        r"of an exact 'backend', .* \(got 'pynndescent', which is approximate\). Build a new one",
    ),
    "unknown": (changed(backend="theirs"), ValueError, r"'theirs', which is not known here"),
    "no state": (without("metric_state"), ValueError, r"'metric' with a graph that does not keep its own"),
    "odd state": (changed(metric_state=3), ValueError, r"'metric_state' of the graph to be as d2pyg"),
    "another metric": (
        changed(metric_state={"name": "no such", "state": {}, "dims": [3]}),
        ValueError,
        r"metric of 'graph' to be registered here \(got 'no such'\). Import the module that registers it",
    ),
    "odd arguments": (
        changed(metric_state={"name": "euclidean", "state": {"x": 1}, "dims": [3]}), ValueError, r"\(got TypeError"
    ),
    "odd covariance": (
        changed(
            metric_state={
                "name": "mahalanobis", "dims": [3],
                "state": {
                    "shrinkage": 0.0, "covariance": torch.eye(2),
                    "whitening": torch.eye(3), "center": torch.zeros(3),
                },
            }
        ),
        ValueError,
        r"'state' to be of 3 coordinates \(got shapes",
    ),
    "covariance of others": (
        changed(
            metric_state={
                "name": "mahalanobis", "dims": [3],
                "state": {
                    "shrinkage": 0.0, "covariance": torch.eye(3),
                    "whitening": torch.eye(3) * torch.nan, "center": torch.zeros(3),
                },
            }
        ),
        ValueError,
        r"'embeddings' to be those that the graph was built from",
    ),
    "other groups": (changed(group=torch.arange(30) % 2), ValueError, r"to join nodes of one 'group' \(got"),
    "groups of others": (changed(GROUPED, group=torch.zeros(9).long()), ValueError, r"'group' to have one"),
    "odd names": (changed(GROUPED, group_names=["a"]), ValueError, r"'group_names' of the graph to name"),
    "turned": (turned(), ValueError, r"edges of 'graph' by target, distance and source"),
    "fewer": (
        changed(edge_index=GRAPH.edge_index[:, 1:], edge_attr=GRAPH.edge_attr[1:]),
        ValueError,
        r"each node of 'graph' to have k neighbors, 4, or all others of its group \(got 3 at node 0\)",
    ),
    "another k": (changed(k=5), ValueError, r"to have k neighbors, 5"),
    "k of 0": (changed(k=0), ValueError, r"to say how it was built, .* \(got \[0, "),
    "k of a batch": (changed(k=torch.tensor([4, 4])), ValueError, r"to say how it was built"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_GRAPHS)
def test_graphs_that_are_refused(name):
    graph, kind, message = BAD_GRAPHS[name]
    for call in (
        lambda: d2pyg.extend_graph(graph, X, X[:2]),
        lambda: d2pyg.shrink_graph(graph, X, [1, 2]),
    ):
        with pytest.raises(kind, match=message) as caught:
            call()
        assert len(str(caught.value)) < 320


NAN = X.copy()
NAN[7, 1] = np.nan
NAMED = d2pyg.knn_graph(X, 4, batch=["a", "b"] * 15)
JOINED = d2pyg.knn_graph([X, X[:, :2]], 4)
BAD_ARGUMENTS = [
    ((GRAPH, X[:29], X), ValueError, r"'embeddings' of the 30 samples of the graph \(got 29 rows\)"),
    ((GRAPH, X[::-1].copy(), X), ValueError, r"'embeddings' to be those that the graph was built from"),
    ((GRAPH, X.astype(np.float32), X), ValueError, r"Pass them in the same order and precision"),
    ((GRAPH, X * 2, X), ValueError, r"'embeddings' to be those that the graph was built from"),
    (
        (GRAPH, X, X[:, :2]),
        ValueError,
        r"'new' to have the 3 coordinates that the graph was built from \(g",
    ),
    ((GRAPH, X[:, :2], X), ValueError, r"'embeddings' to have the 3 coordinates .* \(got 2\)"),
    ((GRAPH, X, NAN), ValueError, r"'new' to be finite \(got NaN or infinity in 1 of 30 rows"),
    ((GRAPH, NAN, X), ValueError, r"'embeddings' to be finite"),
    ((GRAPH, X, X[:0]), ValueError, r"'new' to have at least one sample"),
    ((GRAPH, X, X[0]), ValueError, r"'new' to have two dimensions"),
    ((GRAPH, GRAPH, X), TypeError, r"'embeddings' to be a tensor or an array \(got a graph"),
    ((GRAPH, X, GRAPH), TypeError, r"'new' to be a tensor or an array \(got a graph"),
    ((GRAPH, X, X, [0] * 30), ValueError, r"'batch' to be left out with a graph that was built without"),
    ((GROUPED, X, X), ValueError, r"'batch' to hold the groups of the new samples"),
    ((GROUPED, X, X, [0] * 29), ValueError, r"'batch' to have one value for each of the 30 samples"),
    ((GROUPED, X, X, ["a"] * 30), ValueError, r"'batch' to hold numbers, as in the graph \(got names\)"),
    ((NAMED, X, X, [0] * 30), ValueError, r"'batch' to hold names, as in the graph \(got numbers\)"),
    ((JOINED, X, X), ValueError, r"'embeddings' to be a list of 2 arrays, .* \(got ndarray\)"),
    ((JOINED, [X, X[:, :2]], [X]), ValueError, r"'new' to be a list of 2 arrays"),
    (
        (JOINED, [X, X[:, :2]], [X, X]),
        ValueError,
        r"'new' to have the 3 and 2 coordinates .* \(got 3 and 3",
    ),
]


@pytest.mark.parametrize("number", range(len(BAD_ARGUMENTS)))
def test_arguments_that_are_refused(number):
    arguments, kind, message = BAD_ARGUMENTS[number]
    with pytest.raises(kind, match=message):
        d2pyg.extend_graph(*arguments)


@pytest.mark.parametrize(
    ("keep", "kind", "message"),
    [
        ([], ValueError, r"'keep' to have at least one of the 30 samples \(got none\)"),
        (np.zeros(30, bool), ValueError, r"'keep' to have at least one"),
        (np.ones(29, bool), ValueError, r"'keep' to have one value for each of the 30 samples"),
        ([30], ValueError, r"'keep' to lie in 0 to 29"),
        ([1, 1], ValueError, r"'keep' to name each sample once"),
        ([0.5], TypeError, r"'keep' to be integer indices"),
        (["a"], TypeError, r"'keep' to be integer indices"),
        (d2pyg.select(X[:20], budget=4), ValueError, r"'keep' to have one value for each of the 30"),
    ],
)
def test_keep_that_is_refused(keep, kind, message):
    with pytest.raises(kind, match=message):
        d2pyg.shrink_graph(GRAPH, X, keep)


def test_a_metric_that_is_kept_is_not_given_again():
    with pytest.raises(
        ValueError, match=r"'metric' to be left out.*'cosine', and a graph that keeps its"
    ):
        d2pyg.extend_graph(GRAPH, X, X, metric="cosine")
    graph = d2pyg.knn_graph(X, 4, metric=Manhattan())
    with pytest.raises(ValueError, match=r"\(got 'cosine', and a graph that is of Manhattan"):
        d2pyg.extend_graph(graph, X, X, metric="cosine")
    with pytest.raises(ValueError, match=r"'new' to have the 3 coordinates of 'embeddings' \(got 2\)"):
        d2pyg.extend_graph(graph, X, X[:, :2], metric=Manhattan())


def test_states_of_metrics():
    assert MahalanobisMetric().state() is None
    assert MahalanobisMetric(torch.eye(3)).state() is None  # it has no center yet
    assert InnerProductMetric().state() == {}
    assert Weighted().state() is None
    fitted = MahalanobisMetric(shrinkage=0.1).fit(torch.as_tensor(X), CPU)
    again = MahalanobisMetric.from_state(fitted.state())
    assert again.embed(torch.as_tensor(X)).equal(fitted.embed(torch.as_tensor(X)))
    assert isinstance(Joined([X, X]).metric, JoinedMetric)
