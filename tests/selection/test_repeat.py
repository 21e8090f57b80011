"""A saved coreset, selected again from its settings."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset
from d2pyg.nn import Kernel
from d2pyg.selection.repeat import repeat

SETTINGS = {
    "keep": {"keep": 0.3},
    "prune": {"prune": 0.6},
    "kernel": {"kernel": "laplacian", "scale": None, "gamma_forward": 0.5},
    "scale": {"scale": 2.5},
    "update": {"update": "product"},
    "no update": {"update": "none"},
    "reverse": {"reverse": "absolute"},
    "gamma": {"gamma_reverse": 0.0, "gamma_forward": 0},
    "clamp": {"clamp": True},
    "directed": {"flow": "target_to_source", "k": 2},
    "turned": {"flow": "source_to_target", "k": 2},
    "balance": {"balance": "uniform", "with_labels": True},
    "labels": {"with_labels": True, "keep": 0.2},
    "min_per_class": {"min_per_class": 3, "with_labels": True},
    "cutoff": {"cutoff": 0.2},
    "initial": {"initial": [5, 2, 30]},
    "metric": {"metric": "cosine", "k": 7},
    "mahalanobis": {"metric": "mahalanobis", "cutoff": 0.1},
    "no scores": {"with_scores": False},
    "all": {
        "kernel": "laplacian", "update": "product", "reverse": "absolute", "clamp": True, "cutoff": 0.1,
        "flow": "target_to_source", "balance": "uniform", "min_per_class": 1, "initial": [1], "metric": "cosine",
        "k": 3, "with_labels": True, "engine": "sequential",
    },
}  # fmt: skip


@pytest.fixture
def data(rng):
    return rng.normal(size=(60, 3)).astype(np.float32), rng.lognormal(size=60), rng.integers(0, 3, 60)


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".json", ".csv"])
@pytest.mark.parametrize("name", SETTINGS)
def test_gives_the_same(name, suffix, data, tmp_path):
    options = {"ids": [f"img {i}" for i in range(60)], **SETTINGS[name]}
    x, scores, labels = data
    scores = scores if options.pop("with_scores", True) else None
    labels = labels if options.pop("with_labels", False) else None
    if not {"keep", "prune"} & options.keys():
        options["budget"] = 20
    made = d2pyg.select(x, scores, labels=labels, **options)
    made.save(tmp_path / f"c{suffix}")
    again = repeat(Coreset.load(tmp_path / f"c{suffix}"), x, scores, labels)
    assert again.index.tolist() == made.index.tolist()
    assert again.pick_scores.tolist() == made.pick_scores.tolist()
    assert again.ids.tolist() == made.ids.tolist()
    for name in made.settings.keys() - {"engine", "engine_report"}:
        assert again.settings[name] == made.settings[name], name
    for sample in 0, 7, int(made.index[3]):
        assert str(again.explain(sample)) == str(made.explain(sample))


def test_from_a_graph(data, tmp_path):
    x, scores, _ = data
    graph = d2pyg.knn_graph(x, 9, metric="cosine")
    for k in None, 4, 9:
        made = d2pyg.select(graph, scores, k=k, budget=20)
        made.save(tmp_path / "c.npz")
        saved = Coreset.load(tmp_path / "c.npz")
        assert repeat(saved, graph, scores).index.tolist() == made.index.tolist()
        assert repeat(saved, x, scores).index.tolist() == made.index.tolist()


def test_from_a_graph_that_names_no_backend(data):
    x, scores, _ = data
    graph = d2pyg.knn_graph(x, 5)
    del graph.backend, graph.metric
    made = d2pyg.select(graph, scores, budget=20)
    assert repeat(made, x, scores).index.tolist() == made.index.tolist()


def test_from_joined_embeddings(data):
    x, scores, _ = data
    parts = [x[:, :1], x[:, 1:]]
    for given in parts, d2pyg.graph.Joined(parts, weights=[2, 1], metric=["euclidean", "cosine"]):
        made = d2pyg.select(given, scores, budget=20)
        assert repeat(made, given, scores).index.tolist() == made.index.tolist()


def test_of_one_sample():
    made = d2pyg.select(torch.zeros(1, 2), budget=1)
    assert repeat(made, torch.zeros(1, 2)).index.tolist() == [0]


DAMAGED = [
    None, "", "x", "auto", "a\nb", [], {}, [[1], [2, [3]]], ["a"], [None], [0.5], [True], [-1], [60], [10**30],
    {"a": {"b": []}}, True, False, -1, 0, 2.5, math.inf, math.nan, 10**30, -(10**30), 10**400, 2**63,
]  # fmt: skip


@pytest.mark.parametrize("with_labels", [False, True])
def test_damaged_settings_are_refused_in_a_line_or_make_no_difference(with_labels, data):
    x, scores, labels = (values[:20] for values in data)
    labels = labels if with_labels else None
    made = d2pyg.select(x, scores, labels=labels, keep=0.3, cutoff=0.1, initial=[3, 1])
    errors = []
    for name in made.settings:
        for value in DAMAGED:
            damaged = replace(made, settings={**made.settings, name: value})
            try:
                again = repeat(damaged, x, scores, labels)
            except ValueError as error:
                errors.append(str(error))
            else:
                assert again.index.tolist() == made.index.tolist()
    assert len(errors) > 400
    for error in errors:
        assert error.startswith("Expected ")
        assert len(error) <= 300
        assert "\n" not in error
    with pytest.raises(ValueError, match=r"as d2pyg.select wrote them .got clamp None, which"):
        repeat(replace(made, settings={**made.settings, "clamp": None}), x, scores, labels)
    with pytest.raises(ValueError, match=r"got num_samples 21, which it never writes for 20 samples"):
        repeat(replace(made, settings={**made.settings, "num_samples": 21}), x, scores, labels)


class Triangle(Kernel):
    def weight(self, distance, gamma):
        return (1 - gamma * distance).clamp(min=0)

    def __repr__(self):
        return "Triangle()"


def test_refuses(data):
    x, scores, labels = data
    made = d2pyg.select(x, scores, budget=20)
    with pytest.raises(ValueError, match=r"the inputs .*got sample \d+ as pick \d+, not sample \d+"):
        repeat(made, x, scores[::-1].copy())
    with pytest.raises(ValueError, match=r"got the same picks, but other scores"):
        repeat(made, x, 2 * scores)
    with pytest.raises(ValueError, match=r"got 59 samples, not 60"):
        repeat(made, x[:59], scores[:59])
    kept = d2pyg.select(x, scores, keep=0.5)
    kept.settings["keep"] = 0.4
    with pytest.raises(ValueError, match=r"got 24 picks, not 30"):
        repeat(kept, x, scores)
    with pytest.raises(ValueError, match=r"'labels' as .* without labels .got some"):
        repeat(made, x, scores, labels)
    with pytest.raises(ValueError, match=r"'labels' as .* with 3 classes of labels .got none"):
        repeat(d2pyg.select(x, scores, labels=labels, budget=20), x, scores)
    with pytest.raises(ValueError, match=r"name a kernel of .*got 'Triangle\(\)', a Python object"):
        repeat(d2pyg.select(x, scores, kernel=Triangle(), budget=20), x, scores)
    graph = d2pyg.knn_graph(x, 3)
    with pytest.raises(ValueError, match=r"of d2pyg.select .got settings without 'keep'"):
        repeat(d2pyg.greedy_select(scores, graph, 20), graph, scores)


@pytest.fixture
def shards(tmp_path, rng):
    x = rng.normal(size=(40, 3)).astype("float32")
    for shard, rows in enumerate((slice(0, 15), slice(15, 40))):
        np.savez(tmp_path / f"{shard}.npz", emb=x[rows], id=np.arange(40)[rows])
    return tmp_path, x


def test_files_that_have_changed(shards):
    folder, x = shards
    source = d2pyg.open(folder)
    coreset = d2pyg.select(source, budget=8)
    assert repeat(coreset, d2pyg.open(folder)).index.tolist() == coreset.index.tolist()
    assert repeat(coreset, x).index.tolist() == coreset.index.tolist()
    moved = folder.rename(folder.with_name("moved"))
    assert repeat(coreset, d2pyg.open(moved, ids=None)).index.tolist() == coreset.index.tolist()

    def refused(match):
        with pytest.raises(
            ValueError, match=rf"files of 'embeddings' that 'coreset' .*\(got {match}\). Restore"
        ):
            repeat(coreset, d2pyg.open(moved))

    np.savez(moved / "1.npz", emb=x[15:] + 1, id=np.arange(15, 40))
    refused("'1.npz' with other content")
    np.savez_compressed(moved / "1.npz", emb=x[15:], id=np.arange(15, 40))
    refused(r"'1.npz' of \d+ bytes, not \d+")
    np.savez(moved / "1.npz", emb=x[15:39], id=np.arange(15, 39))
    refused("'1.npz' of 24 rows, not 25")
    (moved / "1.npz").rename(moved / "2.npz")
    refused("'2.npz' in place of '1.npz'")
    np.savez(moved / "1.npz", emb=x[15:], id=np.arange(15, 40))
    refused("3 files, not 2, such as '2.npz'")
    (moved / "2.npz").unlink()
    assert repeat(coreset, d2pyg.open(moved)).index.tolist() == coreset.index.tolist()


def test_rows_in_another_order(shards):
    folder, x = shards
    coreset = d2pyg.select(d2pyg.open(folder), budget=8)
    order = np.arange(40)
    order[[20, 21]] = 21, 20
    np.savez(folder / "x.data.npz", emb=x[order], id=order)
    coreset.settings.pop("read")  # as if it had been selected from arrays
    with pytest.raises(
        ValueError, match=r"in their order \(got id 21 in row 20 of '.*x.data.npz', not 20\)"
    ):
        repeat(coreset, d2pyg.open(folder / "x.data.npz"))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "mahalanobis"])
def test_several_embeddings_keep_their_metric(metric, rng, tmp_path):
    x, y = rng.normal(size=(2, 200, 3)) * [1.0, 5.0, 0.2]
    np.savez(tmp_path / "x.npz", img_emb=x, text_emb=y)
    source = d2pyg.open(tmp_path / "x.npz", ["img_emb", "text_emb"])
    for embeddings in [x, y], source, x.tolist():
        coreset = d2pyg.select(embeddings, budget=60, metric=metric)
        assert repeat(coreset, embeddings).scores.tolist() == coreset.scores.tolist()
        assert repeat(coreset, embeddings).index.tolist() == coreset.index.tolist()
