"""Figures of coresets: how hard their samples are, and where they lie. Needs matplotlib."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_embeddings, as_index, as_scores, shown
from d2pyg._base.extras import require
from d2pyg._base.outputs import check_output, replacing
from d2pyg._base.text import one_line, printable
from d2pyg.coreset.coreset import Coreset

FORMATS = (".png", ".pdf", ".svg")
_ALL, _KEPT = "#b8bcc4", "#d1495b"
_TITLE = 50  # characters, the width of the axes


def plot_coreset(
    coreset: Coreset,
    embeddings: Tensor | np.ndarray,
    scores: ArrayLike,
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """Draws the difficulty of all samples over that of the coreset, and the samples in two
    dimensions (their first principal components) with the picks marked.

    Args:
        coreset: The picks.
        embeddings: [N, d], as they were given to :func:`d2pyg.select`.
        scores: [N], likewise.
        path: A file to write: ``.png``, ``.pdf`` or ``.svg``.

    Returns:
        The ``matplotlib.figure.Figure``, which a notebook shows.

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
    """Draws :func:`plot_coreset` for several coresets of one data set, a row each.

    Args:
        coresets: By name, which is the title, on one line of at most 50 characters: coresets, or
            indices of the samples kept.
        embeddings, scores, path: As there.

    Returns:
        The ``matplotlib.figure.Figure``.
    """
    if not isinstance(coresets, Mapping) or not coresets:
        raise TypeError(
            f"Expected 'coresets' to be a dict of at least one coreset by name (got {shown(coresets)}). "
            f"Pass such as {{'d2': coreset}}."
        )
    target = None if path is None else check_output("path", path, FORMATS)
    x = as_embeddings(embeddings).cpu().double()
    score = as_scores(scores, len(x)).cpu()
    x = x - x.mean(dim=0)
    directions = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :2]  # largest variance first
    flat = torch.nn.functional.pad(x @ directions, (0, 2 - min(2, x.shape[1])))

    size = (10, 4 * len(coresets))
    figure = require("matplotlib.figure", "matplotlib").Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(coresets), 2, squeeze=False)
    for (name, coreset), (left, right) in zip(coresets.items(), axes, strict=True):
        index = coreset.index if isinstance(coreset, Coreset) else coreset
        kept = as_index("coresets", index, len(x)).cpu()
        left.set_title(one_line(printable(str(name)), _TITLE), parse_math=False, usetex=False)
        _draw_difficulty(left, score, kept)
        _draw_places(right, flat, kept)
    if target is not None:
        with replacing(target) as file:
            save_figure(figure, file, target.suffix)
    return figure


def save_figure(figure: Any, file: IO[bytes], suffix: str) -> None:
    """Writes a figure in the format of a suffix. A character that its font lacks is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(file, format=suffix[1:], dpi=150)


def _draw_difficulty(axes: Any, score: Tensor, kept: Tensor) -> None:
    bins = np.histogram_bin_edges(score.numpy(), bins=40)
    axes.hist(score.numpy(), bins, color=_ALL, label=f"all {len(score)}")
    axes.hist(score[kept].numpy(), bins, color=_KEPT, label=f"kept {len(kept)}")
    axes.set(xlabel="difficulty", ylabel="samples", yscale="log")
    axes.legend(frameon=False, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_places(axes: Any, flat: Tensor, kept: Tensor) -> None:
    axes.scatter(*flat.T.numpy(), s=8, color=_ALL, linewidths=0, label="all")
    axes.scatter(*flat[kept].T.numpy(), s=8, color=_KEPT, linewidths=0, label="kept")
    axes.set(xlabel="first principal component", ylabel="second")
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
