"""--import: a module of the user's own, before the command reads its arguments."""

import sys

import numpy as np
import pytest
from commands import COMMANDS

import d2pyg
from d2pyg import Coreset
from d2pyg.cli import main

MODULE = """
import d2pyg

@d2pyg.register("forward", "louder")
class Louder(d2pyg.nn.ForwardMessagePassing):
    def message(self, score_j, weight):
        return 2 * weight * score_j
"""
COLUMNS = """
import d2pyg

@d2pyg.register("forward", "trusted")
class Trusted(d2pyg.nn.ForwardMessagePassing):
    in_channels = 2

    def scalarize(self, score):
        return score[:, 0] / (1 + score[:, 1])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A current folder with embeddings, scores and modules, which is not on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    np.save("x.npy", rng.normal(size=(30, 3)))
    np.save("s.npy", rng.random(30))
    np.save("both.npy", rng.random((30, 2)))
    (tmp_path / "louder.py").write_text(MODULE)
    (tmp_path / "trusted.py").write_text(COLUMNS)
    (tmp_path / "broken.py").write_text("raise RuntimeError('two\\nlines')\n")
    yield tmp_path
    for module in "louder", "trusted":
        sys.modules.pop(module, None)


def test_names_of_a_module_in_the_current_folder(folder):
    command = "select x.npy --scores s.npy --keep 0.5 --out c.npz --forward louder --import=louder"
    assert main(command.split()) == 0
    x, scores = np.load("x.npy"), np.load("s.npy")
    plain = d2pyg.select(x, scores, keep=0.5)
    saved = Coreset.load("c.npz")
    twice = scores + 2 * (plain.scores.numpy() - scores)
    np.testing.assert_allclose(saved.scores.numpy(), twice, rtol=1e-12)
    assert saved.settings["forward"] == "louder"


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_every_command_has_it_and_help_lists_the_names(command, folder, capsys):
    with pytest.raises(SystemExit):
        main([command, "--import", "louder", "--help", "--import", "trusted"])
    shown = capsys.readouterr().out
    assert "--import MODULE" in shown
    if command in ("select", "sweep"):
        assert "louder, trusted, weighted" in shown


def test_a_sweep_and_an_explanation(folder, capsys):
    command = "sweep x.npy --scores s.npy --budget 5 --out t.csv --forward louder --import louder"
    assert main(command.split()) == 0
    command = "select x.npy --scores s.npy --budget 5 --out c.npz --forward louder --import louder"
    assert main(command.split()) == 0
    index = int(Coreset.load("c.npz").index[0])
    capsys.readouterr()
    assert main(["explain", "c.npz", str(index), "--import", "louder"]) == 0
    assert f"sample {index}: picked as number 1" in capsys.readouterr().out


def test_several_scores_a_sample(folder, capsys):
    command = "select x.npy --scores both.npy --budget 5 --cutoff 0.1 --out c.npz --json"
    assert main([*command.split(), "--forward", "trusted", "--import", "trusted"]) == 0
    both = np.load("both.npy")
    saved = Coreset.load("c.npz")
    assert saved.scores.isnan().nonzero().flatten().tolist() == sorted(np.argsort(-both[:, 0])[:3])
    low, high = both[:, 0].min(), both[:, 0].max()
    assert f"scores {low:.4g} to {high:.4g}, after" in capsys.readouterr().err
    assert main(command.split()) == 2
    assert "need your own 'forward' layer with 'in_channels'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("absent", "got 'absent': ModuleNotFoundError: No module named 'absent'"),
        ("broken", "got 'broken': RuntimeError: two lines"),
        ("", "got '': ValueError: Empty module name"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(module, reason, folder, capsys):
    assert main(["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--import", module]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("d2pyg: error: Expected 'import' to name a Python module")
    assert reason in err
    assert not (folder / "c.npz").exists()


def test_nothing_is_searched_without_it(folder, capsys):
    before = list(sys.path)
    with pytest.raises(SystemExit):
        main(["select", "--help"])
    assert sys.path == before
    assert "louder" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["select", "--import"])
    assert "argument --import: expected one argument" in capsys.readouterr().err
