"""The statistics that a recorder keeps of each sample, from class logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import as_count, check_choice
from d2pyg._base.options import MARGINS
from d2pyg.scores.batch import LARGEST
from d2pyg.scores.statistics import (
    Bound,
    Layout,
    Samples,
    Settings,
    Statistics,
    add_to_mean,
    as_num_samples,
)

_TOTALS = {
    "correct": torch.int64,
    "was_correct": torch.bool,
    "forgotten": torch.int64,
    "margin": torch.float64,
    "el2n": torch.float64,
    "entropy": torch.float64,
    "mean": torch.float64,  # of the true class's probability, and its squared deviations
    "deviations": torch.float64,
    "dyn_unc": torch.float64,
    "dual": torch.float64,
}
_ENTROPY = 44.0  # above the logarithm of any number of classes


class ClassStatistics(Statistics):
    """The statistics of :class:`~d2pyg.scores.TrainingDynamics`."""

    recorded = "logits"
    recorder = "TrainingDynamics"
    settings = ("num_samples", "window", "el2n_epochs", "margin")
    epoch = ("probability", "epoch_margin", "epoch_el2n", "epoch_entropy", "epoch_correct")

    def as_settings(self, **given: Any) -> Settings:
        """The arguments of a recorder, checked."""
        return _as_settings(**given)

    def totals(self, settings: Mapping[str, Any]) -> Layout:
        """Running sums, and the latest probabilities of the true class."""
        each = (settings["num_samples"],)
        return {
            **{name: (each, kind) for name, kind in _TOTALS.items()},
            "recent": ((settings["window"], *each), torch.float32),
        }

    def ranges(
        self, samples: Samples, epochs: int, settings: Mapping[str, Any]
    ) -> dict[str, tuple[Bound, Bound]]:
        """The lowest and the highest value that each tensor can have, given the tensors before it."""
        seen, correct, last = (samples[name].double() for name in ("seen", "correct", "was_correct"))
        some, ever = (seen > 0).double(), (correct > 0).double()
        windows = (seen - settings["window"] + 1).clamp(min=0)
        margin = 2 * LARGEST if settings["margin"] == "logits" else 1.0
        spread = math.sqrt(settings["window"] / (settings["window"] - 1)) / 2
        return {
            "seen": (0, epochs),
            "was_correct": (0, some),
            # A wrong last epoch is not counted as correct, and any right epoch before it was forgotten.
            "correct": (last, seen - some + last),
            "forgotten": (ever - last, (correct - last).minimum(seen - correct)),
            "margin": (-margin * seen, margin * seen),
            "el2n": (0, math.sqrt(2) * seen.clamp(max=settings["el2n_epochs"])),
            "entropy": (0, _ENTROPY * seen),
            "mean": (0, some),
            "deviations": (0, seen / 4),
            "dyn_unc": (0, spread * windows),
            "dual": (0, samples["dyn_unc"]),
            "recent": (0, 1),
            "probability": (0, 1),
            "epoch_margin": (-margin, margin),
            "epoch_el2n": (0, math.sqrt(2)),
            "epoch_entropy": (0, _ENTROPY),
            "epoch_correct": (samples["epoch_correct"].round().clamp(0, 1),) * 2,  # 0 or 1
        }

    def add(self, state: Samples, rows: Tensor, epoch: Samples, settings: Mapping[str, Any]) -> None:
        """Folds an epoch into the totals of the samples it saw."""
        window = settings["window"]
        probability, correct = epoch["probability"], epoch["epoch_correct"].bool()
        state["forgotten"][rows] += state["was_correct"][rows] & ~correct
        state["correct"][rows] += correct
        state["was_correct"][rows] = correct
        state["margin"][rows] += epoch["epoch_margin"]
        state["entropy"][rows] += epoch["epoch_entropy"]
        early = state["seen"][rows] < settings["el2n_epochs"]
        state["el2n"][rows] += epoch["epoch_el2n"] * early
        state["recent"][state["seen"][rows] % window, rows] = probability.float()
        state["seen"][rows] += 1
        add_to_mean(state, rows, probability)
        full = rows[state["seen"][rows] >= window]
        recent = state["recent"][:, full].double()
        mean = recent.mean(dim=0)
        spread = ((recent - mean).square().sum(dim=0) / (window - 1)).sqrt()
        state["dyn_unc"][full] += spread
        state["dual"][full] += spread * (1 - mean)


def _as_settings(num_samples: int, window: int, el2n_epochs: int, margin: str) -> Settings:
    return {
        "num_samples": as_num_samples(num_samples),
        "window": as_count("window", window, 2, None, "", "The papers use 10 epochs."),
        "el2n_epochs": as_count("el2n_epochs", el2n_epochs, 1, None, "", "CCS uses 10 epochs."),
        "margin": check_choice("margin", margin, MARGINS),
    }
