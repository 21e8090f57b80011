"""A figure of a coreset: how hard its samples are, and where they lie. Needs matplotlib."""

from __future__ import annotations

import os

import numpy as np
import torch
from torch import Tensor

from d2pyg.checks import ArrayLike, as_embeddings, as_scores
from d2pyg.coreset import Coreset
from d2pyg.extras import require
from d2pyg.io import check_output, replacing

FORMATS = (".png", ".pdf", ".svg")
_ALL, _KEPT = "#b8bcc4", "#d1495b"


def plot_coreset(
    coreset: Coreset,
    embeddings: Tensor | np.ndarray,
    scores: ArrayLike,
    path: str | os.PathLike[str],
) -> None:
    """Draws the difficulty of all samples over that of the coreset, and the samples in two
    dimensions (their first principal components) with the picks marked.

    Args:
        coreset: The picks.
        embeddings: [N, d], as they were given to :func:`d2pyg.select`.
        scores: [N], likewise.
        path: The file to write: ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        ValueError, TypeError: If an argument breaks its rule.
        ImportError: If matplotlib is not installed.
    """
    path = check_output("path", path, FORMATS)
    x = as_embeddings(embeddings).cpu().double()
    score = as_scores(scores, len(coreset.scores)).cpu()
    x = x - x.mean(dim=0)
    directions = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, :2]  # largest variance first
    flat = torch.nn.functional.pad(x @ directions, (0, 2 - min(2, x.shape[1])))
    kept = coreset.index.cpu()

    figure = require("matplotlib.figure", "matplotlib").Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    bins = np.histogram_bin_edges(score.numpy(), bins=40)
    left.hist(score.numpy(), bins, color=_ALL, label=f"all {len(score)}")
    left.hist(score[kept].numpy(), bins, color=_KEPT, label=f"kept {len(kept)}")
    left.set(xlabel="difficulty", ylabel="samples", yscale="log")
    left.legend(frameon=False)
    right.scatter(*flat.T.numpy(), s=8, color=_ALL, linewidths=0, label="all")
    right.scatter(*flat[kept].T.numpy(), s=8, color=_KEPT, linewidths=0, label="kept")
    right.set(xlabel="first principal component", ylabel="second")
    right.set_aspect("equal", adjustable="datalim")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=150)
