from pathlib import Path

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
    counts = figure.axes[0]
    assert [text.get_text() for text in counts.get_legend().get_texts()] == ["all 40", "kept 9"]


def panels(figure, column):
    """The axes of one column, from top to bottom; the last axes are the colorbar's."""
    return figure.axes[column:-1:3]


def test_rows_share_their_axes(rng):
    x, scores = rng.normal(size=(200, 3)), rng.random(200)
    by_score = scores.argsort()
    figure = plot_coresets({"easy": by_score[:20], "hard": by_score[-120:]}, x, scores)
    for column in range(3):
        first, second = panels(figure, column)
        assert first.get_xlim() == second.get_xlim()
        assert first.get_ylim() == second.get_ylim()


def test_shares_of_the_bins():
    x = np.arange(60.0)[:, None]
    scores = np.repeat([0.0, 1.0], 30)  # the first bin and the last
    kept = [*range(30), *range(30, 40)]
    shares = panels(plot_coresets({"": kept}, x, scores), 1)[0]
    drawn = shares.patches[0].get_data().values
    assert drawn[0] == 1
    assert drawn[-1] == pytest.approx(1 / 3)
    assert not drawn[1:-1].any()  # no samples, none kept
    assert shares.lines[0].get_ydata()[0] == pytest.approx(40 / 60)


def test_colors_tell_methods_apart_where_dots_would_cover_everything(rng):
    x, scores = rng.normal(size=(8000, 2)), rng.random(8000)
    inside = (x**2).sum(axis=1).argsort()
    coresets = {
        "inside": inside[:2400],
        "outside": inside[-2400:],
        "random": rng.permutation(8000)[:2400],
    }
    found = {}
    for name, axes in zip(coresets, panels(plot_coresets(coresets, x, scores), 2), strict=True):
        (hexagons,) = axes.collections
        value, place = hexagons.get_array(), hexagons.get_offsets()
        assert (hexagons.norm.vmin, hexagons.norm.vmax) == (0, 2)  # the same in all rows
        assert value.max() <= 1 / 0.3 + 1e-9  # all kept, of 30% overall
        central = (np.asarray(place) ** 2).sum(axis=1) < 0.25
        found[name] = value[central].mean()
    assert found["inside"] > 3
    assert found["outside"] == 0
    assert found["random"] == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("kept", [[0], range(50)])
def test_one_kept_or_all(kept, tmp_path, rng):
    figure = plot_coresets({"": [*kept]}, rng.normal(size=(50, 3)), rng.random(50), tmp_path / "f.png")
    value = panels(figure, 2)[0].collections[0].get_array()
    assert np.isfinite(value).all()
    assert (len(kept) == 1) or (value == 1).all()


def test_shows_itself(rng):
    x, scores = rng.normal(size=(40, 2)), rng.random(40)
    figure = plot_coresets({"日本": d2pyg.select(x, scores, budget=9)}, x, scores)
    assert figure._repr_png_().startswith(b"\x89PNG")  # what IPython asks for


@pytest.mark.parametrize(
    "before", ["", "import matplotlib.pyplot as plt", "%matplotlib inline", "from pylab import plot, show; plot([1]); show()"]
)  # fmt: skip
def test_a_fresh_notebook_shows_it_once(before, tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient", reason="make notebooks")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    made = (
        "import torch, d2pyg\nx, s = torch.rand(50, 3), torch.rand(50)\nc = d2pyg.select(x, s, keep=0.3)"
    )
    drawn = "d2pyg.plot.plot_coreset(c, x, s)"
    cells = [before, f"{made}\nimport d2pyg.plot", drawn]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(notebook, timeout=200, kernel_name="python3", resources=resources).execute()
    (output,) = notebook.cells[-1].outputs
    assert output["output_type"] == "execute_result"
    assert "image/png" in output["data"]


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
    assert [axes.get_title(loc="left") for axes in panels(figure, 0)] == list(NAMES.values())
    assert (tmp_path / f"f{suffix}").stat().st_size > 0
