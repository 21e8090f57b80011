"""Help and errors in arguments come at once, without torch, and say what may have been meant."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import torch_geometric
from commands import COMMANDS

import d2pyg
from d2pyg._base import options, registry
from d2pyg.cli import main, notices
from d2pyg.cli.arguments import catalog, methods
from d2pyg.coreset import duplicates, formats

PROGRAM = """
import sys
from d2pyg.cli import main
status = 0
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
heavy = {"torch", "torch_geometric", "numpy", "numba", "matplotlib", "sklearn"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else status)
"""


def ended(words):
    """The status, stdout and stderr of a process that must not import torch."""
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "imported {" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_needs_no_torch(words):
    status, out, err = ended(words)
    assert (status, err) == (0, "")
    assert out.startswith("d2pyg " if "--version" in words else "usage: d2pyg ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("selct x.npy", "'COMMAND' to be one of select, take, graph, .*(got 'selct'). Did you mean 'select'?"),
        ("--versoin", "unrecognized arguments: --versoin. Did you mean --version? (see d2pyg --help)"),
        ("select x.npy --kee 0.3", "unrecognized arguments: --kee. Did you mean --keep? (see d2pyg select"),
        ("select x.npy --kee=0.3", "unrecognized arguments: --kee=0.3. Did you mean --keep?"),
        ("select x.npy -k 3", "unrecognized arguments: -k. Did you mean --k? (see d2pyg select --help)"),
        ("graph x.npy --out g.pt --metrik cosine", "--metrik. Did you mean --metric?"),
        ("extend g.pt x.npy n.npy --out h.pt --label y.npy", "--label. Did you mean --labels?"),
        ("shrink g.pt x.npy c.npz --out h.pt --memry 1e9", "--memry. Did you mean --memory?"),
        ("sweep x.npy --out t.csv --gama-forward 1", "--gama-forward. Did you mean --gamma-forward?"),
        ("score aum --logit l.npy --out s.npy", "--logit. Did you mean --logits?"),
        ("explain c.npz 1 --idx", "--idx. Did you mean --index?"),
        ("compare c.npz --embedings x.npy", "--embedings. Did you mean --embeddings?"),
        ("duplicates x.npy --treshold 1", "--treshold. Did you mean --threshold?"),
        ("demo --seed 3", "--seed. Did you mean --seeds?"),
        ("tak c.npz x.jsonl --out y.jsonl", "(got 'tak'). Did you mean 'take'?"),
        ("take c.npz x.jsonl --out y.jsonl --remove", "--remove. Did you mean --removed?"),
        ("select x.npy --xyzzy 3", "unrecognized arguments: --xyzzy (see d2pyg select --help)"),
        ("select x.npy --keep 1 --out c.npz --method kcenter", "(got 'kcenter'). Did you mean 'k_center'?"),
        ("select x.npy --keep 1 --out c.npz --kernel lapacian", "'kernel' to be one of laplacian, rbf (got 'lapac"),
        ("select x.npy --keep 1 --out c.npz --engine hep", "one of auto, heap, rounds, sequential (got 'hep'). Did"),
        ("select x.npy --keep 1 --out c.npz --flow bth", "(got 'bth'). Did you mean 'both'?"),
        ("score neigbor-distance --out s.npy", "(got 'neigbor_distance'). Did you mean 'neighbor_distance'?"),
        ("select x.npy --keep 1 --out c.npz --kernel mine", "Add your own with @d2pyg.register('kernel', 'mine')."),
    ],
)  # fmt: skip
def test_a_mistyped_word_needs_no_torch(words, told):
    status, out, err = ended(words.split())
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("d2pyg: error: ")
    assert all(part in err for part in told.split(".*"))


def test_without_a_command_help_is_an_error():
    status, out, err = ended([])
    assert (status, out) == (2, "")
    assert err.startswith("usage: d2pyg ")
    assert all(f"\n    {name}" in err for name in COMMANDS)
    assert ended(["--"])[0] == 2


def test_values_that_look_like_options_are_no_mistyped_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.eye(9))
    d2pyg.select(np.eye(9), budget=3, ids=["--kep", *map(str, range(8))]).save("c.npz")
    assert main(["explain", "c.npz", "--embeddings", "x.npy", "--", "--kep"]) == 0
    assert "sample 0 (--kep)" in capsys.readouterr().out
    assert main(["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--gamma-forward", "-1"]) == 2
    assert "'gamma_forward' to be at least 0 (got -1)" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_what_one_needs_comes_first(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    order = ["input", "budget", "output", "method", "graph", "expert", "--help"]
    starts = {
        line.split(":")[0].split(" (")[0].split(",")[0]: at
        for at, line in enumerate(shown.splitlines())
        if line.rstrip().endswith(":") and not line.startswith(" ")
    }
    found = [starts[word] for word in order if word in starts]
    assert found == sorted(found)
    assert "expert" in starts
    assert shown.index("\nexpert:") < shown.index("  -h, --help")


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_the_names_in_the_source_are_those_that_are_registered(family):
    ours = sorted(name for own, name, _ in catalog._definitions() if own == family)
    assert ours == registry.choices(family) == catalog.names(family)


@pytest.mark.parametrize("name", registry.choices("method"))
def test_a_method_is_read_from_its_source_as_it_is(name):
    node = next(node for own, key, node in catalog._definitions() if (own, key) == ("method", name))
    read, real = catalog._without_body(node), registry.look_up("method", name)
    assert inspect.getdoc(read) == inspect.getdoc(real)
    own, given = methods.parameters(read), methods.parameters(real)
    assert own.items() <= given.items()
    assert given.keys() - own.keys() <= {
        "keep", "prune", "budget", "labels", "balance", "min_per_class", "ids", "device",
    }  # fmt: skip


def test_suffixes_are_those_of_the_writers():
    assert tuple(formats.READERS) == options.CORESET_SUFFIXES
    assert (*options.ARRAY_SUFFIXES, *options.CORESET_SUFFIXES) == tuple(formats.WRITERS)
    assert tuple(duplicates.WRITERS) == options.DUPLICATES_SUFFIXES


@pytest.mark.parametrize("library", [torch, torch_geometric])
def test_warnings_of_libraries_are_for_their_users(library, capsys):
    with warnings.catch_warnings(), notices.in_lines(verbose=False):
        warnings.simplefilter("always")
        for file in library.__file__, d2pyg.select.__code__.co_filename:  # where C++ was called
            warnings.warn_explicit("is deprecated", UserWarning, file, 1)
        warnings.warn_explicit("overflow", RuntimeWarning, d2pyg.select.__code__.co_filename, 1)
        warnings.warn_explicit(
            "of d2pyg", UserWarning, notices.__file__.replace("cli/notices", "__main__"), 1
        )
        warnings.warn_explicit("of the user", DeprecationWarning, "/home/torch/mine.py", 1)
    told = [line.removeprefix("d2pyg: warning: ") for line in capsys.readouterr().err.splitlines()]
    assert told == ["overflow", "of d2pyg", "of the user"]


def test_the_demo_refuses_what_it_cannot_do(tmp_path, capsys):
    pytest.importorskip("sklearn")
    assert main(["demo", "--seeds", "0", "--out", str(tmp_path)]) == 2
    assert "'seeds' to be at least 1 (got 0)" in capsys.readouterr().err
    done = subprocess.run(
        [sys.executable, "-m", "d2pyg.demo", "--help"], capture_output=True, text=True, check=True
    )
    assert "--seeds N" in done.stdout
