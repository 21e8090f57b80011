"""The interface of the statistics that a recorder keeps of each sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from d2pyg._base.checks import as_count

Settings = dict[str, Any]  # the arguments of a recorder
Samples = dict[str, Tensor]  # tensors by name; the last dimension is the samples
Layout = dict[str, tuple[tuple[int, ...], torch.dtype]]
Bound = Tensor | float


class Statistics(ABC):
    """The numbers that one kind of recorder keeps of each sample.

    Attributes:
        recorded: What a batch provides, in words.
        recorder: The name of the class that records it.
        settings: The arguments of that class.
        epoch: The values of the open epoch, float64 [N] each.
    """

    recorded: ClassVar[str]
    recorder: ClassVar[str]
    settings: ClassVar[tuple[str, ...]]
    epoch: ClassVar[tuple[str, ...]]

    @abstractmethod
    def as_settings(self, **given: Any) -> Settings:
        """The arguments of a recorder, checked."""

    @abstractmethod
    def totals(self, settings: Mapping[str, Any]) -> Layout:
        """Shape and dtype of what is kept between epochs, without ``"seen"``."""

    @abstractmethod
    def ranges(
        self, samples: Samples, epochs: int, settings: Mapping[str, Any]
    ) -> dict[str, tuple[Bound, Bound]]:
        """The lowest and the highest value that each tensor can have, given the tensors before it."""

    @abstractmethod
    def add(self, state: Samples, rows: Tensor, epoch: Samples, settings: Mapping[str, Any]) -> None:
        """Folds an epoch's values into the totals of the samples ``rows``, as their ``"seen"`` rises."""

    def layout(self, settings: Mapping[str, Any]) -> Layout:
        """Shape and dtype of each tensor: the totals, the open epoch, and who is in it."""
        each = (settings["num_samples"],)
        return {
            "seen": (each, torch.int64),
            **self.totals(settings),
            "here": (each, torch.bool),
            **dict.fromkeys(self.epoch, (each, torch.float64)),
        }


def as_num_samples(num_samples: Any) -> int:
    """At least one sample."""
    return as_count("num_samples", num_samples, 1, None, "", "It is len(dataset).")


def add_to_mean(state: Samples, rows: Tensor, value: Tensor) -> None:
    """The mean and the squared deviations from it, with one more value per row (Welford 1962)."""
    before = value - state["mean"][rows]
    state["mean"][rows] += before / state["seen"][rows]
    state["deviations"][rows] += before * (value - state["mean"][rows])
