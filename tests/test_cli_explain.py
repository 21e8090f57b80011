"""d2pyg explain: Coreset.explain, for a file."""

import json
import shutil

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    x, scores, labels = rng.normal(size=(60, 3)), rng.random(60), rng.integers(0, 3, 60)
    for name, values in ("x", x), ("s", scores), ("y", labels):
        np.save(f"{name}.npy", values)
    (tmp_path / "ids.txt").write_text("".join(f"img {i}\n" for i in range(60)))
    return x, scores, labels


def run(command):
    assert main(command.split()) == 0


def test_equals_explain(files, capsys):
    x, scores, labels = files
    run("select x.npy --scores s.npy --labels y.npy --keep 0.3 --cutoff 0.1 --out c.npz")
    made = d2pyg.select(x, scores, labels=labels, keep=0.3, cutoff=0.1)
    capsys.readouterr()
    asked = [int(made.index[2]), 0, int(scores.argmax())]  # the last was dropped by the cutoff
    run(f"explain c.npz {' '.join(map(str, asked))}")
    assert capsys.readouterr().out == "".join(f"{made.explain(i)}\n" for i in asked)
    run(f"explain c.npz {' '.join(map(str, asked))} --json")
    found = json.loads(capsys.readouterr().out)
    assert found == [made.explain(i).as_dict() for i in asked]
    assert [row["fate"] for row in found] == ["picked", made.explain(0).fate, "cut"]
    assert found[2]["score_after"] is None


def test_by_name_and_by_index(files, capsys):
    x, scores, _ = files
    run("select x.npy --scores s.npy --ids ids.txt --budget 20 --out c.csv")
    made = d2pyg.select(x, scores, ids=[f"img {i}" for i in range(60)], budget=20)
    capsys.readouterr()
    assert main(["explain", "c.csv", "img 7", "img 3"]) == 0
    assert capsys.readouterr().out == f"{made.explain(7)}\n{made.explain(3)}\n"
    run("explain c.csv --index 7")
    assert capsys.readouterr().out == f"{made.explain(7)}\n"
    np.save("names.npy", np.arange(60)[::-1])
    run("select x.npy --scores s.npy --ids names.npy --budget 20 --out c.json")
    capsys.readouterr()
    run("explain c.json 7")  # a name before an index
    assert capsys.readouterr().out.startswith("sample 52 (7): ")


def test_files_that_moved(files, capsys):
    x, scores, labels = files
    made = d2pyg.select(x, scores, labels=labels, budget=20)
    made.save("python.npz")
    run("explain python.npz 7 --embeddings x.npy --scores s.npy --labels y.npy --device cpu")
    assert capsys.readouterr().out == f"{made.explain(7)}\n"
    run("select x.npy --scores s.npy --labels y.npy --budget 20 --out c.npz")
    capsys.readouterr()
    shutil.move("s.npy", "moved.npy")
    run("explain c.npz 7 --scores moved.npy")
    assert capsys.readouterr().out == f"{made.explain(7)}\n"
    run("graph x.npy --k 15 --labels y.npy --out g.pt")
    run("explain c.npz 7 --scores moved.npy --embeddings g.pt")
    assert capsys.readouterr().out == f"{made.explain(7)}\n"


BAD = [
    ("c.npz 60", "'SAMPLE' to be an index in 0 to 59 (got '60')"),
    ("c.npz ٣", "'SAMPLE' to be an index in 0 to 59 (got '٣')"),
    (f"c.npz {'9' * 5000}", "'SAMPLE' to be an index in 0 to 59 (got '999"),
    ("c.npz img", "'SAMPLE' to be an index in 0 to 59 (got 'img'). Samples are numbered from 0; this"),
    ("named.npz 7", "'SAMPLE' to be a name among the ids of the coreset (got '7')"),
    ("named.npz --index 99", "'SAMPLE' to be an index in 0 to 59 (got '99')"),
    ("none.npz 7", "'path' to be a file that exists"),
    ("x.npy 7", "'path' to end in one of .npz"),
    ("python.npz 7", "'embeddings' for a coreset whose file does not say where they are"),
    ("c.npz 7 --scores y.npy", "the inputs that 'coreset' was selected from (got"),
    ("c.npz 7 --labels y.npy", "'labels' as when the coreset was selected, without labels"),
    ("c.npz", "the following arguments are required: SAMPLE"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_errors_are_one_line(arguments, message, files, capsys):
    run("select x.npy --scores s.npy --budget 20 --out c.npz")
    run("select x.npy --scores s.npy --ids ids.txt --budget 20 --out named.npz")
    d2pyg.select(files[0], files[1], budget=20).save("python.npz")
    capsys.readouterr()
    try:
        status = main(["explain", *arguments.split()])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("d2pyg: error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("damage", [[], "x", None, 3, {"embeddings": 3}, {"embeddings": ["x.npy"]}])
def test_files_in_the_settings_that_are_no_paths(damage, files, tmp_path, capsys):
    run("select x.npy --scores s.npy --budget 20 --out c.json")
    content = json.loads((tmp_path / "c.json").read_text())
    content["settings"]["files"] = damage
    content.pop("checksum", None)  # which tells already that something was changed
    (tmp_path / "c.json").write_text(json.dumps(content))
    capsys.readouterr()
    assert main(["explain", "c.json", "1"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("d2pyg: error: Expected 'path' to be a complete .json file")
    assert "the 'files' of its settings are not paths by name" in err
    assert err.count("\n") == 1


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    shown = capsys.readouterr().out
    for word in "coreset.npz 12 40", "relative paths", "SAMPLE is a name", "score_last":
        assert word in shown


def test_files_that_have_changed(files, capsys):
    x, scores, _ = files
    run("select x.npy --scores s.npy --budget 20 --out c.npz")
    for name, values in ("x", x), ("s", scores):
        np.save(f"{name}.npy", np.flip(values, 0))
        capsys.readouterr()
        assert main(["explain", "c.npz", "3"]) == 2
        message = {"x": "'embeddings'", "s": "'scores'"}[name]
        err = capsys.readouterr().err
        assert (
            f"files of {message} that 'coreset' was selected from (got '{name}.npy' with other content"
            in err
        )
        np.save(f"{name}.npy", values)
    run("explain c.npz 3")
