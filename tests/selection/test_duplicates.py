"""Against connected components of the dense matrix of exact distances."""

import csv
import json
import os

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

import d2pyg
from d2pyg.cli import main
from d2pyg.graph import CosineMetric, EuclideanMetric

METRICS = {"cosine": CosineMetric(), "euclidean": EuclideanMetric()}


def expected(x, threshold, metric, scores=None, labels=None):
    """The representative of each sample."""
    x = torch.as_tensor(np.asarray(x)).double()
    near = METRICS[metric].distance(x.unsqueeze(1), x.unsqueeze(0)) <= threshold
    if labels is not None:
        near &= torch.as_tensor(labels).unsqueeze(1) == torch.as_tensor(labels)
    component = connected_components(near.numpy(), directed=False)[1]
    score = np.zeros(len(x)) if scores is None else np.asarray(scores)
    best = [max(np.flatnonzero(component == c), key=lambda i: (score[i], -i)) for c in component]
    return [int(i) for i in best]


@pytest.mark.parametrize("labels", [None, 3])
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize(("metric", "threshold"), [("cosine", 0.01), ("euclidean", 0.35)])
def test_equals_the_dense_matrix(metric, threshold, scored, labels, device, rng):
    center = rng.normal(size=(12, 4))  # groups larger than the k of the graph, and lone samples
    x = np.concatenate([center.repeat(30, 0) + rng.normal(size=(360, 4)) / 12, rng.normal(size=(60, 4))])
    scores = rng.integers(0, 5, len(x)) if scored else None
    labels = rng.integers(0, labels, len(x)) if labels else None
    found = d2pyg.duplicates(
        torch.as_tensor(x).to(device), threshold, metric=metric, scores=scores, labels=labels
    )
    assert found.representative.tolist() == expected(x, threshold, metric, scores, labels)
    assert 0 < len(found.removed) < len(x)


def test_chains_that_the_graph_does_not_see():
    # Two crowds of equal samples, whose nearest neighbors are in their own crowd, at the threshold.
    x = torch.tensor([0.0, 1.0]).repeat(40).unsqueeze(1)
    assert d2pyg.duplicates(x, 1.0, metric="euclidean").index.tolist() == [0]
    assert d2pyg.duplicates(x, 0.999, metric="euclidean").index.tolist() == [0, 1]


def test_exactly_at_the_threshold():
    x = torch.tensor([[0.0], [0.5], [1.0], [1.5 + 2**-20]])
    found = d2pyg.duplicates(x, 0.5, metric="euclidean")
    assert found.representative.tolist() == [0, 0, 0, 3]
    assert found.distance.tolist() == [0, 0.5, 1.0, 0]  # the end of a chain
    assert found.settings["threshold"] == 0.5


def test_zero_finds_equal_samples_and_one_sample_has_none():
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.000001]]).repeat(30, 1)
    assert d2pyg.duplicates(x, 0, metric="euclidean").index.tolist() == [0, 2]
    assert d2pyg.duplicates(x[:1], 0.1).index.tolist() == [0]


def test_tables_and_the_command(tmp_path, monkeypatch, capsys, rng):
    monkeypatch.chdir(tmp_path)
    x = rng.normal(size=(50, 3)).repeat(2, 0)
    np.save("x.npy", x)
    found = d2pyg.duplicates(x, 0.0)
    command = "duplicates x.npy --threshold 0 --out d.csv --kept kept.npy --json --metric cosine"
    assert main(command.split()) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "out": "d.csv", "kept": "kept.npy", "samples": 100, "removed": 50, "groups": 50, "largest": 2,
    }  # fmt: skip
    assert np.load("kept.npy").tolist() == found.index.tolist() == list(range(0, 100, 2))
    rows = list(csv.DictReader((tmp_path / "d.csv").read_text().splitlines()))
    assert rows[3] == {"index": "7", "duplicate_of": "6", "distance": "0.0", "group_size": "2"}
    found.save("d.json")
    assert json.loads((tmp_path / "d.json").read_text())["removed"] == found.table()
    parquet = pytest.importorskip("pyarrow.parquet")
    found.save("d.parquet")
    assert parquet.read_table("d.parquet").to_pydict() == found.table()


@pytest.mark.parametrize(
    "names", [[f"img {i}" for i in range(6)], range(60, 0, -10), [b"caf\xe9", *"abcde"]], ids=str
)
def test_names(names, tmp_path, monkeypatch):
    """In tables of every kind, and in what the command keeps."""
    monkeypatch.chdir(tmp_path)
    x = np.array([[1.0, 0], [0, 1], [0, 2], [1, 1], [2, 2], [1, 0]])
    found = d2pyg.duplicates(x, 0.001, ids=names)
    ids = found.ids.tolist()
    table = found.table()
    assert (table["index"], table["duplicate_of"]) == ([2, 4, 5], [1, 3, 0])
    assert table["id"] == [ids[2], ids[4], ids[5]]
    assert table["duplicate_of_id"] == [ids[1], ids[3], ids[0]]
    found.save("d.json")
    content = json.loads((tmp_path / "d.json").read_text())
    assert content["kept_ids"] == [ids[i] for i in content["kept"]] == [ids[0], ids[1], ids[3]]
    assert content["removed"] == table
    if isinstance(names, range):
        np.save("names.npy", names)
        given = "names.npy"
    else:
        given = "names.txt"
        (tmp_path / given).write_bytes(b"".join(os.fsencode(name) + b"\n" for name in ids))
    command = f"duplicates x.npy --threshold 0.001 --ids {given} --out d.csv --kept kept.txt"
    np.save("x.npy", x)
    assert main(command.split()) == 0
    kept = (tmp_path / "kept.txt").read_bytes().splitlines()
    assert kept == [os.fsencode(str(name)) for name in content["kept_ids"]]
    rows = (tmp_path / "d.csv").read_text(errors="surrogateescape").splitlines()
    assert [row["duplicate_of_id"] for row in csv.DictReader(rows)] == list(
        map(str, table["duplicate_of_id"])
    )
    parquet = pytest.importorskip("pyarrow.parquet")
    found.save("d.parquet")
    read = parquet.read_table("d.parquet")["duplicate_of_id"].to_pylist()
    assert [os.fsdecode(name) if isinstance(name, bytes) else name for name in read] == table[
        "duplicate_of_id"
    ]


def test_refuses():
    with pytest.raises(ValueError, match="'ids' to have one name for each of the 3 samples"):
        d2pyg.duplicates(torch.eye(3), 0.1, ids=["a"])
    with pytest.raises(ValueError, match="without NUL characters"):
        d2pyg.duplicates(torch.ones(2, 3), 0.1, ids=["a", "b\0c"]).save("d.csv")
    x = torch.eye(3)
    with pytest.raises(ValueError, match="'threshold' to be at least 0"):
        d2pyg.duplicates(x, -0.1)
    with pytest.raises(ValueError, match="'backend' to be exact"):
        d2pyg.duplicates(x, 0.1, backend="pynndescent")
    with pytest.raises(ValueError, match="'metric' to map into a space with distances"):
        d2pyg.duplicates(x, 0.1, metric="inner_product")
    with pytest.raises(ValueError, match="'path' to end in one of"):
        d2pyg.duplicates(x, 0.1).save("d.npz")


@pytest.mark.parametrize("names", [None, [f"ü {i}" for i in range(40)], [2**62 + i for i in range(40)]])
def test_json_is_read_back(names, tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 2))
    x[30:] = x[:10] + 1e-9
    found = d2pyg.duplicates(x, 1e-6, ids=names, metric="euclidean")
    found.save(tmp_path / "d.json")
    again = d2pyg.coreset.duplicates.Duplicates.load(tmp_path / "d.json")
    assert again.representative.equal(found.representative)
    assert again.distance.equal(found.distance)
    assert again.settings == found.settings
    assert names is None if again.ids is None else again.ids.tolist() == names


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kept": [0, 2]}, "its samples are not 0, 1, 2"),
        (
            {"kept": [0, 1], "removed": {"index": [2], "duplicate_of": [2], "distance": [0.1]}},
            "not kept",
        ),
        ({"removed": {}}, "it has no 'index'"),
        ({"kept_ids": ["a"]}, "it has no 'id'"),
        ({"kept": "x"}, "Expected 'path' to be a complete .json file"),
    ],
)
def test_json_that_was_changed(change, told, tmp_path):
    path = tmp_path / "d.json"
    d2pyg.duplicates(np.array([[0.0], [5.0], [0.1]]), 1.0, metric="euclidean").save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=told):
        d2pyg.coreset.duplicates.Duplicates.load(path)


def test_json_of_another_kind(tmp_path):
    path = tmp_path / "c.json"
    d2pyg.select(np.eye(3), budget=1, k=1).save(path)
    with pytest.raises(
        ValueError, match=r"a file of d2pyg.duplicates .* which lists nothing kept and removed"
    ):
        d2pyg.coreset.duplicates.Duplicates.load(path)
