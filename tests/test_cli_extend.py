"""d2pyg extend and d2pyg shrink: what the functions do, from files to files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    x, labels = rng.normal(size=(80, 4)).astype(np.float16), rng.integers(3, 6, 80)
    np.save("x.npy", x[:60])
    np.save("new.npy", x[60:])
    np.savez("all.npz", x=x)
    np.save("y.npy", labels[:60])
    np.save("new_y.npy", labels[60:])
    return x, labels


def run(command):
    assert main(command.split()) == 0


def assert_same(one, two):
    assert one.edge_index.equal(two.edge_index)
    assert one.edge_attr.equal(two.edge_attr)
    assert (one.num_nodes, one.k, one.metric) == (two.num_nodes, two.k, two.metric)


@pytest.mark.parametrize("by_class", [False, True])
def test_extend_and_shrink(by_class, files, capsys):
    x, labels = files
    given = "--labels y.npy " if by_class else ""
    run(f"graph x.npy --k 5 --metric cosine {given}--out g.pt")
    given = "--labels new_y.npy " if by_class else ""
    run(f"extend g.pt x.npy new.npy {given}--memory 1e9 --device cpu --out more.pt --json")
    out, err = capsys.readouterr()
    expected = d2pyg.knn_graph(x, 5, metric="cosine", batch=labels if by_class else None)
    assert_same(d2pyg.load_graph("more.pt"), expected)
    assert re.search(r"\nadded 20, joined 80 samples by 400 edges in \d+\.\d s -> more\.pt\n$", err)
    summary = json.loads(out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "out": "more.pt", "nodes": 80, "edges": 400, "k": 5, "metric": "cosine", "backend": "torch",
        "recall": None,
    }  # fmt: skip
    np.save("keep.npy", np.arange(60))
    run("shrink more.pt all.npz:x keep.npy --out less.pt --verbose")
    assert_same(d2pyg.load_graph("less.pt"), d2pyg.load_graph("g.pt"))
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(
        r"d2pyg: kNN graph of 60 samples.*: \d+ rows to search; .*\n"
        r"removed 20, joined 60 samples by 300 edges in \d+\.\d s -> less\.pt\n",
        err,
    )


def test_names_of_classes_are_kept(files):
    x, labels = files
    names = [f"class {label}" for label in labels]
    names[60:65] = ["another"] * 5  # by name before all others
    for file, part in ("y.txt", names[:60]), ("new_y.txt", names[60:]):
        Path(file).write_text("\n".join(part) + "\n", encoding="utf-8")
    run("graph x.npy --k 5 --labels y.txt --out g.pt")
    run("extend g.pt x.npy new.npy --labels new_y.txt --out more.pt")
    expected = d2pyg.knn_graph(x, 5, batch=names)
    found = d2pyg.load_graph("more.pt")
    assert_same(found, expected)
    assert found.group_names == ["another", "class 3", "class 4", "class 5"]
    assert found.group.equal(expected.group)


def test_what_is_kept_is_read_from_many_kinds_of_files(files):
    x, _ = files
    run("graph x.npy --k 5 --out g.pt")
    run("select g.pt --budget 20 --out c.npz")
    coreset = d2pyg.Coreset.load("c.npz")
    coreset.save("c.json")
    np.save("mask.npy", coreset.mask.numpy())
    torch.save(coreset.index, "index.pt")
    Path("list.txt").write_text("\n".join(map(str, coreset.index.tolist())))
    Path("names.txt").write_text("\n".join(f"n{i}" for i in coreset.index.tolist()))
    np.save("ids.npy", np.array([f"n{i}" for i in range(60)]))
    expected = d2pyg.knn_graph(x[:60][coreset.mask.numpy()], 5)
    for keep in "c.npz", "c.json", "mask.npy", "index.pt", "list.txt", "names.txt --ids ids.npy":
        run(f"shrink g.pt x.npy {keep} --out less.pt")
        assert_same(d2pyg.load_graph("less.pt"), expected)


BAD = [
    ("extend g.pt x.npy new.npy --labels new_y.npy --out h.pt", "'labels' to be left out with a graph that"),
    ("extend y.pt x.npy new.npy --out h.pt", "'labels' to hold the groups of the new samples"),
    ("extend y.pt x.npy new.npy --labels y.npy --out h.pt", "'labels' to have one value for each of the 20"),
    ("extend none.pt x.npy new.npy --out h.pt", "'graph' to be a file that exists (got 'none.pt')"),
    ("extend x.npy x.npy new.npy --out h.pt", "'graph' to end in one of .pt"),
    ("extend bad.pt x.npy new.npy --out h.pt", "'graph' to be a graph that d2pyg.save_graph wrote"),
    ("extend theirs.pt x.npy new.npy --out h.pt", "'graph' to say how it was built"),
    ("extend g.pt new.npy x.npy --out h.pt", "'embeddings' of the 60 samples of the graph (got 20 rows)"),
    ("extend g.pt x.npy all.npz --out h.pt --device gpu", "'device' to "),
    ("extend g.pt x.npy new.npy --out g.pt", "'out' to differ from the inputs"),
    ("extend g.pt x.npy new.npy --out ./new.npy", "'out' to end in one of .pt"),
    ("extend g.pt x.npy --out h.pt", "the following arguments are required: NEW"),
    ("shrink g.pt x.npy keep.npy --out h.pt", "'keep' to lie in 0 to 59, the samples (got 70)"),
    ("shrink g.pt x.npy names.txt --out h.pt", "'keep' to be indices, a mask or a coreset"),
    ("shrink g.pt x.npy other.npz --out h.pt", "'keep' to have one value for each of the 60 samples"),
    ("shrink g.pt new.npy mask.npy --out h.pt", "'embeddings' of the 60 samples of the graph"),
    ("shrink g.pt x.npy g.pt --out ./g.pt", "'out' to differ from the inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "message"), BAD, ids=[command for command, _ in BAD])
def test_errors_are_one_line_and_leave_files_alone(command, message, files, tmp_path, capsys):
    run("graph x.npy --k 3 --out g.pt")
    run("graph x.npy --k 3 --labels y.npy --out y.pt")
    graph = d2pyg.load_graph("g.pt")
    del graph["backend"]
    d2pyg.save_graph(graph, "theirs.pt")
    torch.save({"edge_index": torch.zeros(2, 1)}, "bad.pt")
    run("select new.npy --budget 4 --out other.npz")
    np.save("keep.npy", np.array([1, 70]))
    np.save("mask.npy", np.arange(60) > 9)
    for name, content in ("names.txt", b"one\ntwo\n"), ("h.pt", b"old"):
        (tmp_path / name).write_bytes(content)
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
            "extend",
            ["d2pyg extend graph.pt embeddings.npy new.npy", "file.npz:key", "the new samples"],
        ),
        ("shrink", ["d2pyg shrink graph.pt embeddings.npy coreset.npz", "numbered anew", "a mask"]),
    ],
)
def test_help_teaches(command, words, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)
