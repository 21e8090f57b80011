"""A job as people have it: what was kept, is it sensible, and how does it differ from random samples?"""

import json

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three groups of different spread, the difficulty the distance from the center; two coresets."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    group = np.arange(300) % 3
    offset = rng.normal(size=(300, 5)) * (1 + group)[:, None]
    x, scores = offset + 9 * np.eye(5)[group], np.linalg.norm(offset, axis=1)
    np.save("x.npy", x)
    np.save("s.npy", scores)
    np.save("y.npy", group)
    coresets = {
        "d2": d2pyg.select(x, scores, labels=group, keep=0.2),
        "random": d2pyg.baselines.random(x, scores, labels=group, keep=0.2, seed=0),
    }
    for name, coreset in coresets.items():
        coreset.save(f"{name}.npz")
    return x, scores, group, coresets


def test_figures_of_saved_coresets(files, tmp_path):
    pytest.importorskip("matplotlib")
    x, scores, _, coresets = files
    saved = {name: d2pyg.Coreset.load(f"{name}.npz") for name in coresets}
    assert saved == coresets
    d2pyg.plot.plot_coreset(saved["d2"], x, scores, "one.png")
    d2pyg.plot.plot_coresets(saved, x, scores, "both.pdf")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "both.pdf").read_bytes().startswith(b"%PDF")


def test_a_comparison_says_what_the_figures_show(files, tmp_path, capsys):
    """By the command, with its figure; d2 keeps harder samples, and each class its share."""
    pytest.importorskip("matplotlib")
    _, scores, group, coresets = files
    words = "compare d2.npz random.npz --embeddings x.npy --scores s.npy --labels y.npy"
    assert main(f"{words} --figure compared.svg --json".split()) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert "<svg" in (tmp_path / "compared.svg").read_text()
    assert scores[coresets["d2"].index].mean() > scores[coresets["random"].index].mean()
    for coreset in coresets.values():
        assert d2pyg.metrics.class_counts(group, coreset.index) == {0: 20, 1: 20, 2: 20}
    assert [row["name"] for row in rows] == ["d2.npz", "random.npz"]


def test_why_a_sample_was_kept(files, capsys):
    """Of the hardest sample, and of one that a pick nearby lowered."""
    _, scores, _, coresets = files
    coreset = coresets["d2"]
    first = int(coreset.index[0])
    assert main(f"explain d2.npz {first} {int(np.argmin(scores))} --embeddings x.npy "
                f"--scores s.npy --labels y.npy --json".split()) == 0  # fmt: skip
    kept, left = json.loads(capsys.readouterr().out)
    assert (kept["fate"], left["fate"]) == ("picked", "left")
    assert coreset.explain(first).as_dict() == kept
