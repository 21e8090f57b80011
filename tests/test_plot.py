import numpy as np
import pytest

import d2pyg
from d2pyg.plot import plot_coreset, plot_coresets

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.parametrize("dimensions", [1, 2, 7])
def test_draws(suffix, dimensions, tmp_path, rng):
    x, scores = rng.normal(size=(40, dimensions)), rng.random(40)
    path = tmp_path / f"figure{suffix}"
    plot_coreset(d2pyg.select(x, scores, budget=9), x, scores, path)
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(magic)
    if suffix == ".svg":
        assert "<svg" in path.read_text()


def test_counts_in_the_legend(tmp_path, monkeypatch, rng):
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # text stays text
    x, scores = rng.normal(size=(40, 2)), rng.random(40)
    plot_coreset(d2pyg.select(x, scores, budget=9), x, scores, tmp_path / "figure.svg")
    drawn = (tmp_path / "figure.svg").read_text()
    assert "all 40" in drawn
    assert "kept 9" in drawn


def test_refuses(tmp_path, rng):
    x = rng.normal(size=(10, 2))
    coreset = d2pyg.select(x, budget=2)
    with pytest.raises(ValueError, match=r"'path' to end in one of .png, .pdf, .svg"):
        plot_coreset(coreset, x, np.ones(10), tmp_path / "figure.bmp")
    for coresets in {}, [coreset], None:
        with pytest.raises(TypeError, match=r"'coresets' to be a dict of at least one coreset by name"):
            plot_coresets(coresets, x, np.ones(10))
    with pytest.raises(ValueError, match="'scores' to have one value for each of the 10"):
        plot_coreset(coreset, x, np.ones(9), tmp_path / "figure.png")


def test_gives_the_figure_without_a_file(rng):
    x, scores = rng.normal(size=(40, 2)), rng.random(40)
    figure = plot_coreset(d2pyg.select(x, scores, budget=9), x, scores)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["all 40", "kept 9"]
    assert [len(points.get_offsets()) for points in right.collections] == [40, 9]


NAMES = {  # and what is drawn
    "a$x^{$": "a$x^{$",
    "$": "$",
    r"\frac{": r"\frac{",
    "two\n\tlines": "two lines",
    "x" * 500: "x" * 22 + " ... " + "x" * 23,
    "\udcff\x07": r"\udcff\x07",
    "日本 🐈": "日本 🐈",  # in boxes, where the font lacks them
}


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_names_are_plain_text(suffix, tmp_path, rng):
    x, scores = rng.normal(size=(20, 2)), rng.random(20)
    coreset = d2pyg.select(x, scores, budget=5)
    figure = plot_coresets(dict.fromkeys(NAMES, coreset), x, scores, tmp_path / f"f{suffix}")
    assert [axes.get_title() for axes in figure.axes[::2]] == list(NAMES.values())
    assert (tmp_path / f"f{suffix}").stat().st_size > 0
