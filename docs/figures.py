"""Draws the figures of the documentation: python docs/figures.py (needs matplotlib)."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import LineCollection

import d2pyg

OUT = Path(__file__).parent / "images"
K, GAMMA_FORWARD, GAMMA_REVERSE = 5, 1.0, 1.0
GREY, KEPT = "#c3c7ce", "#d1495b"


def samples():
    """Two classes of 60 samples in the plane, harder toward the border between them."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + np.array([3.2, 0.6])])
    difficulty = np.exp(-((x @ [1.0, 0.2] - 1.7) ** 2) / 1.2) + 0.15 * rng.random(120)
    return x, difficulty


def clean(axes, title):
    axes.set(xticks=[], yticks=[], title=title)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)


def scale(figure, points, axes, low, high):
    """A color bar below, with words at its ends."""
    bar = figure.colorbar(points, ax=axes, orientation="horizontal", aspect=30, pad=0.02)
    bar.set_ticks(bar.mappable.get_clim(), labels=[low, high])
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)


def edges(graph, x):
    source, target = graph.edge_index.numpy()
    return np.stack([x[source], x[target]], axis=1)


def save(figure, name):
    OUT.mkdir(exist_ok=True)
    # Figures are 5 inches wide, so that their titles are legible on a phone.
    figure.savefig(OUT / f"{name}.png", dpi=220, bbox_inches="tight")
    plt.close(figure)


def draw_select(x, difficulty):
    coreset = d2pyg.select(x, difficulty, keep=0.2, k=K)
    figure, (left, right) = plt.subplots(1, 2, figsize=(5, 2.1), layout="constrained")
    points = left.scatter(*x.T, c=difficulty, s=12, cmap="viridis", linewidths=0)
    right.scatter(*x.T, color=GREY, s=12, linewidths=0)
    right.scatter(*x[coreset.index].T, color=KEPT, s=18, linewidths=0)
    clean(left, f"{len(x)} samples")
    clean(right, f"the {len(coreset)} that are kept")
    scale(figure, points, (left, right), "easy", "hard")
    save(figure, "select")


def draw_graph(x):
    graph = d2pyg.knn_graph(x, K)
    weight = np.exp(-((graph.edge_attr / graph.edge_attr.median()) ** 2).numpy())
    figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
    lines = LineCollection(edges(graph, x), array=weight, cmap="Greys", linewidths=1, clim=(-0.2, 1))
    axes.add_collection(lines)
    axes.scatter(*x.T, color="#30638e", s=14, zorder=2, linewidths=0)
    clean(axes, f"every sample and its {K} nearest")
    scale(figure, lines, axes, "far: weight near 0", "near: weight near 1")
    save(figure, "graph")


def draw_forward(x, difficulty):
    after = d2pyg.select(x, difficulty, keep=0.2, k=K, gamma_forward=GAMMA_FORWARD).scores
    figure, pair = plt.subplots(1, 2, figsize=(5, 2.2), layout="constrained")
    for axes, values, title in zip(pair, (difficulty, after), ("before", "after"), strict=True):
        points = axes.scatter(*x.T, c=values, s=14, cmap="viridis", linewidths=0)
        clean(axes, f"{title} the forward pass")
        scale(figure, points, axes, f"{min(values):.1f}", f"{max(values):.1f}")
    save(figure, "forward")


def draw_reverse(x, difficulty):
    settings = {"k": K, "gamma_forward": GAMMA_FORWARD, "gamma_reverse": GAMMA_REVERSE}
    whole = d2pyg.select(x, difficulty, budget=12, **settings)
    start = whole.scores.numpy()
    figure, several = plt.subplots(1, 3, figsize=(5, 1.5), layout="constrained")
    for axes, count in zip(several, (1, 4, 12), strict=True):
        coreset = d2pyg.select(x, difficulty, budget=count, **settings)
        left = np.array([coreset.explain(i).score_last for i in range(len(x))])
        axes.scatter(*x.T, c=left, s=7, cmap="viridis", linewidths=0, vmin=start.min(), vmax=start.max())
        axes.scatter(*x[coreset.index].T, facecolors="none", edgecolors=KEPT, s=24, linewidths=1)
        clean(axes, f"after {count} pick{'s' if count > 1 else ''}")
    save(figure, "reverse")


def draw_rounds(x, difficulty):
    """The rounds by plain loops: a sample that beats all its open neighbors is picked."""
    graph = d2pyg.knn_graph(x, K)
    near = torch.zeros(len(x), len(x), dtype=torch.bool)
    near[graph.edge_index[0], graph.edge_index[1]] = True
    near = (near | near.T).numpy()
    far = np.linalg.norm(x[:, None] - x, axis=2) / float(graph.edge_attr.median())
    score = d2pyg.select(x, difficulty, keep=0.2, k=K, gamma_forward=GAMMA_FORWARD).scores.numpy().copy()
    turn, still = np.zeros(len(x), dtype=int), np.ones(len(x), dtype=bool)
    for number in range(1, 7):
        rivals = np.where(near & still, score, -np.inf).max(axis=1)
        picked = still & (score > rivals) & (score > 0)
        turn[picked], still[picked] = number, False
        score = score - (np.exp(-GAMMA_REVERSE * far**2) * near * score)[picked].sum(axis=0)
    figure, axes = plt.subplots(figsize=(5, 2.6), layout="constrained")
    axes.scatter(*x[turn == 0].T, color=GREY, s=12, linewidths=0)
    for number in range(1, turn.max() + 1):
        here = turn == number
        axes.scatter(*x[here].T, s=22, linewidths=0, label=f"round {number}: {here.sum()}")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    clean(axes, "picks of each round")
    save(figure, "rounds")


if __name__ == "__main__":
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 9})
    where, hard = samples()
    draw_select(where, hard)
    draw_graph(where)
    draw_forward(where, hard)
    draw_reverse(where, hard)
    draw_rounds(where, hard)
