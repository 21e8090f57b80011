import json
import signal
import subprocess
import sys
import time
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
    x, scores = rng.normal(size=(80, 4)).astype(np.float16), rng.random(80)
    labels = rng.integers(3, 6, 80)
    np.save("x.npy", x)
    np.savez("s.npz", el2n=scores, other=scores[:5])
    torch.save(torch.as_tensor(labels), "y.pt")
    (tmp_path / "ids.txt").write_text("".join(f"img {i}\n" for i in range(80)))
    np.save("initial.npy", np.array([7, 3]))
    return x, scores, labels


def test_a_recorder_in_place_of_scores(files, capsys):
    x, _, _ = files
    dynamics = d2pyg.scores.TrainingDynamics(80)
    logits = torch.linspace(-2, 2, 80).unsqueeze(1) * torch.tensor([0.0, 1.0])
    dynamics.update(torch.arange(80), logits, torch.ones(80).long())
    dynamics.end_epoch()
    dynamics.save("run.pt")
    assert (
        main(
            [
                "select",
                "x.npy",
                "--scores",
                "run.pt",
                "--cutoff",
                "auto",
                "--keep",
                "0.3",
                "--out",
                "c.npz",
            ]
        )
        == 0
    )
    expected = d2pyg.select(x, dynamics, keep=0.3, cutoff="auto")
    assert Coreset.load("c.npz").index.tolist() == expected.index.tolist()
    assert Coreset.load("c.npz").settings["num_dropped"] == 40
    capsys.readouterr()
    command = ["select", "--method", "ccs", "--scores", "run.pt", "--keep", "0.3", "--out", "c.npz"]
    assert main(command) == 2
    assert (
        "'scores' to be values of all samples (got TrainingDynamics(80 samples"
        in capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main(["select", "x.npy", "--cutoff", "most", "--keep", "0.3", "--out", "c.npz"])
    assert "expected auto or a number (got 'most')" in capsys.readouterr().err


def test_equals_select(files, capsys):
    x, scores, labels = files
    assert (
        main(
            [
                "select",
                "x.npy",
                "--scores",
                "s.npz:el2n",
                "--labels",
                "y.pt",
                "--keep",
                "0.3",
                "--out",
                "c.npz",
            ]
        )
        == 0
    )
    expected = d2pyg.select(x, scores, labels=labels, keep=0.3)
    saved = Coreset.load("c.npz")
    assert saved.index.tolist() == expected.index.tolist()
    assert saved.scores.tolist() == expected.scores.tolist()
    files_used = saved.settings.pop("files")
    saved.settings.pop("read")
    assert saved.settings == expected.settings
    assert files_used == {
        "embeddings": "x.npy", "scores": "s.npz:el2n", "labels": "y.pt", "initial": None, "ids": None,
    }  # fmt: skip
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("kept 24 of 80 samples in ")
    assert lines[0].endswith(" s -> c.npz")
    kept = scores[expected.index]
    assert lines[1] == (
        f"scores {scores.min():.4g} to {scores.max():.4g}, after the forward pass "
        f"{expected.scores.min():.4g} to {expected.scores.max():.4g}, "
        f"kept {kept.min():.4g} to {kept.max():.4g}"
    )
    counts = [int((labels[expected.index] == label).sum()) for label in (3, 4, 5)]
    assert lines[2] == "kept per class 3: {}, 4: {}, 5: {}".format(*counts)


def test_every_argument_reaches_select(files):
    x, scores, labels = files
    arguments = (
        "--prune 0.6 --k 3 --gamma-forward 0.5 --gamma-reverse 2 --kernel laplacian --scale none "
        "--update product --reverse weighted --clamp --flow source_to_target --metric cosine --cutoff 0.1 "
        "--balance uniform --min-per-class 2 --backend torch --engine sequential --device cpu "
        "--initial initial.npy --ids ids.txt --labels y.pt --scores s.npz:el2n --no-progress"
    )
    assert main(["select", "x.npy", "--out", "c.json", *arguments.split()]) == 0
    expected = d2pyg.select(
        x, scores, prune=0.6, k=3, gamma_forward=0.5, gamma_reverse=2.0, kernel="laplacian",
        scale=None, update="product", reverse="weighted", clamp=True,
        flow="source_to_target",
        metric="cosine", cutoff=0.1, balance="uniform", min_per_class=2, labels=labels,
        engine="sequential", initial=[7, 3], ids=[f"img {i}" for i in range(80)],
    )  # fmt: skip
    saved = Coreset.load("c.json")
    del saved.settings["files"], saved.settings["read"]
    assert saved.settings == expected.settings
    assert saved.index.tolist() == expected.index.tolist()
    assert saved.ids.tolist() == expected.ids.tolist()
    assert main(["select", "x.npy", "--budget", "9", "--scale", "2.5", "--out", "c.npy"]) == 0
    assert np.load("c.npy").tolist() == d2pyg.select(x, budget=9, scale=2.5).index.tolist()
    assert main(["select", "x.npy", "--budget", "9", "--reverse", "absolute", "--out", "c.npy"]) == 0
    assert np.load("c.npy").tolist() == d2pyg.select(x, budget=9, reverse="absolute").index.tolist()


def test_json_for_programs(files, capsys):
    x, scores, labels = files
    command = "select x.npy --scores s.npz:el2n --labels y.pt --budget 10 --out c.csv --json"
    assert main(command.split()) == 0
    summary = json.loads(capsys.readouterr().out)
    coreset = d2pyg.select(x, scores, labels=labels, budget=10)
    assert summary.pop("seconds") > 0
    del summary["settings"]["files"], summary["settings"]["read"]
    assert summary == {
        "out": "c.csv",
        "kept": 10,
        "of": 80,
        "score_before": [scores.min(), scores.max()],
        "score_after": [float(coreset.scores.min()), float(coreset.scores.max())],
        "score_kept": [scores[coreset.index].min(), scores[coreset.index].max()],
        "kept_per_class": {
            str(c): int((labels[coreset.index] == c).sum()) for c in (3, 4, 5)
        },
        "settings": coreset.settings,
    }  # fmt: skip
    assert main(["select", "x.npy", "--budget", "10", "--out", "c.csv", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["kept_per_class"] is None
    drawn = d2pyg.scores.shuffled(80, seed=0)
    index = d2pyg.select(x, budget=10).index
    assert summary["score_before"] == summary["score_after"] == [drawn.min(), drawn.max()]
    assert summary["score_kept"] == [drawn[index].min(), drawn[index].max()]


@pytest.mark.parametrize("suffix", [".npy", ".txt", ".json"])
@pytest.mark.parametrize("with_ids", [False, True])
def test_removed_is_what_is_neither_kept_nor_initial(suffix, with_ids, files):
    more = ["--ids", "ids.txt"] if with_ids else []
    command = (
        f"select x.npy --keep 0.5 --cutoff 0.1 --initial initial.npy --out c.npz --removed r{suffix}"
    )
    assert main([*command.split(), *more]) == 0
    kept = {*Coreset.load("c.npz").index.tolist(), 7, 3}
    expected = [f"img {i}" if with_ids else i for i in range(80) if i not in kept]
    if suffix == ".npy":
        removed = np.load("r.npy").tolist()
    elif suffix == ".json":
        removed = json.loads(Path("r.json").read_text())
    else:
        removed = [n if with_ids else int(n) for n in Path("r.txt").read_text().splitlines()]
    assert removed == expected


BAD = [
    ("x.npy --out c.npz", "exactly one of 'keep' (a fraction), 'prune'"),
    ("x.npy --keep 0.3 --budget 3 --out c.npz", "(got keep and budget)"),
    ("x.npy --keep 1.5 --out c.npz", "'keep' to be a fraction in 0 to 1 (got 1.5)"),
    ("x.npy --keep abc --out c.npz", "argument --keep: invalid float value: 'abc'"),
    ("x.npy --budget 81 --out c.npz", "'budget' to be between 1 and 80"),
    ("x.npy --keep 0.5", "the following arguments are required: --out"),
    ("x.npy --keep 0.5 --out c.npz --kee 3", "unrecognized arguments: --kee"),
    ("x.npy --keep 0.5 --out c.doc", "'out' to end in one of .npy, .npz"),
    ("x.npy --keep 0.5 --out no/c.npz", "'out' to be in a folder that exists"),
    (
        "x.npy --keep 0.5 --out c.npz --removed r.md",
        "'removed' to end in one of .npy, .txt, .json, .parquet",
    ),
    ("x.npy --keep 0.5 --out c.npy --removed ./c.npy", "'removed' to differ from 'out'"),
    ("none.npy --keep 0.5 --out c.npz", "'embeddings' to be a file that exists"),
    ("s.npz --keep 0.5 --out c.npz", "'embeddings' to name one of the arrays in 's.npz': el2n, other"),
    (
        "s.npz:el2n --keep 0.5 --out c.npz",
        "column 'el2n' of 's.npz' to hold a vector in every row (got float64 in a row)",
    ),
    (
        "x.npy --scores s.npz:other --keep 0.5 --out c.npz",
        "'scores' to have one value for each of the 80",
    ),
    ("x.npy --labels s.npz:el2n --keep 0.5 --out c.npz", "'labels' to be integers (got torch.float64)"),
    ("ids.txt --keep 0.5 --out c.npz", "'ids.txt' to hold a vector in every row (got text)"),
    ("x.npy --ids s.npz:el2n --keep 0.5 --out c.npz", "'ids' to be integers or strings"),
    ("x.npy --k 80 --keep 0.5 --out c.npz", "'k' to be between 1 and 79"),
    ("x.npy --kernel cubic --keep 0.5 --out c.npz", "'kernel' to be one of laplacian, rbf"),
    (
        "x.npy --scale wide --keep 0.5 --out c.npz",
        "expected median, local, none or a number (got 'wide')",
    ),
    ("x.npy --scale 0 --keep 0.5 --out c.npz", "'scale' to be above 0 (got 0)"),
    ("x.npy --keep 0.5 --out x.npy", "'out' to differ from the inputs (got 'x.npy')"),
    ("x.npy --scores s.npz:el2n --keep 0.5 --out ./s.npz", "'out' to differ from the inputs"),
    (
        "x.npy --ids ids.txt --keep 0.5 --out c.npz --removed ids.txt",
        "'removed' to differ from the inputs",
    ),
    (
        "x.npy --scale 1 --device tpu9 --keep 0.5 --out c.npz",
        "'device' to be one that this torch can use",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_errors_are_one_line_with_status_2_and_leave_files_alone(
    arguments, message, files, tmp_path, capsys
):
    for name in "c.npz", "c.npy", "r.txt":
        (tmp_path / name).write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    try:
        status = main(["select", *arguments.split()])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("d2pyg: error: ")
    assert message in err
    assert sorted(tmp_path.iterdir()) == before
    assert all((tmp_path / name).read_bytes() == b"old" for name in ("c.npz", "c.npy", "r.txt"))


@pytest.mark.parametrize("part", ["formats.write", "lists.name_list"])
def test_a_failed_write_leaves_both_outputs_alone(part, files, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError("No space left on device")

    for name in "c.npz", "r.txt":
        (tmp_path / name).write_bytes(b"old")
    monkeypatch.setattr(f"d2pyg.coreset.{part}", full)
    assert main(["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--removed", "r.txt"]) == 2
    assert "d2pyg: error: No space left on device" in capsys.readouterr().err
    assert all((tmp_path / name).read_bytes() == b"old" for name in ("c.npz", "r.txt"))


def test_outputs_are_different_files_also_through_links(files, tmp_path, capsys):
    (tmp_path / "r.npy").symlink_to("c.npy")
    (tmp_path / "c.npy").write_bytes(b"old")
    assert main(["select", "x.npy", "--keep", "0.5", "--out", "c.npy", "--removed", "r.npy"]) == 2
    error = (
        "d2pyg: error: Expected 'removed' to differ from 'out' (got 'r.npy' for both). Name two files.\n"
    )
    assert capsys.readouterr().err == error
    assert (tmp_path / "c.npy").read_bytes() == b"old"


@pytest.mark.parametrize("number", ["٣", "½", "1e400", "nan", "-inf", "0x1", "9" * 5000, ""])
@pytest.mark.parametrize(
    "option", ["--keep", "--budget", "--k", "--gamma-reverse", "--cutoff", "--scale"]
)
def test_numbers_that_are_none_are_one_line(option, number, files, capsys):
    size = [] if option in ("--keep", "--budget") else ["--keep", "0.3"]
    command = ["select", "x.npy", "--scores", "s.npz:el2n", *size, "--out", "c.npz"]
    try:
        status = main([*command, f"{option}={number}"])
    except SystemExit as stop:  # argparse's own way out
        status = stop.code
    err = capsys.readouterr().err
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(("d2pyg: error: argument", "d2pyg: error: Expected"))
    assert len(err) <= 301
    assert not Path("c.npz").exists()


def test_files_of_another_byte_order(files):
    x, scores, labels = files
    for name, values in ("x", x), ("s", scores), ("y", labels):
        np.save(f"{name}-big.npy", values.astype(values.dtype.newbyteorder(">")))
    arguments = "select x-big.npy --scores s-big.npy --labels y-big.npy --keep 0.3 --out c.npy"
    assert main(arguments.split()) == 0
    expected = d2pyg.select(x, scores, labels=labels, keep=0.3)
    assert np.load("c.npy").tolist() == expected.index.tolist()


def test_names_with_line_breaks_need_a_format_that_keeps_them(files, capsys):
    np.save("names.npy", np.array([f"a\n{i}" for i in range(80)]))
    command = "select x.npy --ids names.npy --keep 0.5 --out c.npz --removed"
    assert main([*command.split(), "r.txt"]) == 2
    assert "'removed' to be a .json or .npy file" in capsys.readouterr().err
    assert not Path("c.npz").exists()
    assert main([*command.split(), "r.json"]) == 0


def test_running_out_of_memory_is_one_line(files, monkeypatch, capsys):
    def out(embeddings, keep):
        raise MemoryError

    monkeypatch.setattr("d2pyg.cli.select.look_up", lambda *_: out)
    assert main(["select", "x.npy", "--keep", "0.5", "--out", "c.npz"]) == 2
    assert capsys.readouterr().err == "d2pyg: error: MemoryError\n"


@pytest.mark.filterwarnings("always:The budget of")
def test_warnings_are_one_line(files, capsys):
    assert (
        main(
            [
                "select",
                "x.npy",
                "--labels",
                "y.pt",
                "--budget",
                "4",
                "--min-per-class",
                "2",
                "--out",
                "c.npz",
            ]
        )
        == 0
    )
    err = capsys.readouterr().err
    assert err.startswith("d2pyg: warning: The budget of 4 gives 2 of 3 classes fewer than")


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["select", "--help"])
    shown = capsys.readouterr().out
    for word in "score_before", "kept_per_class", "file.npz:key", "--keep 0.3", "laplacian, rbf":
        assert word in shown
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"d2pyg {d2pyg.__version__}\n"


def test_as_a_module_with_a_progress_bar(files):
    command = [
        sys.executable,
        "-m",
        "d2pyg",
        *["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--progress"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "selection: 100%" in done.stderr
    assert len(Coreset.load("c.npz")) == 40


def test_interrupting_writes_nothing(files, tmp_path, rng):
    np.save("large.npy", rng.normal(size=(200_000, 64)).astype(np.float16))
    (tmp_path / "c.npz").write_bytes(b"old")
    before = sorted(tmp_path.iterdir())
    command = "select large.npy --keep 0.5 --out c.npz --progress"
    run = subprocess.Popen(
        [sys.executable, "-m", "d2pyg", *command.split()], stderr=subprocess.PIPE, text=True
    )
    seen = ""
    while "kNN graph" not in seen:  # it has begun
        seen += run.stderr.read(1)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "d2pyg: interrupted, nothing was written" in rest
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "c.npz").read_bytes() == b"old"
