"""compare: the measures of d2pyg.metrics, a row a coreset, and the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import metrics
from d2pyg.cli import main
from d2pyg.evaluate.comparison import duplicate_threshold
from d2pyg.plot import plot_coresets


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    x, scores, labels = rng.normal(size=(60, 3)), rng.random(60), rng.integers(0, 3, 60)
    for name, values in ("x", x), ("s", scores), ("y", labels), ("random", rng.permutation(60)[:9]):
        np.save(f"{name}.npy", values)
    d2pyg.select(x, scores, budget=20).save("d2.npz")
    d2pyg.select(x, budget=15, labels=labels).save("flat.csv")
    return x, scores, labels


def coresets():
    return {
        "d2.npz": d2pyg.Coreset.load("d2.npz"),
        "flat.csv": d2pyg.Coreset.load("flat.csv"),
        "random.npy": np.load("random.npy"),
    }


@pytest.mark.parametrize("metric", [None, "cosine"])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_measures(metric, threshold, files, device):
    x, scores, labels = files
    by, near = metric or "euclidean", threshold or duplicate_threshold(x, metric)
    x = torch.as_tensor(x, device=device)
    rows = d2pyg.compare(coresets(), x, scores, labels, metric=metric, threshold=threshold)
    assert [row["name"] for row in rows] == ["d2.npz", "flat.csv", "random.npy"]
    first = coresets()["d2.npz"].index
    for row, coreset in zip(rows, coresets().values(), strict=True):
        index = getattr(coreset, "index", coreset)
        assert row == {
            "name": row["name"],
            "kept": len(index),
            "coverage_radius": metrics.coverage_radius(x, index, by),
            "aucpr": metrics.aucpr(x, index, by),
            "score_entropy": metrics.score_entropy(scores, index),
            "class_balance": metrics.class_balance(labels, index),
            "near_duplicates": metrics.near_duplicates(x, index, near, by),
            "overlap": metrics.overlap(first, index),
            "mean_score": pytest.approx(scores[index].mean()),
        }


def test_columns_without_inputs_are_left_out(files):
    x, scores, labels = files
    assert [list(row) for row in d2pyg.compare(coresets())] == [["name", "kept", "overlap"]] * 3
    assert list(d2pyg.compare({"one": [1, 2]}, scores=scores)[0]) == [
        "name", "kept", "score_entropy", "overlap", "mean_score",
    ]  # fmt: skip
    assert "class_balance" in d2pyg.compare({"one": [1]}, labels=labels)[0]
    assert "aucpr" in d2pyg.compare({"one": [1]}, x)[0]


def test_threshold_is_half_the_lower_median(rng):
    x = rng.normal(size=(30, 2))
    x[3] = x[4]  # zeros apart
    away = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(away, np.inf)
    nearest = np.sort(away.min(axis=1))
    nearest = nearest[nearest > 0]
    assert duplicate_threshold(x) == pytest.approx(nearest[(len(nearest) - 1) // 2] / 2)
    assert duplicate_threshold(x[:1]) == duplicate_threshold(np.zeros((5, 2))) == 0.5
    assert d2pyg.compare({"one": [0]}, x[:1])[0]["near_duplicates"] == 0


def test_refuses(files):
    x, scores, labels = files
    with pytest.raises(ValueError, match=r"'coresets' to be a dict .*got list \[\[1\]\]"):
        d2pyg.compare([[1]])
    with pytest.raises(ValueError, match=r"'coresets' to be a dict .*got dict"):
        d2pyg.compare({})
    with pytest.raises(ValueError, match="'metric' to be left out without embeddings"):
        d2pyg.compare({"one": [1]}, metric="cosine")
    with pytest.raises(ValueError, match="'threshold' to be left out without embeddings"):
        d2pyg.compare({"one": [1]}, scores=scores, threshold=0.1)
    with pytest.raises(ValueError, match=r"got 60 samples in coreset 'd2.npz'.* 59 samples in scores"):
        d2pyg.compare(coresets(), x, scores[:59])
    with pytest.raises(ValueError, match="'coresets' to lie in 0 to 59"):
        d2pyg.compare({"one": [60]}, labels=labels)


def run(command):
    assert main(command.split()) == 0


def test_command_prints_the_table(files, capsys):
    x, scores, labels = files
    given = "d2.npz flat.csv random.npy --embeddings x.npy --scores s.npy --labels y.npy"
    run(f"compare {given} --no-progress --out t.csv")
    rows = d2pyg.compare(coresets(), x, scores, labels)
    out, err = capsys.readouterr()
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == list(rows[0])
    shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in rows[2].values()]
    assert lines[3] == shown
    assert len({len(line) for line in out.splitlines()}) == 1
    assert err == f"near-duplicates are closer than {duplicate_threshold(x):.4g}\n"
    with Path("t.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["aucpr"]) for row in table] == [row["aucpr"] for row in rows]
    run(f"compare {given} --metric cosine --threshold 0.1 --json")
    found = json.loads(capsys.readouterr().out)
    rows = d2pyg.compare(coresets(), x, scores, labels, metric="cosine", threshold=0.1)
    assert found == {"out": None, "figure": None, "threshold": 0.1, "rows": rows}
    run("compare d2.npz flat.csv")
    assert capsys.readouterr().out.splitlines()[0].split() == ["name", "kept", "overlap"]


@pytest.mark.parametrize("more", ["", " --out t.csv"])
def test_command_draws(more, files, monkeypatch):
    mpl = pytest.importorskip("matplotlib")
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # text stays text
    run(f"compare d2.npz random.npy --embeddings x.npy --scores s.npy --figure f.svg{more}")
    drawn = Path("f.svg").read_text()
    for text in "d2.npz", "random.npy", "kept 20", "kept 9", "all 60":
        assert f">{text}<" in drawn
    x, scores, _ = files
    with pytest.raises(ValueError, match="'coresets' to lie in 0 to 59"):
        plot_coresets({"one": [60]}, x, scores, "f.svg")


BAD = [
    ("none.npz", "'path' to be a file that exists"),
    ("x.npy", "'coresets' to be integer indices"),
    ("d2.npz x.doc", "'path' to end in one of .npz"),
    ("d2.npz none.npy", "'CORESET' to be a file that exists"),
    ("d2.npz --scores s.npy --figure f.png", "'embeddings' with 'figure' (got none)"),
    ("d2.npz --embeddings x.npy --figure f.png", "'scores' with 'figure' (got none)"),
    ("d2.npz --figure f.bmp", "'figure' to end in one of .png"),
    ("d2.npz --out f.txt", "'out' to end in one of .csv"),
    ("flat.csv --out flat.csv", "'out' to differ from the inputs"),
    ("d2.npz --threshold 1", "'threshold' to be left out without embeddings"),
    ("d2.npz --embeddings x.npy --threshold 0", "'threshold' to be above 0"),
    ("", "the following arguments are required: CORESET"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_errors_are_one_line(arguments, message, files, capsys):
    before = {path: path.read_bytes() for path in Path().iterdir()}
    try:
        status = main(["compare", *arguments.split()])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("d2pyg: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_a_failed_figure_leaves_the_table_alone(files, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError("No space left on device")

    Path("t.csv").write_bytes(b"old")
    monkeypatch.setattr("d2pyg.cli.compare.plot_coresets", full)
    command = "compare d2.npz --embeddings x.npy --scores s.npy --out t.csv --figure f.png"
    assert main(command.split()) == 2
    assert capsys.readouterr().err == "d2pyg: error: No space left on device\n"
    assert Path("t.csv").read_bytes() == b"old"
    assert not Path("f.png").exists()


def test_a_failed_table_leaves_the_figure_alone(files, monkeypatch, capsys):
    pytest.importorskip("matplotlib")

    def full(*_):
        raise OSError("No space left on device")

    Path("f.png").write_bytes(b"old")
    monkeypatch.setattr("d2pyg.cli.compare.common.as_csv", full)
    command = "compare d2.npz --embeddings x.npy --scores s.npy --out t.csv --figure f.png"
    assert main(command.split()) == 2
    assert Path("f.png").read_bytes() == b"old"
    assert not Path("t.csv").exists()


@pytest.mark.parametrize("name", ["a$x^{$.npz", "日本.npz"])
def test_a_figure_of_files_with_any_name(name, files, capsys):
    pytest.importorskip("matplotlib")
    d2pyg.Coreset.load("d2.npz").save(name)
    assert (
        main(["compare", name, *["--embeddings", "x.npy", "--scores", "s.npy", "--figure", "f.png"]])
        == 0
    )
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("near-duplicates are closer than")


def test_a_name_with_line_breaks_stays_on_its_line(files, capsys):
    np.save("two\nlines.npy", [1, 2])
    assert main(["compare", "two\nlines.npy"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["two", "lines.npy", "2", "1"]


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    shown = capsys.readouterr().out
    for word in "d2.npz random.npy", "near_duplicates", "--figure f.png", "half the median":
        assert word in shown
