"""TrainingDynamics: difficulty scores from a training run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_flag
from d2pyg._base.content import load_pt
from d2pyg._base.io import check_input, readable
from d2pyg._base.outputs import check_output, replacing
from d2pyg.scores.batch import first_places, measured
from d2pyg.scores.processes import OpenEpoch, difference, gathered, merged
from d2pyg.scores.state import EPOCH, as_settings, checked_state, nothing_seen

_SUFFIXES = (".pt",)


class TrainingDynamics:
    r"""Records a training run, and gives difficulty scores: finite, >= 0, higher is harder.

    Pass it the logits of every batch, taken before the optimizer step, and close each epoch. It stores
    running statistics per sample and not the logits: about 200 bytes per sample with the default
    window, however long the run.

    A sample counts once per epoch, with its first batch. An epoch that leaves out a sample does not
    change its statistics: means are over the epochs that saw it, and forgetting and windows go from one
    such epoch to the next. In distributed training, each process passes its own batches.
    :meth:`end_epoch` combines them, so that all processes hold the same recordings.

    A logit of minus infinity masks its class: softmax gives it probability 0. The true class cannot be
    masked. Margins between logits need at least one other class that is not masked.

    Pickling copies a recorder. If you pass one to other processes, such as by
    ``torch.multiprocessing.spawn``, it is filled there and stays empty here. Let rank 0 :meth:`save` it
    at the end of the training function, and :meth:`load` the file here. Start such processes with
    ``spawn`` or ``forkserver``: one that is forked after torch used several threads, as a recorder or
    a selection does, hangs when it uses several itself.

    Args:
        num_samples: Number of samples, N.
        window: Epochs in a window of :meth:`dyn_unc` and :meth:`dual`, at least 2; the papers use 10.
        el2n_epochs: Number of first epochs that EL2N averages over; 10 as in CCS and D2.
        margin: AUM takes margins between ``"logits"`` (Pleiss et al.) or ``"probabilities"`` (CCS, D2).

    Example:
        >>> dynamics = TrainingDynamics(num_samples=3, window=2)
        >>> right, wrong = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
        >>> for logits in ([right, wrong, right], [right, wrong, wrong]):
        ...     dynamics.update(torch.arange(3), torch.stack(logits), torch.zeros(3).long())
        ...     dynamics.end_epoch()
        >>> dynamics.forgetting()  # sample 1 was never learned
        tensor([0., 2., 1.], dtype=torch.float64)
        >>> dynamics.aum(), dynamics.aum(raw=True)
        (tensor([0., 4., 2.], dtype=torch.float64), tensor([ 2., -2.,  0.], dtype=torch.float64))
    """

    def __init__(
        self, num_samples: int, *, window: int = 10, el2n_epochs: int = 10, margin: str = "logits"
    ) -> None:
        settings = as_settings(num_samples, window, el2n_epochs, margin)
        self._take(settings, 0, nothing_seen(settings))

    def update(self, index: ArrayLike, logits: Tensor, labels: ArrayLike) -> None:
        """Records a batch. If it raises an error, it records nothing of the batch.

        Args:
            index: int [B], the samples' places in the data set.
            logits: [B, C], any float type and device, before softmax. At least 2 classes. From -1e300 to
                1e300, or minus infinity for masked classes.
            labels: int [B], 0..C-1.

        Raises:
            ValueError, TypeError: If an argument breaks its rule; the message names the sample.
        """
        index, values = measured(index, logits, labels, self.num_samples, self.margin)
        # The first of the epoch counts: of the batch, too.
        first = first_places(index)
        new = first[~self._state["here"][index[first]]]
        for name, value in values.items():
            self._state[name][index[new]] = value[new]
        self._state["here"][index] = True

    def end_epoch(self, others: Sequence[TrainingDynamics] = ()) -> None:
        """Closes the epoch. With torch.distributed, all processes must call it.

        Args:
            others: Recorders of other processes, made with the same arguments, whose open epoch is taken
                over; for use without torch.distributed. Of a sample that several saw, the first
                recorder's counts.

        Raises:
            ValueError, TypeError: If no sample was seen, or recorders differ, also between the processes
                of torch.distributed. Nothing is closed then.
        """
        self._check_others(others)
        epoch: OpenEpoch = {name: self._state[name] for name in (*EPOCH, "here")}
        for other in others:
            epoch = merged(epoch, other._state)
        epoch = gathered(epoch, {**self.settings, "epochs": self.epochs})
        if not bool(epoch["here"].any()):
            raise ValueError(
                "Expected update() before end_epoch() (got an epoch without samples). Call it once "
                "after the batches of each epoch."
            )
        self._close(epoch["here"].nonzero().flatten(), epoch)
        for name in epoch:
            self._state[name].zero_()
        self.epochs += 1

    def forgetting(self) -> Tensor:
        """Times a sample went from right to wrong between epochs that saw it (Toneva et al. 2019).

        Samples that were never right count as forgotten in every epoch, and so rank highest. In 0 to T.
        """
        state = self._complete()
        return torch.where(state["correct"] == 0, state["seen"], state["forgotten"]).double()

    def aum(self, raw: bool = False) -> Tensor:
        """Area under the margin (Pleiss et al. 2020), reversed so that high is hard.

        The margin is the true class's logit minus the largest other logit. The AUM is its mean over
        epochs (``raw``: any sign, low is hard). The score is the largest AUM of all samples minus the
        AUM of the sample.
        """
        state = self._complete()
        mean = state["margin"] / state["seen"]
        return mean if as_flag("raw", raw) else mean.max() - mean

    def el2n(self) -> Tensor:
        """Norm of softmax(logits) - onehot(label), mean over the first epochs (Paul et al. 2021).

        In 0 to sqrt(2).
        """
        state = self._complete()
        return state["el2n"] / state["seen"].clamp(max=self.el2n_epochs)

    def entropy(self) -> Tensor:
        """Entropy of the predicted classes in nats, mean over epochs. In 0 to log(C)."""
        state = self._complete()
        return (state["entropy"] / state["seen"]).clamp_(min=0)

    def variance(self) -> Tensor:
        """Variance over epochs of the true class's probability. In 0 to 1/4.

        The square of the variability of data maps (Swayamdipta et al. 2020).
        """
        state = self._complete()
        return (state["deviations"] / state["seen"]).clamp_(min=0)

    def confidence(self, raw: bool = False) -> Tensor:
        """One minus the mean probability of the true class (Swayamdipta et al. 2020). In 0 to 1.

        ``raw`` is the mean itself; low is hard.
        """
        mean = self._complete()["mean"]
        return mean.clone() if as_flag("raw", raw) else (1 - mean).clamp_(min=0)

    def correctness(self, raw: bool = False) -> Tensor:
        """Share of the epochs in which the sample was wrong. In 0 to 1.

        ``raw`` is the share in which it was right (Swayamdipta et al. 2020); low is hard.
        """
        state = self._complete()
        right = state["correct"].double() / state["seen"]
        return right if as_flag("raw", raw) else 1 - right

    def borderline(self) -> Tensor:
        """How nearly learned: p^2 (1 - p), p the mean probability of the true class. In 0 to 4/27.

        It is highest at p = 2/3. It is low for samples that were always right and for samples that
        were never right, such as mislabeled ones, so it needs no cutoff. Source: this library;
        ``benchmarks/accuracy`` measures it.
        """
        mean = self._complete()["mean"].clamp(0, 1)
        return mean.square() * (1 - mean)

    def dyn_unc(self) -> Tensor:
        """Dynamic uncertainty (He et al. 2024): how much the true class's probability varies.

        This is the standard deviation (J - 1 in the denominator) in each window of J epochs, averaged
        over all windows. In 0 to 0.53 for windows of 10. The authors' code
        (https://github.com/BAAI-DCAI/Dataset-Pruning) returns 10 times that and omits the last window.
        """
        state = self._complete(windows=True)
        return state["dyn_unc"] / (state["seen"] - self.window + 1)

    def dual(self) -> Tensor:
        """DUAL (Cho et al. 2025): dynamic uncertainty times difficulty.

        In each window of J epochs, this is the standard deviation of the true class's probability, as
        in :meth:`dyn_unc`, times one minus its mean. The score is the mean over all windows, in 0 to
        0.53 for windows of 10. The authors' code (https://github.com/behaapyy/dual-pruning) returns 10
        times that, from the first 30 epochs of 200 (CIFAR).
        """
        state = self._complete(windows=True)
        return state["dual"] / (state["seen"] - self.window + 1)

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: only tensors and numbers. An open epoch is included."""
        samples = {name: value.clone() for name, value in self._state.items()}
        return {"samples": samples, "epochs": self.epochs, "settings": self.settings}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from the :meth:`state_dict` of a recorder with the same arguments.

        Raises:
            ValueError: If it is from a recorder with other arguments, or holds impossible values.
        """
        settings, epochs, samples = checked_state(state)
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
    def load(cls, path: str | os.PathLike[str]) -> TrainingDynamics:
        """Reads what :meth:`save` wrote; nothing is unpickled.

        Raises:
            ValueError: If the file is damaged, was not written by :meth:`save`, or holds impossible
                values.
        """
        path = check_input("path", path, _SUFFIXES)
        with readable("path", path):
            state = load_pt(path)
        made = cls.__new__(cls)
        made._take(*checked_state(state, path))
        return made

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that the recorder was created with."""
        names = ("num_samples", "window", "el2n_epochs", "margin")
        return {name: getattr(self, name) for name in names}

    def __getstate__(self) -> dict[str, Any]:
        # Arrays, which are pickled by value: torch would share the memory of tensors with the process
        # that they are sent to, and all processes would then record into the same.
        return {**self.__dict__, "_state": {n: value.numpy().copy() for n, value in self._state.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._state = {name: torch.tensor(value) for name, value in state["_state"].items()}

    def __repr__(self) -> str:
        return f"TrainingDynamics({self.num_samples} samples, {self.epochs} epochs)"

    def _take(self, settings: dict[str, Any], epochs: int, samples: dict[str, Tensor]) -> None:
        """Is from now on what these say, all of them checked."""
        self.num_samples: int = settings["num_samples"]
        self.window: int = settings["window"]
        self.el2n_epochs: int = settings["el2n_epochs"]
        self.margin: str = settings["margin"]
        self.epochs, self._state = epochs, samples

    def _check_others(self, others: Sequence[TrainingDynamics]) -> None:
        several = isinstance(others, list | tuple)
        wrong = [one for one in others if not isinstance(one, TrainingDynamics)] if several else [others]
        if wrong:
            raise TypeError(
                f"Expected 'others' to be a list of TrainingDynamics (got {type(wrong[0]).__name__}). "
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

    def _close(self, rows: Tensor, epoch: OpenEpoch) -> None:
        """Folds an epoch into the totals of the samples it saw."""
        state = self._state
        now = {name: epoch[name][rows] for name in EPOCH}
        probability, correct = now["probability"], now["epoch_correct"].bool()
        state["forgotten"][rows] += state["was_correct"][rows] & ~correct
        state["correct"][rows] += correct
        state["was_correct"][rows] = correct
        state["margin"][rows] += now["epoch_margin"]
        state["entropy"][rows] += now["epoch_entropy"]
        early = state["seen"][rows] < self.el2n_epochs
        state["el2n"][rows] += now["epoch_el2n"] * early
        state["recent"][state["seen"][rows] % self.window, rows] = probability.float()
        state["seen"][rows] += 1
        seen = state["seen"][rows]
        before = probability - state["mean"][rows]
        state["mean"][rows] += before / seen
        state["deviations"][rows] += before * (probability - state["mean"][rows])
        full = rows[seen >= self.window]
        recent = state["recent"][:, full].double()
        mean = recent.mean(dim=0)
        spread = ((recent - mean).square().sum(dim=0) / (self.window - 1)).sqrt()
        state["dyn_unc"][full] += spread
        state["dual"][full] += spread * (1 - mean)

    def _complete(self, windows: bool = False) -> dict[str, Tensor]:
        """The totals, if every sample has what a score needs."""
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
        least = self.window if windows else 1
        short = self._state["seen"] < least
        if bool(short.any()):
            epochs = f"{least} epochs, the window" if windows else "an epoch"
            raise ValueError(
                f"Expected every sample to have been seen in at least {epochs} (got "
                f"{int(short.sum())} of {self.num_samples} that were not, the first at index "
                f"{int(short.nonzero()[0])}). Record more epochs over the whole data set"
                f"{', or make the window smaller' if windows else ''}."
            )
        return self._state


def check_numbers(scores: Any) -> None:
    """Refuses a recorder where one of its scores is wanted."""
    if isinstance(scores, TrainingDynamics):
        raise TypeError(
            f"Expected 'scores' to be numbers (got {scores!r}). Choose one of its scores, such as "
            f"dynamics.aum(). Only d2pyg.select chooses a score by itself."
        )
