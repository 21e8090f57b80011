"""The common part of all recorders of training runs: epochs, processes, checkpoints."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from d2pyg._base.content import load_pt
from d2pyg._base.io import check_input, readable
from d2pyg._base.no_values import NoValues
from d2pyg._base.outputs import check_output, replacing
from d2pyg.scores.batch import first_places
from d2pyg.scores.processes import OpenEpoch, difference, gathered, merged
from d2pyg.scores.state import checked_state, nothing_seen
from d2pyg.scores.statistics import Samples, Settings, Statistics

if TYPE_CHECKING:
    from typing_extensions import Self

_SUFFIXES = (".pt",)


class NoSuchScoreError(AttributeError, ValueError):
    """The score needs values that were not recorded."""


class Recorder(NoValues, ABC):
    """Records values of every sample, once per epoch, and keeps statistics of them."""

    _statistics: ClassVar[Statistics]
    num_samples: int

    def __init__(self, **settings: Any) -> None:
        checked = self._statistics.as_settings(**settings)
        self._take(checked, 0, nothing_seen(self._statistics, checked))

    @abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> None:
        """Records a batch: the samples' places in the data set, and their values."""

    def end_epoch(self, others: Sequence[Recorder] = ()) -> None:
        """Closes the epoch. With torch.distributed, all processes must call it.

        Args:
            others: Recorders of other processes with the same arguments, for use without
                torch.distributed. Their open epochs are added. If several recorders saw a sample, the
                first one counts.

        Raises:
            ValueError, TypeError: If no sample was seen, or if recorders differ, also between processes.
                The epoch then stays open.
        """
        self._check_others(others)
        epoch: OpenEpoch = {name: self._state[name] for name in (*self._statistics.epoch, "here")}
        for other in others:
            epoch = merged(epoch, other._state)
        made_with = {"recorded": self._statistics.recorded, **self.settings, "epochs": self.epochs}
        epoch = gathered(epoch, made_with)
        if not bool(epoch["here"].any()):
            raise ValueError(
                "Expected update() before end_epoch() (got an epoch without samples). Call it once "
                "after the batches of each epoch."
            )
        rows = epoch["here"].nonzero().flatten()
        now = {name: epoch[name][rows] for name in self._statistics.epoch}
        self._statistics.add(self._state, rows, now, self.settings)
        for name in epoch:
            self._state[name].zero_()
        self.epochs += 1

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: only tensors and numbers. An open epoch is included."""
        samples = {name: value.clone() for name, value in self._state.items()}
        return {
            "samples": samples,
            "epochs": self.epochs,
            "settings": self.settings,
            "recorded": self._statistics.recorded,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from the :meth:`state_dict` of a recorder with the same arguments.

        Raises:
            ValueError: If it is from a recorder with other arguments, or holds impossible values.
        """
        settings, epochs, samples = checked_state(state, self._statistics)
        if settings != self.settings:
            raise ValueError(
                f"Expected 'state' to be of a recorder with {self.settings} (got {settings}). Make the "
                f"recorder with the same arguments."
            )
        self._take(settings, epochs, samples)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes :meth:`state_dict` as a ``.pt`` file. If that fails, an older file stays as it was."""
        check_output("path", path, _SUFFIXES)
        with replacing(path) as file:
            torch.save(self.state_dict(), file)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads what :meth:`save` wrote; nothing is unpickled.

        Raises:
            ValueError: If the file is damaged, was not written by :meth:`save`, or holds impossible
                values.
        """
        path = check_input("path", path, _SUFFIXES)
        with readable("path", path):
            state = load_pt(path)
        kind = cls._kind_of(state)
        made = kind.__new__(kind)
        made._take(*checked_state(state, kind._statistics, path))
        return made

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that the recorder was created with."""
        return {name: getattr(self, name) for name in self._statistics.settings}

    def __getstate__(self) -> dict[str, Any]:
        # Arrays, which are pickled by value: torch would share the memory of tensors with the process
        # that they are sent to, and all processes would then record into the same.
        return {**self.__dict__, "_state": {n: value.numpy().copy() for n, value in self._state.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._state = {name: torch.tensor(value) for name, value in state["_state"].items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_samples} samples, {self.epochs} epochs)"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            for kind in Recorder.__subclasses__():
                if name in kind._scores():
                    raise NoSuchScoreError(
                        f"Expected a score that can be computed from {self._statistics.recorded}: "
                        f"{', '.join(self._scores())} (got {name!r}, which needs "
                        f"{kind._statistics.recorded}). Record those with {kind.__name__}."
                    )
            return super().__getattribute__(name)  # raises AttributeError

    def _instead(self, name: str) -> str:
        score = self._scores()[0]
        return (
            f"Choose one of its scores, such as dynamics.{score}(), or on the command line d2pyg score "
            f"{score} --dynamics. Only d2pyg.select chooses a score by itself."
        )

    @classmethod
    def _scores(cls) -> list[str]:
        """The names of the scores that it computes."""
        return sorted(name for name in set(dir(cls)) - set(dir(Recorder)) if name[0] != "_")

    @classmethod
    def _kind_of(cls, state: Any) -> type[Self]:
        """This class; for the base class, the recorder that the state belongs to."""
        recorded = state.get("recorded") if isinstance(state, Mapping) else None
        kinds = cls.__subclasses__() if cls is Recorder else [cls]
        return next((kind for kind in kinds if kind._statistics.recorded == recorded), kinds[0])

    def _take(self, settings: Settings, epochs: int, samples: Samples) -> None:
        """Takes over these values, which are checked."""
        for name, value in settings.items():
            setattr(self, name, value)
        self.epochs, self._state = epochs, samples

    def _record(self, index: Tensor, values: Samples) -> None:
        """Records the first value of each sample in the epoch, also within the batch."""
        first = first_places(index)
        new = first[~self._state["here"][index[first]]]
        for name, value in values.items():
            self._state[name][index[new]] = value[new]
        self._state["here"][index] = True

    def _check_others(self, others: Sequence[Recorder]) -> None:
        several = isinstance(others, list | tuple)
        mine = self._statistics
        alike = [getattr(one, "_statistics", None) is mine for one in others] if several else [False]
        if not all(alike):
            wrong = others[alike.index(False)] if several else others
            raise TypeError(
                f"Expected 'others' to be a list of {mine.recorder} (got {type(wrong).__name__}). "
                f"Pass end_epoch([first, second])."
            )
        for other in others:
            if other is self:
                raise ValueError(
                    "Expected 'others' to be other recorders (got this one itself). Leave it out."
                )
            differs = difference(self.settings, other.settings)
            if differs:
                raise ValueError(
                    f"Expected 'others' to be recorders with the arguments of this one (got {differs}). "
                    f"Make all with the same arguments."
                )

    def _complete(self, epochs: int = 1, why: str = "", instead: str = "") -> Samples:
        """The totals; an error if a sample has too few epochs for a score.

        Args:
            epochs: The least number of epochs of each sample.
            why: The name of that number, if it has one.
            instead: Other advice for the error.
        """
        if bool(self._state["here"].any()):
            raise ValueError(
                f"Expected end_epoch() after the last batch (got {int(self._state['here'].sum())} "
                f"samples of an open epoch). Call it after each epoch, before asking for scores."
            )
        if not self.epochs:
            raise ValueError(
                "Expected update() and end_epoch() before scores (got a recorder that saw nothing). "
                "Processes that were spawned with it filled copies: call save() there, on rank 0 at the "
                "end of training, and load() here."
            )
        short = self._state["seen"] < epochs
        if bool(short.any()):
            needed = "an epoch" if epochs == 1 else f"{epochs} epochs{why}"
            raise ValueError(
                f"Expected every sample to have been seen in at least {needed} (got "
                f"{int(short.sum())} of {self.num_samples} that were not, the first at index "
                f"{int(short.nonzero()[0])}). Record more epochs over the whole data set{instead}."
            )
        return self._state
