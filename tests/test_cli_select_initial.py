"""--initial takes what d2pyg select writes, and names."""

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main

X = np.random.default_rng(0).normal(size=(20, 3))
NAMES = [f"n{i}" for i in range(20)]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".json", ".csv", ".parquet", ".txt"])
def test_outputs_are_inputs(tmp_path, monkeypatch, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    (tmp_path / "ids.txt").write_text("\n".join(NAMES))
    words = ["select", "x.npy", "--ids", "ids.txt", "--budget", "3"]
    first = d2pyg.select(X, ids=NAMES, budget=3)
    if suffix == ".txt":
        (tmp_path / "first.txt").write_text("\n".join(first.ids[first.index]))
    else:
        assert main([*words, "--out", f"first{suffix}"]) == 0
    more = [*words, "--initial", f"first{suffix}", "--out", "next.npz", "--removed", "rest.txt"]
    assert main(more) == 0
    found = d2pyg.Coreset.load("next.npz")
    assert found.settings["initial"] == first.index.tolist()
    assert len((tmp_path / "rest.txt").read_text().split()) == 14
