"""d2pyg score: the functions of d2pyg.scores, by name."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from d2pyg import scores
from d2pyg.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    logits, y = rng.normal(size=(4, 30, 3)).astype(np.float16), rng.integers(0, 3, 30)
    x = rng.normal(size=(30, 4)).astype(np.float32)
    np.save("logits.npy", logits)
    for epoch, values in enumerate(logits):
        np.save(f"e{epoch}.npy", values)
    np.save("y.npy", y)
    np.save("high.npy", y + 2)
    np.save("few.npy", y[:9])
    np.save("x.npy", x)
    scores.functions.recorded(logits, y, window=3).save("run.pt")
    return logits, y, x


def run(command):
    assert main(command.split()) == 0
    return np.load("s.npy")


CASES = [
    ("forgetting", "", {}),
    ("aum", "", {}),
    ("aum", "--margin probabilities --raw", {"margin": "probabilities", "raw": True}),
    ("el2n", "--el2n-epochs 2", {"epochs": 2}),
    ("entropy", "", {}),
    ("variance", "", {}),
    ("confidence", "--raw", {"raw": True}),
    ("correctness", "", {}),
    ("borderline", "", {}),
    ("dyn_unc", "--window 3", {"window": 3}),
    ("dual", "--window 2", {"window": 2}),
]


@pytest.mark.parametrize(("name", "options", "arguments"), CASES)
@pytest.mark.parametrize("given", ["logits.npy", "e0.npy e1.npy e2.npy e3.npy"])
def test_from_logits(given, name, options, arguments, files):
    logits, y, _ = files
    found = run(f"score {name} --logits {given} --labels y.npy {options} --out s.npy")
    assert found.dtype == np.float64
    assert found.tolist() == getattr(scores, name)(logits, y, **arguments).tolist()


def test_from_one_epoch_and_without_labels(files):
    logits, y, _ = files
    found = run("score el2n --logits e1.npy --labels y.npy --out s.npy")
    assert found.tolist() == scores.el2n(logits[1], y).tolist()
    found = run("score entropy --logits e0.npy e1.npy --out s.npy")
    assert found.tolist() == scores.entropy(logits[:2]).tolist()


@pytest.mark.parametrize("name", ["forgetting", "aum", "dual", "dyn-unc"])
def test_from_a_recorder(name, files):
    logits, y, _ = files
    dynamics = scores.functions.recorded(logits, y, window=3)
    found = run(f"score {name} --dynamics run.pt --out s.npy")
    assert found.tolist() == getattr(dynamics, name.replace("-", "_"))().tolist()
    found = run("score aum --dynamics run.pt --raw --out s.npy")
    assert found.tolist() == dynamics.aum(raw=True).tolist()


def test_from_embeddings(files):
    x = files[2]
    found = run("score prototypicality --embeddings x.npy --prototypes 4 --seed 1 --out s.npy")
    assert found.tolist() == scores.prototypicality(x, 4, seed=1).tolist()
    found = run("score prototypicality --embeddings x.npy --prototypes 4 --seed 1 --raw --out s.npy")
    assert found.tolist() == scores.prototypicality(x, 4, seed=1, raw=True).tolist()
    found = run(
        "score neighbor-distance --embeddings x.npy --k 3 --metric cosine --backend torch "
        "--device cpu --no-progress --out s.npy"
    )
    assert found.tolist() == scores.neighbor_distance(x, 3, metric="cosine").tolist()


def test_says_what_it_found(files, capsys):
    found = run("score aum --logits logits.npy --labels y.npy --out s.npy --json")
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary.pop("seconds") >= 0
    assert summary == {
        "out": "s.npy", "name": "aum", "samples": 30, "range": [found.min(), found.max()],
        "mean": pytest.approx(found.mean()),
    }  # fmt: skip
    line = rf"aum of 30 samples: 0 to {found.max():.4g}, mean {found.mean():.4g}, in \d+\.\d s -> s.npy"
    assert re.fullmatch(f"{line}\n", err)


FROM_LOGITS = "--logits logits.npy --labels y.npy"
BAD = [
    (f"hardness {FROM_LOGITS} --out s.npy", "'name' to be one of forgetting, aum, el2n"),
    ("aum --logits logits.npy --out s.npy", "'labels' for aum (got none). Pass --labels labels.npy, or"),
    ("aum --labels y.npy --out s.npy", "'logits' for aum (got none)"),
    ("prototypicality --seed 0 --out s.npy", "'embeddings' for prototypicality (got none)"),
    ("prototypicality --embeddings x.npy --out s.npy", "'seed' for prototypicality (got none)"),
    (
        f"forgetting {FROM_LOGITS} --window 3 --out s.npy",
        "'window' to be left out for forgetting, which does not use it (got 3). It takes none",
    ),
    (f"el2n {FROM_LOGITS} --raw --out s.npy", "'raw' to be left out for el2n"),
    (f"aum {FROM_LOGITS} --embeddings x.npy --out s.npy", "'embeddings' to be left out for aum"),
    (f"aum {FROM_LOGITS} --dynamics run.pt --out s.npy", "'logits' to be left out for aum from"),
    ("dual --dynamics run.pt --window 3 --out s.npy", "'window' to be left out for dual from 'dynamics'"),
    ("neighbor-distance --embeddings x.npy --seed 1 --out s.npy", "'seed' to be left out for neighbor_"),
    ("aum --logits none.npy --labels y.npy --out s.npy", "'logits' to be a file that exists"),
    ("aum --logits y.npy --labels y.npy --out s.npy", "'logits' to have shape (epochs, N, C)"),
    ("aum --logits e0.npy x.npy --labels y.npy --out s.npy", "'logits' to have one shape (N, C)"),
    ("aum --logits e0.npy --labels x.npy --out s.npy", "'labels' to be integers"),
    ("aum --logits e0.npy --labels high.npy --out s.npy", "'labels' to lie in 0 to "),
    ("aum --logits e0.npy --labels few.npy --out s.npy", "'labels' to have one value for each of the 30"),
    ("aum --dynamics x.npy --out s.npy", "'dynamics' to end in one of .pt"),
    ("aum --dynamics none.pt --out s.npy", "'dynamics' to be a file that exists"),
    (
        "prototypicality --embeddings x.npy --prototypes 99 --seed 0 --out s.npy",
        "'prototypes' to be between 1 and 30",
    ),
    (f"dual {FROM_LOGITS} --out s.npy", "seen in at least 10 epochs"),
    (f"aum {FROM_LOGITS} --out s.csv", "'out' to end in one of .npy"),
    ("aum --logits e0.npy e1.npy --labels y.npy --out e1.npy", "'out' to differ from the inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_errors_are_one_line_and_leave_files_alone(arguments, message, files, capsys):
    Path("s.npy").write_bytes(b"old")
    before = {path: path.read_bytes() for path in Path().iterdir()}
    assert main(["score", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("d2pyg: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_a_failed_write_leaves_the_output_alone(files, monkeypatch, capsys):
    def full(*_, **__):
        raise OSError("No space left on device")

    Path("s.npy").write_bytes(b"old")
    monkeypatch.setattr("d2pyg.cli.score.np.save", full)
    assert main(["score", "aum", "--dynamics", "run.pt", "--out", "s.npy"]) == 2
    assert capsys.readouterr().err == "d2pyg: error: No space left on device\n"
    assert Path("s.npy").read_bytes() == b"old"


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    shown = capsys.readouterr().out
    for word in "forgetting --logits e0.npy e1.npy", "--dynamics run.pt", "range  ", "--prototypes 100":
        assert word in shown
