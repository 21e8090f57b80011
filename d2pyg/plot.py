"""Figures of coresets: how hard the samples are, and where they lie. Needs matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_embeddings, as_index, as_scores, shown
from d2pyg._base.options import FIGURE_SUFFIXES
from d2pyg._base.outputs import check_output, replacing
from d2pyg._base.text import one_line, printable
from d2pyg.coreset.coreset import Coreset

_ALL, _KEPT = "#b8bcc4", "#d1495b"
_COLORS = "coolwarm"  # gray in the middle: the share kept of all samples
_TITLE = 50  # characters
_BINS = 30
_HEXAGONS = 10, 36  # in a row: fewest, and most


def plot_coreset(
    coreset: Coreset,
    embeddings: Tensor | np.ndarray,
    scores: ArrayLike,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draws how hard the kept samples are, and where they lie.

    From left to right:

    - the difficulty of all samples and of the samples kept;
    - the share kept in each bin of difficulty; the line is the share kept of all samples;
    - the first two principal components, in hexagons: the share kept in each hexagon, relative to the
      share kept of all samples (more in red hexagons, less in blue ones).

    Args:
        coreset: The picks.
        embeddings: [N, d], as passed to :func:`d2pyg.select`.
        scores: [N], as passed to :func:`d2pyg.select`.
        path: A file to write: ``.png``, ``.pdf`` or ``.svg``.

    Returns:
        A ``matplotlib.figure.Figure``, which a notebook shows.

    Raises:
        ValueError, TypeError: If an argument breaks its rule.
        ImportError: If matplotlib is not installed.
    """
    return plot_coresets({"": coreset}, embeddings, scores, path)


def plot_coresets(
    coresets: Mapping[str, Coreset | ArrayLike],
    embeddings: Tensor | np.ndarray,
    scores: ArrayLike,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draws :func:`plot_coreset` for several coresets of one data set, one row each, on the same axes.

    Args:
        coresets: Coresets, or indices of the samples kept, by name. The name is the title, cut to 50
            characters.
        embeddings, scores, path: As for :func:`plot_coreset`.

    Returns:
        A ``matplotlib.figure.Figure``.
    """
    if not isinstance(coresets, Mapping) or not coresets:
        raise TypeError(
            f"Expected 'coresets' to be a dict of at least one coreset by name (got {shown(coresets)}). "
            f"Pass such as {{'d2': coreset}}."
        )
    target = None if path is None else check_output("path", path, FIGURE_SUFFIXES)
    x = as_embeddings(embeddings).cpu().double()
    score = as_scores(scores, len(x)).cpu()
    x = x - x.mean(dim=0)
    directions = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :2]  # largest variance first
    flat = torch.nn.functional.pad(x @ directions, (0, 2 - min(2, x.shape[1])))

    from d2pyg._base.figures import Figure, save_figure  # imports matplotlib

    figure = Figure(figsize=(10, 3 * len(coresets)), layout="constrained")
    rows = figure.subplots(len(coresets), 3, squeeze=False, sharex="col", sharey="col")
    for (name, coreset), (left, middle, right) in zip(coresets.items(), rows, strict=True):
        index = coreset.index if isinstance(coreset, Coreset) else coreset
        kept = torch.zeros(len(x), dtype=torch.bool)
        kept[as_index("coresets", index, len(x)).cpu()] = True
        title = one_line(printable(str(name)), _TITLE)
        left.set_title(title, loc="left", fontsize="small", parse_math=False, usetex=False)
        _draw_difficulty(left, middle, score.numpy(), kept.numpy())
        hexagons = _draw_places(right, flat.numpy(), kept.numpy())
    for axes, label in zip(rows[-1], ("difficulty", "difficulty", "first component"), strict=True):
        axes.set_xlabel(label)
    places, label = rows[:, -1].tolist(), "share kept, relative to all"
    figure.colorbar(hexagons, ax=places, extend="max", label=label, aspect=20 * len(places))
    if target is not None:
        with replacing(target) as file:
            save_figure(figure, file, target.suffix)
    return figure


def _draw_difficulty(counts: Any, shares: Any, score: Any, kept: Any) -> None:
    edges = np.histogram_bin_edges(score, bins=_BINS)
    counts.hist(score, edges, color=_ALL, label=f"all {len(score)}")
    counts.hist(score[kept], edges, color=_KEPT, label=f"kept {kept.sum()}")
    counts.set(ylabel="samples", yscale="log")
    counts.legend(frameon=False, loc="upper right")
    there, chosen = np.histogram(score, edges)[0], np.histogram(score[kept], edges)[0]
    shares.stairs(chosen / np.maximum(there, 1), edges, fill=True, color=_KEPT)
    shares.axhline(kept.mean(), color="black", lw=0.8, ls="--")
    shares.set(ylabel="share kept", ylim=(0, 1))
    for axes in counts, shares:
        axes.spines[["top", "right"]].set_visible(False)


def _draw_places(axes: Any, flat: Any, kept: Any) -> Any:
    fewest, most = _HEXAGONS
    drawn = axes.hexbin(
        *flat.T,
        kept / max(kept.mean(), 1 / len(kept)),
        gridsize=int(np.clip(np.sqrt(len(flat)) / 2, fewest, most)),
        cmap=_COLORS,
        vmin=0,
        vmax=2,
        linewidths=0.1,
    )
    axes.margins(0.05)
    axes.set_ylabel("second component")
    axes.set_aspect("equal", adjustable="box")
    axes.spines[["top", "right"]].set_visible(False)
    return drawn
