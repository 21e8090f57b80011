"""The statistics that a recorder keeps of each sample, from losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from d2pyg.scores.losses import LARGEST_LOSS
from d2pyg.scores.statistics import (
    Bound,
    Layout,
    Samples,
    Settings,
    Statistics,
    add_to_mean,
    as_num_samples,
)


class LossStatistics(Statistics):
    """The statistics of :class:`~d2pyg.scores.LossDynamics`."""

    recorded = "losses"
    recorder = "LossDynamics"
    settings = ("num_samples",)
    epoch = ("loss",)

    def as_settings(self, **given: Any) -> Settings:
        """The arguments of a recorder, checked."""
        return {"num_samples": as_num_samples(given["num_samples"])}

    def totals(self, settings: Mapping[str, Any]) -> Layout:
        """The first and the last loss, the mean, and the squared deviations from it."""
        each = (settings["num_samples"],)
        return dict.fromkeys(("first", "last", "mean", "deviations"), (each, torch.float64))

    def ranges(
        self, samples: Samples, epochs: int, settings: Mapping[str, Any]
    ) -> dict[str, tuple[Bound, Bound]]:
        """The lowest and the highest value that each tensor can have, given the tensors before it."""
        seen = samples["seen"].double()
        most = LARGEST_LOSS * (seen > 0).double()
        once = seen == 1  # so that first, last and mean are one number
        known = torch.where(once, samples["first"], 0), torch.where(once, samples["first"], most)
        return {
            "seen": (0, epochs),
            "first": (0, most),
            "last": known,
            "mean": known,
            "deviations": (0, torch.where(once, 0, most.square() * seen / 4)),
            "loss": (0, LARGEST_LOSS),
        }

    def add(self, state: Samples, rows: Tensor, epoch: Samples, settings: Mapping[str, Any]) -> None:
        """Folds an epoch into the totals of the samples it saw."""
        loss = epoch["loss"]
        unseen = state["seen"][rows] == 0
        state["first"][rows] = torch.where(unseen, loss, state["first"][rows])
        state["last"][rows] = loss
        state["seen"][rows] += 1
        add_to_mean(state, rows, loss)
