"""Facility location and graph cut: lazy equals naive, and both are near the optimum."""

from itertools import combinations

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import baselines


def similarity(x, k, gamma=1.0, kernel="rbf"):
    """All pairs, [N, N], by the definition."""
    graph = d2pyg.knn_graph(torch.as_tensor(x), k)
    positive = sorted(d for d in graph.edge_attr.tolist() if d > 0)
    unit = positive[(len(positive) - 1) // 2] if positive else 1.0
    s = np.eye(len(x))
    for (j, i), d in zip(graph.edge_index.T.tolist(), graph.edge_attr.tolist(), strict=True):
        power = gamma * (d / unit) ** (2 if kernel == "rbf" else 1)
        s[i, j] = s[j, i] = round(np.exp(-power) * 2**30) / 2**30
    return s


def facility_location(s, chosen, tradeoff):
    return s[:, list(chosen)].max(axis=1).sum() if len(chosen) else 0.0


def graph_cut(s, chosen, tradeoff):
    chosen = list(chosen)
    return s[:, chosen].sum() - tradeoff * s[np.ix_(chosen, chosen)].sum()


FUNCTIONS = {"facility_location": facility_location, "graph_cut": graph_cut}


def naive(value, s, count, first=(), tradeoff=0.5):
    """Every gain anew for every pick."""
    chosen, picks, gains = list(first), [], []
    for _ in range(count):
        now = value(s, chosen, tradeoff)
        gain = {i: value(s, [*chosen, i], tradeoff) - now for i in range(len(s)) if i not in chosen}
        pick = max(gain, key=lambda i: (gain[i], -i))
        chosen.append(pick)
        picks.append(pick)
        gains.append(gain[pick])
    return picks, gains


@pytest.mark.parametrize("initial", [(), (3, 17)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_lazy_equals_naive(name, initial, rng):
    for case in range(6):
        x = rng.normal(size=(45, 2)) if case % 2 else rng.integers(0, 3, (45, 2)).astype(float)
        k, gamma = int(rng.integers(1, 12)), [0.0, 0.3, 2.0][case % 3]
        kernel = "rbf" if case < 3 else "laplacian"
        s = similarity(x, k, gamma, kernel)
        picks, gains = naive(FUNCTIONS[name], s, 30, initial)
        coreset = getattr(baselines, name)(
            x, budget=30, k=k, gamma=gamma, kernel=kernel, initial=initial
        )
        np.testing.assert_allclose(coreset.pick_scores, gains, atol=1e-6)
        if (
            case % 2 or name == "facility_location"
        ):  # graph cut rounds sums: where many tie it may differ
            assert coreset.index.tolist() == picks


@pytest.mark.parametrize("name", FUNCTIONS)
def test_ties_go_to_the_lowest_index(name):
    x = np.arange(8.0)[:, None] // 2 * 10  # four pairs of duplicates
    coreset = getattr(baselines, name)(x, budget=8, k=1)
    assert coreset.index.tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


@pytest.mark.parametrize("budget", [2, 3, 4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_near_the_optimum(name, budget, rng):
    value = FUNCTIONS[name]
    for _ in range(4):
        x = rng.normal(size=(12, 2))
        s = similarity(x, 4)
        best = max(value(s, chosen, 0.5) for chosen in combinations(range(12), budget))
        picked = getattr(baselines, name)(x, budget=budget, k=4).index.tolist()
        assert (1 - 1 / np.e) * best <= value(s, picked, 0.5) + 1e-6
        assert value(s, picked, 0.5) <= best + 1e-6


def test_graph_cut_beyond_monotone(rng):
    x = rng.normal(size=(40, 2))
    picks, gains = naive(graph_cut, similarity(x, 8), 40, tradeoff=2.0)
    coreset = baselines.graph_cut(x, budget=40, k=8, tradeoff=2.0)
    assert gains[-1] < 0
    assert coreset.index.tolist() == picks
    np.testing.assert_allclose(coreset.pick_scores, gains, atol=1e-6)


def test_classes_share_no_similarity(rng):
    x, labels = rng.normal(size=(60, 2)), rng.integers(0, 2, 60)
    for name, value in FUNCTIONS.items():
        coreset = getattr(baselines, name)(x, labels=labels, budget=30, k=5)
        unit = coreset.settings["scale_value"]
        for c in range(2):
            members = np.flatnonzero(labels == c)
            own = sorted(d2pyg.knn_graph(x[members], 5).edge_attr.tolist())
            s = similarity(x[members], 5, gamma=(own[(len(own) - 1) // 2] / unit) ** 2)
            mine = coreset.index[torch.as_tensor(labels)[coreset.index] == c]
            assert mine.tolist() == members[naive(value, s, len(mine))[0]].tolist()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_progress(name, capsys, rng):
    getattr(baselines, name)(rng.normal(size=(30, 2)), budget=12, progress=True)
    shown = capsys.readouterr().err
    assert "kNN graph: 100%" in shown
    assert "12.0/12.0" in shown


class TestOnGraphs:
    """Both methods take a graph that is there; what it gives is what building it anew gives."""

    @pytest.mark.parametrize("k", [None, 6, 3])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_a_graph_in_place_of_embeddings(self, name, k, rng, device):
        method = getattr(baselines, name)
        x = torch.as_tensor(rng.normal(size=(70, 3)), device=device)
        graph = d2pyg.knn_graph(x, 6)
        there, built = method(graph, budget=30, k=k), method(x, budget=30, k=k or 6)
        assert there.index.device.type == device.type
        assert there.index.equal(built.index)
        assert there.pick_scores.equal(built.pick_scores)
        assert there.settings["k"] == built.settings["k"] == (k or 6)
        assert (there.settings["metric"], there.settings["backend"]) == ("euclidean", "torch")

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_classes_scores_and_samples_chosen_before(self, name, rng):
        method = getattr(baselines, name)
        x, labels, scores = rng.normal(size=(70, 3)), rng.integers(0, 3, 70), rng.random(70)
        graph = d2pyg.knn_graph(x, 5, batch=labels)
        options = {"labels": labels, "budget": 30, "initial": [4, 9], "balance": "uniform"}
        there, built = method(graph, scores, **options), method(x, scores, k=5, **options)
        assert there.index.equal(built.index)
        assert there.pick_scores.equal(built.pick_scores)
        assert there.scores.tolist() == scores.tolist()

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_the_cutoff_takes_edges_with_it(self, name):
        graph = d2pyg.knn_graph(torch.tensor([[0.0], [1.0], [2.0], [3.0]]), 1)  # 0 - 1 - 2 - 3
        coreset = getattr(baselines, name)(graph, [0, 9, 0, 0], cutoff=0.25, budget=3)
        assert coreset.index.tolist() == [2, 0, 3]
        assert coreset.scores.isnan().tolist() == [False, True, False, False]

    def test_metrics_and_backends(self, rng):
        class Manhattan(d2pyg.graph.PairwiseMetric):
            def pairwise(self, x, y):
                return torch.cdist(x, y, p=1)

        x = rng.normal(size=(50, 3))
        graph = d2pyg.knn_graph(x, 4, metric=Manhattan())
        one = baselines.facility_location(x, budget=20, k=4, metric=Manhattan())
        assert one.index.equal(baselines.facility_location(graph, budget=20).index)
        assert one.settings["metric"] == "Manhattan()"

    def test_what_the_graph_decides_cannot_be_asked_for(self, rng):
        x, labels = rng.normal(size=(20, 2)), np.arange(20) % 2
        graph = d2pyg.knn_graph(x, 3)
        for name in FUNCTIONS:
            method = getattr(baselines, name)
            for options, match in [
                ({"metric": "cosine"}, "'metric' to be left out with a graph"),
                ({"backend": "torch"}, "'backend' to be left out with a graph"),
                ({"k": 4}, "'k' to be between 1 and 3, the graph's own k"),
                (
                    {"labels": labels},
                    r"without edges between samples of different labels .*batch=labels",
                ),
            ]:
                with pytest.raises(ValueError, match=match):
                    method(graph, budget=3, **options)
