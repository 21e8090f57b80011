"""A stranger's package, installed beside d2pyg: its names work from the command line and from Python."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import d2pyg

HERE = Path(__file__).parent
pytest.importorskip("setuptools", minversion="77")

PROGRAM = """
import json, sys, numpy
import d2pyg.cli
from d2pyg._base.registry import choices, look_up

assert "example-attention" not in choices("forward")
assert d2pyg.cli.main(sys.argv[1:]) == 0
smooth = "select x.npy --scores s.npy --budget 12 --out m.npy --import d2pyg_example --method example-smooth"
assert d2pyg.cli.main(smooth.split()) == 0
import d2pyg_example as ours

x, scores = numpy.load("x.npy"), numpy.load("s.npy")
picks = {
    "names": d2pyg.select(
        x, scores, budget=12, kernel="example-triangle", forward="example-attention",
        reverse="example-capped", gamma_reverse=0.5,
    ),
    "objects": d2pyg.select(
        x, scores, budget=12, forward=ours.Attention(kernel=ours.Triangle()),
        reverse=ours.Capped(0.5, ours.Triangle()),
    ),
    "method": look_up("method", "example-smooth")(x, scores, budget=12),
}
print(json.dumps({name: coreset.index.tolist() for name, coreset in picks.items()}))
"""
COMMAND = """
select x.npy --scores s.npy --budget 12 --out c.json --import d2pyg_example
--kernel example-triangle --forward example-attention --reverse example-capped --gamma-reverse 0.5
"""


def test_a_package_that_is_installed_beside_it(tmp_path):
    source = shutil.copytree(HERE / "extension_package", tmp_path / "source")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target"]
    install = [sys.executable, "-m", "pip", "install", *flags, str(tmp_path / "site"), str(source)]
    subprocess.run(install, check=True, capture_output=True)
    made = np.random.default_rng(4)
    x, scores = made.normal(size=(40, 3)), made.lognormal(size=40)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "s.npy", scores)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *COMMAND.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(HERE.parent)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    picks = json.loads(done.stdout)
    saved = d2pyg.Coreset.load(tmp_path / "c.json")
    assert saved.index.tolist() == picks["names"] == picks["objects"]
    assert [saved.settings[family] for family in ("kernel", "forward", "reverse")] == [
        "example-triangle",
        "example-attention",
        "example-capped",
    ]
    assert np.load(tmp_path / "m.npy").tolist() == picks["method"]
    default = d2pyg.select(x, scores, budget=12)
    assert picks["names"] != default.index.tolist()
    assert picks["method"] == default.scores.argsort(descending=True)[:12].tolist()
