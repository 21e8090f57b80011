"""d2pyg take: the command around take_files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import d2pyg
from d2pyg._base.folders import replacing_folder
from d2pyg.cli import main

ROOT = Path(__file__).parents[1]
NAMES = [f"row {i}" for i in range(30)]


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """11 shards, the order of whose names is not that of their numbers; ids differ from row numbers."""
    monkeypatch.chdir(tmp_path)
    Path("all").mkdir()
    for shard in range(11):
        rows = range(3 * shard, min(3 * shard + 3, 30))
        text = "".join(json.dumps({"uid": NAMES[i], "x": i}) + "\n" for i in rows)
        Path(f"all/{shard}.jsonl").write_text(text)
    x = np.random.default_rng(0).normal(size=(30, 2))
    for name, ids in ("named.npz", NAMES), ("plain.npz", None):
        d2pyg.select(x, budget=7, k=2, ids=ids).save(name)
    return d2pyg.Coreset.load("plain.npz")


def numbers(folder):
    files = sorted(Path(folder).iterdir(), key=lambda path: int(path.stem))
    return [json.loads(line)["x"] for path in files for line in path.read_text().splitlines()]


def test_a_folder(shards, capsys):
    assert main(["take", "named.npz", "all", "--out", "few", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(
        "took 7 of 30 rows of 11 files, 1 of them without rows, by the ids in uid, in "
    )
    told = json.loads(out)
    assert (told["rows"], told["kept"], told["ids"], told["out"]) == (30, 7, "uid", "few")
    assert told["files"] == [f"all/{shard}.jsonl" for shard in range(11)]
    assert told["empty"] == ["all/10.jsonl"]
    assert numbers("few") == sorted(shards.index.tolist())


@pytest.mark.parametrize("coreset", ["plain.npz", "named.npz"])
def test_files_that_a_shell_has_listed(shards, coreset, capsys):
    """0, 1, 10, 2, ...: they are read as the folder is."""
    assert main(["take", coreset, *sorted(map(str, Path("all").iterdir())), "--out", "few"]) == 0
    assert numbers("few") == sorted(shards.index.tolist())
    assert main(["take", coreset, "all/*.jsonl", "--out", "rest", "--removed", "--no-ids"]) == 0
    assert "by their numbers" in capsys.readouterr().err
    assert numbers("rest") == shards.removed.tolist()


def test_one_file(shards, capsys):
    text = "".join(Path(f"all/{shard}.jsonl").read_text() for shard in range(11))
    Path("all.jsonl").write_text(text)
    Path("few.jsonl").write_text("old")
    assert main(["take", "named.npz", "all.jsonl", "--out", "few.jsonl", "--ids", "uid"]) == 0
    assert "took 7 of 30 rows of all.jsonl, by the ids in uid" in capsys.readouterr().err
    kept = [line for i, line in enumerate(text.splitlines(keepends=True)) if i in shards.index]
    assert Path("few.jsonl").read_text() == "".join(kept)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("named.npz all --ids x", "got x 0 in row 0 of all/0.jsonl, and in the coreset 'row 0', ...). Name the "
         "column with 'ids', or go by row numbers with '--no-ids'."),
        ("plain.npz all --ids uid", "a coreset with ids for 'ids' (got 'uid' and one without)"),
        ("plain.npz all/0.jsonl all/1.jsonl", "(got 6 rows in 2 files). Check that"),
        ("no.npz all", "'CORESET' to be a file that exists (got 'no.npz')"),
        ("plain.npz no", "'data' to be a file, a folder or a pattern of files (got 'no', where there are none)"),
    ],
)  # fmt: skip
def test_errors_are_one_line(shards, words, told, capsys):
    assert main(["take", *words.split(), "--out", "few"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("d2pyg: error: ")
    assert told in err
    assert err.count("\n") == 1
    assert not Path("few").exists()


@pytest.mark.parametrize("ids", ["", "--ids ids.txt"])
def test_without_near_duplicates(shards, ids, capsys):
    x = np.random.default_rng(0).normal(size=(30, 2))
    x[20:] = x[:10]
    np.save("x.npy", x)
    Path("ids.txt").write_text("\n".join(NAMES))
    assert main(f"duplicates x.npy --threshold 1e-6 {ids} --out d.json".split()) == 0
    assert main(["take", "d.json", "all", "--out", "few"]) == 0
    assert f"by {'the ids in uid' if ids else 'their numbers'}" in capsys.readouterr().err
    assert numbers("few") == list(range(20))
    shards.save("c.json")
    assert main(["take", "c.json", "all", "--out", "other"]) == 0
    assert numbers("other") == sorted(shards.index.tolist())


def test_the_coreset_is_no_output(shards, capsys):
    shards.save("c.csv")
    before = Path("c.csv").read_bytes()
    Path("all.csv").write_text("x\n" + "1\n" * 30)
    assert main(["take", "c.csv", "all.csv", "--out", "c.csv"]) == 2
    assert "'out' to differ from the inputs (got 'c.csv')" in capsys.readouterr().err
    assert Path("c.csv").read_bytes() == before


PROGRAM = """
import os, signal, sys
from d2pyg import cli
from d2pyg.data.files import lines
real = lines.JsonLines.copy
def copy(self, source, target, rows):
    real(self, source, target, rows)
    if len(rows.files) == {at}:
        os.kill(os.getpid(), {number})
lines.JsonLines.copy = copy
sys.argv = ["d2pyg", "take", "plain.npz", "all", "--out", "few"]
cli.run()
"""


def run(number, at):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(number=int(number), at=at)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("number", "word", "status"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_leaves_nothing(shards, number, word, status):
    before = sorted(map(str, Path().rglob("*")))
    assert run(number, 5) == (status, f"d2pyg: {word}, nothing was written\n")
    assert sorted(map(str, Path().rglob("*"))) == before


def test_what_a_killed_run_left_is_cleared_by_the_next(shards):
    before = set(Path().iterdir())
    assert run(signal.SIGKILL, 5)[0] == -signal.SIGKILL
    (left,) = set(Path().iterdir()) - before
    assert left.name.endswith(".dir")
    with replacing_folder("other"):  # one that is at work
        (active,) = set(Path().iterdir()) - before
        assert active != left
        assert main(["take", "plain.npz", "all", "--out", "few"]) == 0
        assert set(Path().iterdir()) - before == {active, Path("few")}
    assert numbers("few") == sorted(shards.index.tolist())
