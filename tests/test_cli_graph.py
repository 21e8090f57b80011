"""d2pyg graph and d2pyg sweep, and what d2pyg select makes of a graph."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset
from d2pyg.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    x, scores, labels = rng.normal(size=(80, 4)), rng.random(80), rng.integers(3, 6, 80)
    np.save("x.npy", x.astype(np.float16))
    np.save("s.npy", scores)
    torch.save(torch.as_tensor(labels), "y.pt")
    return x.astype(np.float16), scores, labels


def run(command):
    assert main(command.split()) == 0


def without_seconds(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_graph_equals_knn_graph(files, capsys):
    x, _, labels = files
    run("graph x.npy --k 7 --metric cosine --backend torch --labels y.pt --device cpu --out g.pt")
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"joined 80 samples by 560 edges in \d+\.\d s -> g\.pt\n", err)
    graph = d2pyg.load_graph("g.pt")
    expected = d2pyg.knn_graph(x, 7, metric="cosine", batch=labels)
    assert torch.equal(graph.edge_index, expected.edge_index)
    assert torch.equal(graph.edge_attr, expected.edge_attr)
    run("graph x.npy --out g.pt --json")
    summary = json.loads(capsys.readouterr().out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "out": "g.pt", "nodes": 80, "edges": 1200, "k": 15, "metric": "euclidean", "backend": "torch",
        "recall": None,
    }  # fmt: skip


def test_recall_goes_with_cells(files, capsys):
    run("graph x.npy --k 7 --backend cells --recall 0.9 --out g.pt --json")
    summary = json.loads(capsys.readouterr().out)
    assert summary["backend"] == "cells"
    assert summary["recall"]["asked"] == 0.9
    assert summary["recall"]["value"] == 1  # of so few samples all pairs are compared
    run("select x.npy --scores s.npy --keep 0.3 --backend cells --recall 0.9 --out c.npz")
    assert Coreset.load("c.npz").settings["recall"]["asked"] == 0.9
    assert (
        main(
            ["select", "g.pt", "--scores", "s.npy", "--keep", "0.3", "--recall", "0.9", "--out", "c.npz"]
        )
        == 2
    )
    assert "'recall' to be left out with a graph" in capsys.readouterr().err


@pytest.mark.parametrize("labels", ["", " --labels y.pt"])
def test_select_takes_a_graph(labels, files):
    run(f"graph x.npy --k 9 --out g.pt{labels}")
    run(f"select g.pt --scores s.npy --k 4 --keep 0.3 --out one.npz{labels}")
    run(f"select x.npy --scores s.npy --k 4 --keep 0.3 --out two.npz{labels}")
    one, two = Coreset.load("one.npz"), Coreset.load("two.npz")
    assert one.settings.pop("files")["embeddings"] == "g.pt"
    assert two.settings.pop("files")["embeddings"] == "x.npy"
    assert one.settings.pop("read")["embeddings"]["format"] == "pt"
    assert two.settings.pop("read")["embeddings"]["format"] == "npy"
    assert one.settings == two.settings
    assert one.index.tolist() == two.index.tolist()


def test_verbose_says_what_it_will_take(files, capsys):
    for command in "graph x.npy --out g.pt", "select x.npy --keep 0.1 --out c.npy":
        run(command)
        assert "free" not in capsys.readouterr().err
        run(f"{command} --verbose --no-progress")
        said = capsys.readouterr().err
        assert said.startswith("d2pyg: kNN graph of 80 samples, ")
        assert " for the graph, up to " in said.splitlines()[0]


def test_sweep_equals_sweep(files, capsys):
    x, scores, labels = files
    run(
        "sweep x.npy --scores s.npy --labels y.pt --keep 0.2 0.4 --k 2 6 --gamma-forward 1 0.5 "
        "--gamma-reverse 0 1 --no-clamp --clamp --cutoff 0 0.1 --kernel laplacian --scale none "
        "--update product --reverse weighted --flow target_to_source --metric cosine --balance uniform "
        "--min-per-class 2 --backend torch --engine heap --device cpu --out t.csv --json"
    )
    out, err = capsys.readouterr()
    assert re.fullmatch(r"tried 64 settings in \d+\.\d s -> t\.csv\n", err)
    expected = d2pyg.sweep(
        x, scores, labels=labels, keep=[0.2, 0.4], k=[2, 6], gamma_forward=[1.0, 0.5],
        gamma_reverse=[0.0, 1.0], clamp=[False, True], cutoff=[0.0, 0.1], kernel="laplacian",
        scale=None, update="product", reverse="weighted", flow="target_to_source", metric="cosine",
        balance="uniform", min_per_class=2, engine="heap",
    )  # fmt: skip
    summary = json.loads(out)
    assert summary["out"] == "t.csv"
    assert summary["seconds"] > 0
    assert without_seconds(summary["rows"]) == without_seconds(expected)
    with Path("t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    as_text = [{name: str(value) for name, value in row.items()} for row in expected]
    assert without_seconds(rows) == without_seconds(as_text)


@pytest.mark.parametrize("how_many", ["--budget 9 20", "--prune 0.5"])
def test_sweep_takes_a_graph(how_many, files, capsys):
    run("graph x.npy --k 9 --out g.pt")
    run(f"sweep g.pt {how_many} --k 9 3 --out t.csv --progress")
    assert "sweep: 100%" in capsys.readouterr().err
    with Path("t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["coverage_radius"] for row in rows] == [""] * len(rows)
    assert {row["k"] for row in rows} == {"9", "3"}


BAD = [
    ("graph x.npy --k 80 --out g.pt", "'k' to be between 1 and 79"),
    ("graph x.npy --memory 1000 --out g.pt", "'memory' to be at least 268435456 bytes"),
    ("graph x.npy --out g.npz", "'out' to end in one of .pt (got 'g.npz')"),
    ("graph x.npy --labels s.npy --out g.pt", "'labels' to be integers"),
    ("graph y.pt --out ./y.pt", "'out' to differ from the inputs"),
    ("graph old.pt --out g.pt", "'embeddings' to be a tensor or an array (got a graph"),
    ("select old.pt --keep 0.1 --metric cosine --out c.npz", "'metric' to be left out with a graph"),
    ("select old.pt --keep 0.1 --k 4 --out c.npz", "'k' to be between 1 and 3, the graph's own k"),
    ("select old.pt --keep 0.1 --labels y.pt --out c.npz", "between samples of different labels"),
    ("select old.pt --keep 0.1 --out ./old.pt", "'out' to differ from the inputs"),
    ("select bad.pt --keep 0.1 --out c.npz", "a graph that d2pyg.save_graph wrote (got 'bad.pt': it"),
    ("select x.npy --scores old.pt --keep 0.1 --out c.npz", "'scores' to name one of the arrays"),
    ("sweep x.npy --k 1 2 --out t.csv", "exactly one of 'keep'"),
    ("sweep x.npy --keep 0.1 a --out t.csv", "argument --keep: invalid float value: 'a'"),
    ("sweep x.npy --keep 0.1 --clamp yes --out t.csv", "unrecognized arguments: yes"),
    ("sweep x.npy --keep 0.1 --k 2 80 --out t.csv", "'k' to be between 1 and 79"),
    ("sweep x.npy --keep 0.1 --out t.json", "'out' to end in one of .csv"),
    ("sweep x.npy --keep 0.1 --scores y.csv --out ./y.csv", "'out' to differ from the inputs"),
    ("sweep old.pt --keep 0.1 --k 4 --out t.csv", "'k' to be between 1 and 3, the graph's own k"),
]


@pytest.mark.parametrize(("command", "message"), BAD, ids=[command for command, _ in BAD])
def test_errors_are_one_line_and_leave_files_alone(command, message, files, tmp_path, capsys):
    run("graph x.npy --k 3 --out old.pt")
    torch.save({"edge_index": torch.zeros(2, 1)}, "bad.pt")
    for name in "g.pt", "c.npz", "t.csv":
        (tmp_path / name).write_bytes(b"old")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    try:
        status = main(command.split())
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("d2pyg: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "graph",
            [
                "d2pyg graph embeddings.npy --out graph.pt",
                "file.npz:key",
                "backend        the backend used",
            ],
        ),
        ("sweep", ["--gamma-reverse 0 0.1 1", "score_entropy", "Instead of embeddings"]),
        ("select", ["d2pyg select graph.pt", "Instead of embeddings"]),
    ],
)
def test_help_teaches(command, words, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
