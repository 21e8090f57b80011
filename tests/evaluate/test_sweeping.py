"""A sweep's rows against one separate selection each."""

import itertools
import warnings

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import metrics

GRID = {
    "cutoff": [0.0, 0.15],
    "k": [1, 6, 3],
    "gamma_forward": [1.0, 0.3],
    "gamma_reverse": [0, 1],
    "clamp": [False, True],
}
SETTINGS = [dict(zip(GRID, chosen, strict=True)) for chosen in itertools.product(*GRID.values())]


@pytest.fixture
def data(rng):
    x = rng.normal(size=(90, 4)).astype(np.float32)
    return x, rng.random(90), rng.integers(0, 4, 90)


def separately(x, scores, labels, amounts, metric="euclidean", **fixed):
    """The same rows, each from a selection with a graph of its own."""
    first = None
    for setting, amount in itertools.product(SETTINGS, amounts):
        coreset = d2pyg.select(x, scores, labels=labels, metric=metric, **amount, **setting, **fixed)
        first = coreset if first is None else first
        index = coreset.index
        yield {
            **amount,
            **setting,
            "kept": len(index),
            "coverage_radius": metrics.coverage_radius(x, index, metric),
            "score_entropy": metrics.score_entropy(np.ones(90) if scores is None else scores, index),
            "overlap": metrics.overlap(first.index, index),
        }


def without_seconds(rows):
    assert all(row.pop("seconds") > 0 for row in rows)
    return rows


@pytest.mark.parametrize("balance", ["proportional", "uniform"])
@pytest.mark.parametrize("with_labels", [False, True])
def test_equals_separate_selections(with_labels, balance, data):
    x, scores, labels = data
    labels = labels if with_labels else None
    keep = [0.5, 0.1]
    fixed = {"balance": balance, "min_per_class": 2, "kernel": "laplacian"}
    rows = without_seconds(d2pyg.sweep(x, scores, keep=keep, labels=labels, **GRID, **fixed))
    expected = list(separately(x, scores, labels, [{"keep": f} for f in keep], **fixed))
    assert rows == expected
    assert len({row["overlap"] for row in rows}) > 10


@pytest.mark.parametrize("amounts", [{"prune": [0.9, 0.4]}, {"budget": [5, 40]}])
def test_other_amounts_and_metrics(amounts, data):
    x, _, labels = data
    rows = d2pyg.sweep(x, labels=labels, metric="cosine", backend="torch", **amounts, **GRID)
    ((name, values),) = amounts.items()
    each = [{name: value} for value in values]
    assert without_seconds(rows) == list(separately(x, None, labels, each, "cosine"))


def test_without_scores_there_is_no_forward_pass(data):
    x, _, labels = data
    for row in d2pyg.sweep(x, labels=labels, keep=0.3, k=[2, 9], cutoff=[0, 0.4]):
        coreset = d2pyg.select(x, labels=labels, keep=0.3, k=row["k"], cutoff=row["cutoff"])
        assert row["coverage_radius"] == metrics.coverage_radius(x, coreset.index)
        assert row["gamma_forward"] is None
        assert row["score_entropy"] == 0


@pytest.mark.parametrize("with_scores", [False, True])
@pytest.mark.parametrize("flow", [{"flow": "source_to_target"}, {"flow": "both"}])
def test_which_way_messages_go(flow, with_scores, data):
    x, scores, labels = data
    scores = scores if with_scores else None
    for row in d2pyg.sweep(x, scores, labels=labels, keep=[0.1, 0.4], k=[2, 9], **flow):
        coreset = d2pyg.select(x, scores, labels=labels, keep=row["keep"], k=row["k"], **flow)
        assert row["coverage_radius"] == metrics.coverage_radius(x, coreset.index)


@pytest.mark.parametrize("with_labels", [False, True])
def test_of_a_graph(with_labels, data, device):
    x, scores, labels = data
    labels = labels if with_labels else None
    graph = d2pyg.knn_graph(torch.as_tensor(x, device=device), 8, batch=labels)
    before = graph.clone()
    rows = d2pyg.sweep(graph, scores, keep=[0.2, 0.4], labels=labels, cutoff=[0, 0.1], k=[2, 8])
    assert len(rows) == 8
    for row in without_seconds(rows):
        setting = {name: row[name] for name in ("keep", "k", "gamma_reverse", "cutoff")}
        coreset = d2pyg.select(graph, scores, labels=labels, **setting)
        assert row["coverage_radius"] is None
        assert row["score_entropy"] == metrics.score_entropy(scores, coreset.index)
        assert row["kept"] == len(coreset)
    assert [row["k"] for row in d2pyg.sweep(graph, scores, keep=0.2, labels=labels)] == [8]
    assert all(torch.equal(graph[name], before[name]) for name in ("edge_index", "edge_attr"))


def test_one_value_or_many(data):
    x, scores, _ = data
    (row,) = d2pyg.sweep(x, scores, budget=9)
    assert list(row) == [
        "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff", "kept",
        "coverage_radius", "score_entropy", "overlap", "seconds",
    ]  # fmt: skip
    assert list(row.values())[:7] == [9, 15, 10.0, 3.0, False, 0.0, 9]
    assert row["overlap"] == 1
    many = d2pyg.sweep(x, scores, budget=np.array([9, 12]), k=range(1, 3), reverse="absolute")
    assert [(row["kept"], row["k"]) for row in many] == [(9, 1), (12, 1), (9, 2), (12, 2)]
    assert all(type(row["budget"]) is int for row in many)
    assert d2pyg.sweep(x[:1], keep=1.0)[0]["kept"] == 1


def test_a_message_of_ones_own(data):
    class Half(d2pyg.nn.ReverseMessage):
        def message(self, pick_score, neighbor_score, distance):
            return neighbor_score / 2

    x, scores, _ = data
    rows = d2pyg.sweep(x, scores, keep=[0.2], k=[2, 4], reverse=Half(), debug=True)
    for row in rows:
        coreset = d2pyg.select(x, scores, keep=0.2, k=row["k"], reverse=Half())
        assert row["coverage_radius"] == metrics.coverage_radius(x, coreset.index)


def test_the_graph_is_built_once(data, monkeypatch):
    x, scores, _ = data
    built = []
    build = d2pyg.graph.knn.build_graph

    def counted(*arguments, **options):
        built.append(arguments[1])
        return build(*arguments, **options)

    monkeypatch.setitem(d2pyg.sweep.__globals__, "build_graph", counted)
    d2pyg.sweep(x, scores, keep=[0.1, 0.2], k=[1, 7, 3], gamma_reverse=[0, 1])
    assert built == [7]
    d2pyg.sweep(x, scores, keep=0.1, k=[1, 2], cutoff=[0.1, 0.2])
    assert built == [7, 2, 2]


BAD = [
    ({}, ValueError, r"exactly one of 'keep' .*\(got none\)"),
    ({"keep": [0.1], "budget": 3}, ValueError, r"\(got keep and budget\)"),
    ({"keep": []}, ValueError, r"'keep' to hold at least one value \(got none\)"),
    ({"keep": [0.1, None]}, TypeError, r"'keep' to hold numbers \(got None\)"),
    ({"keep": 0.1, "k": [[1], [1, 2]]}, TypeError, r"'k' to be a value or a list of them \(got \[\[1\]"),
    ({"keep": 0.1, "cutoff": np.ma.masked_equal([0.0, 0.1], 0)}, TypeError, "'cutoff' to have no masked"),
    ({"keep": [0.1, 2]}, ValueError, r"'keep' to be a fraction in 0 to 1 \(got 2\)"),
    ({"keep": 0.1, "k": []}, ValueError, r"'k' to hold at least one value"),
    ({"keep": 0.1, "k": [3, 90]}, ValueError, r"'k' to be between 1 and 89"),
    ({"keep": 0.1, "gamma_reverse": [1, -1]}, ValueError, r"'gamma_reverse' to be at least 0 \(got -1\)"),
    ({"keep": 0.1, "gamma_forward": "x"}, TypeError, r"'gamma_forward' to be a number"),
    ({"keep": 0.1, "clamp": [0]}, TypeError, r"'clamp' to be True or False"),
    ({"keep": [0.1, 0.9], "cutoff": [0, 0.2]}, ValueError, r"budget to be at most 72, .* \(got 81\)"),
    ({"keep": 0.1, "kernel": "cubic"}, ValueError, r"'kernel' to be one of"),
    ({"keep": 0.1, "engine": "x"}, ValueError, r"'engine' to be one of"),
    ({"keep": 0.1, "labels": [1]}, ValueError, r"'labels' to have one value for each"),
    ({"keep": 0.1, "scores": [1]}, ValueError, r"'scores' to have one value for each"),
    ({"keep": 0.1, "initial": [1]}, ValueError, r"'initial' to be left out of a sweep.*\(got list\)"),
    ({"keep": 0.1, "ids": range(90)}, ValueError, r"'ids' to be left out of a sweep"),
    ({"keep": 0.1, "gama": 1}, TypeError, r"unexpected keyword argument 'gama'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error", "match"), BAD, ids=[match for _, _, match in BAD])
def test_refuses_before_the_graph_is_built(options, error, match, data, monkeypatch):
    monkeypatch.setitem(d2pyg.sweep.__globals__, "build_graph", None)
    with pytest.raises(error, match=match):
        d2pyg.sweep(data[0], **options)


def test_refuses_what_a_graph_fixes(data):
    graph = d2pyg.knn_graph(data[0], 4)
    for name, value in ("metric", "euclidean"), ("backend", "torch"):
        with pytest.raises(ValueError, match=f"'{name}' to be left out with a graph"):
            d2pyg.sweep(graph, keep=0.1, **{name: value})
    with pytest.raises(ValueError, match=r"'k' to be between 1 and 4, the graph's own k \(got 5\)"):
        d2pyg.sweep(graph, keep=0.1, k=[2, 5])
    with pytest.raises(ValueError, match=r"different labels"):
        d2pyg.sweep(graph, keep=0.1, labels=data[2])


def test_what_others_warn_of_is_heard(rng):
    """Whatever words it begins with."""

    class Warns(d2pyg.nn.WeightedReverse):
        def message(self, pick_score, neighbor_score, distance):
            warnings.warn("The budget of tokens is spent.", stacklevel=1)
            return super().message(pick_score, neighbor_score, distance)

    with pytest.warns(UserWarning, match="The budget of tokens"):
        d2pyg.sweep(rng.normal(size=(9, 3)), keep=0.5, k=[2, 3], reverse=Warns())


def test_warns_as_select_does_of_every_budget_and_cutoff_once(rng):
    x, scores, labels = rng.normal(size=(30, 3)), np.arange(30.0), np.arange(30) // 10
    settings = {"labels": labels, "min_per_class": 3, "k": 3}
    expected = []
    for cutoff in (0.0, 0.3):
        for budget in (4, 5, 15):
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                d2pyg.select(x, scores, budget=budget, cutoff=cutoff, **settings)
            expected += [str(warning.message) for warning in said]
    assert any("budget of 4" in text for text in expected)
    assert any("cutoff leaves" in text for text in expected)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        d2pyg.sweep(x, scores, budget=[4, 5, 15, 5], cutoff=[0.0, 0.3], gamma_reverse=[1, 2], **settings)
    assert [str(warning.message) for warning in said] == list(dict.fromkeys(expected))
    assert {warning.filename for warning in said} == {__file__}
