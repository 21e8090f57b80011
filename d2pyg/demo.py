"""The demo: prune scikit-learn's handwritten digits, and train on what is left.

A small network trains on everything while its training dynamics are recorded. Difficulty and
embeddings come from that run; then networks of the same kind train from scratch, for the same
number of steps, on the coreset, on random samples and on the hardest samples. Needs the packages
of the extra ``demo``. Run it with ``python -m d2pyg.demo``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import d2pyg
from d2pyg._base.extras import require
from d2pyg.plot import plot_coreset

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


def train(x: Tensor, y: Tensor, seed: int) -> tuple[Network, Tensor]:
    """Trains a network with Adam and a cosine schedule, and records training dynamics.

    Args:
        x: Inputs [N, 64].
        y: Classes [N].
        seed: Of initial weights and order.

    Returns:
        The network, and for each sample the mean probability of its class, [N], over the visits
        during training (the confidence of data maps, Swayamdipta et al. 2020).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    confidence, visits = torch.zeros(len(x)), torch.zeros(len(x))
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(STEPS):
        if len(order) < min(BATCH, len(x)):
            order = torch.randperm(len(x), generator=generator)
        rows, order = order[:BATCH], order[BATCH:]
        logits = network(x[rows])
        confidence[rows] += logits.detach().softmax(dim=1)[torch.arange(len(rows)), y[rows]]
        visits[rows] += 1
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, y[rows]).backward()
        optimizer.step()
        schedule.step()
    return network, confidence / visits


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(prog="python -m d2pyg.demo", description=__doc__)
    parser.add_argument("--keep", type=float, default=0.3, help="fraction kept (default 0.3)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings each (default 5)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder of results")
    arguments = parser.parse_args(argv)
    started = time.perf_counter()
    out: Path = arguments.out
    out.mkdir(exist_ok=True)
    _demo(arguments.keep, arguments.seeds, out)
    print(f"({time.perf_counter() - started:.0f} s)\n")
    print("Prune your own data the same way:\n")
    print("  d2pyg select EMBEDDINGS.npy --scores SCORES.npy --keep 0.3 --out coreset.npz")


def _demo(keep: float, seeds: int, out: Path) -> None:
    data = digits()
    network, confidence = train(data.train_x, data.train_y, seed=0)
    difficulty = 1 - confidence
    scores = confidence.square() * difficulty  # borderline: nearly learned
    with torch.no_grad():
        embeddings = network.body(data.train_x)

    coreset = d2pyg.select(embeddings, scores, keep=keep, labels=data.train_y)
    kept = len(coreset)
    print(f"Digits: {len(data.train_x)} to train on, {len(data.test_x)} to test on; kept {kept}.\n")
    print(f"{'trained on':<24}samples   test accuracy, mean ± std of {seeds} seeds")
    subsets: dict[str, Callable[[int], Tensor]] = {
        "everything": lambda seed: torch.arange(len(data.train_x)),
        "D2 coreset": lambda seed: coreset.index,
        "random samples": lambda seed: _random(len(data.train_x), kept, seed),
        "the hardest": lambda seed: difficulty.argsort(descending=True)[:kept],
    }
    for name, subset in subsets.items():
        accuracy = []
        for seed in range(seeds):
            rows = subset(seed)
            trained, _ = train(data.train_x[rows], data.train_y[rows], seed=seed + 1)
            with torch.no_grad():
                right = trained(data.test_x).argmax(dim=1) == data.test_y
            accuracy.append(100 * right.double().mean().item())
        print(f"{name:<24}{len(rows):>7}   {np.mean(accuracy):.1f} ± {np.std(accuracy):.1f} %")

    np.save(out / "embeddings.npy", embeddings.numpy())
    np.save(out / "scores.npy", scores.numpy())
    np.save(out / "labels.npy", data.train_y.numpy())
    coreset.save(out / "coreset.npz")
    plot_coreset(coreset, embeddings, scores, out / "coreset.png")
    print(f"\nWrote {out}/coreset.npz, its inputs, and the figure {out}/coreset.png", end=" ")


def _random(total: int, kept: int, seed: int) -> Tensor:
    return torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:kept]


if __name__ == "__main__":
    main()
