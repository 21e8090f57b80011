"""What the demo does with scikit-learn's handwritten digits.

A small network trains on everything while its training dynamics are recorded. Difficulty and
embeddings come from that run; then networks of the same kind train from scratch, for the same
number of steps, on the coreset, on random samples and on the hardest samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from d2pyg import baselines
from d2pyg._base.checks import as_count
from d2pyg._base.extras import require
from d2pyg.data.embedding import embed
from d2pyg.plot import plot_coreset
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.selection.select import select

BATCH = 32
STEPS = 2000  # for every training, however small its set


class Split(NamedTuple):
    """A labeled data set in two parts."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


class Network(nn.Module):
    """Two hidden layers; the second one's output serves as embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits


def digits(seed: int = 0) -> Split:
    """scikit-learn's 1,797 digits, 8 x 8 pixels scaled to 0..1, a third of them for testing."""
    data = require("sklearn.datasets", "scikit-learn").load_digits()
    split = require("sklearn.model_selection", "scikit-learn").train_test_split
    parts = split(
        (data.data / 16).astype("float32"),
        data.target,
        test_size=1 / 3,
        stratify=data.target,
        random_state=seed,
    )
    train_x, test_x, train_y, test_y = map(torch.as_tensor, parts)
    return Split(train_x, train_y, test_x, test_y)


def train(x: Tensor, y: Tensor, seed: int, dynamics: TrainingDynamics | None = None) -> Network:
    """Trains a network with Adam and a cosine schedule.

    Args:
        x: Inputs [N, 64].
        y: Classes [N].
        seed: Of initial weights and order.
        dynamics: Records every batch, and closes an epoch whenever all samples were seen.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(STEPS):
        if len(order) < min(BATCH, len(x)):
            if dynamics is not None and optimizer.state:
                dynamics.end_epoch()
            order = torch.randperm(len(x), generator=generator)
        rows, order = order[:BATCH], order[BATCH:]
        logits = network(x[rows])
        if dynamics is not None:
            dynamics.update(rows, logits, y[rows])
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, y[rows]).backward()
        optimizer.step()
        schedule.step()
    if dynamics is not None:
        dynamics.end_epoch()
    return network


def run(keep: float, seeds: int, out: Path) -> None:
    """Runs the demo, and writes its results into a folder."""
    started = time.perf_counter()
    seeds = as_count("seeds", seeds, 1, None, "", "It is the number of trainings on each set.")
    require("matplotlib", "matplotlib")  # before the work that its figure shows
    data = digits()
    out.mkdir(exist_ok=True)
    dynamics = TrainingDynamics(len(data.train_x))
    network = train(data.train_x, data.train_y, seed=0, dynamics=dynamics)
    embeddings = torch.as_tensor(embed(network, data.train_x.split(256), layer="body"))

    coreset = select(embeddings, dynamics, labels=data.train_y, keep=keep)
    kept, difficulty = len(coreset), dynamics.confidence()
    print(f"Digits: {len(data.train_x)} to train on, {len(data.test_x)} to test on; kept {kept}.\n")
    print(f"{'trained on':<24}samples   test accuracy, mean ± std of {seeds} seeds")
    subsets: dict[str, Callable[[int], Tensor]] = {
        "everything": lambda seed: torch.arange(len(data.train_x)),
        "D2 coreset": lambda seed: coreset.index,
        "random samples": lambda seed: baselines.random(data.train_x, keep=keep, seed=seed).index,
        "the hardest": lambda seed: baselines.hardest(scores=difficulty, keep=keep).index,
    }
    for name, subset in subsets.items():
        accuracy = []
        for seed in range(seeds):
            rows = subset(seed)
            trained = train(data.train_x[rows], data.train_y[rows], seed=seed + 1)
            with torch.no_grad():
                right = trained(data.test_x).argmax(dim=1) == data.test_y
            accuracy.append(100 * right.double().mean().item())
        print(f"{name:<24}{len(rows):>7}   {np.mean(accuracy):.1f} ± {np.std(accuracy):.1f} %")

    scores = dynamics.borderline()
    np.save(out / "embeddings.npy", embeddings.numpy())
    np.save(out / "scores.npy", scores.numpy())
    np.save(out / "labels.npy", data.train_y.numpy())
    coreset.save(out / "coreset.npz")
    plot_coreset(coreset, embeddings, scores, out / "coreset.png")
    print(f"\nWrote {out}/coreset.npz, its inputs, and the figure {out}/coreset.png", end=" ")
    print(f"({time.perf_counter() - started:.0f} s)\n")
    print("Prune your own data the same way:\n")
    print("  d2pyg select EMBEDDINGS.npy --scores SCORES.npy --keep 0.3 --out coreset.npz")
