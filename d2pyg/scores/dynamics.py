"""TrainingDynamics: difficulty from how a model in training takes to each sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from d2pyg.checks import ArrayLike, as_count, as_tensor, check_choice, check_length
from d2pyg.io import check_input, readable
from d2pyg.outputs import check_output, replacing

MARGINS = ("logits", "probabilities")
_SUFFIXES = (".pt",)
# What is kept of each sample between epochs, and of the epoch that is under way.
_TOTALS = {
    "seen": torch.int64,
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
_EPOCH = ("probability", "epoch_margin", "epoch_el2n", "epoch_entropy", "epoch_correct")


class TrainingDynamics:
    r"""Records a training run, and gives difficulty scores: finite, >= 0, higher is harder.

    Feed it every batch's logits, as they are before the update, and close each epoch. It keeps
    running statistics of each sample, not the epochs: about 200 bytes a sample with the default
    window, however long the run.

    A sample counts once an epoch, with the first of its batches. A sample that an epoch leaves out
    keeps what it has: means are over the epochs that saw it, and forgetting and windows go from one
    such epoch to the next. In distributed training each process feeds its own batches, and
    :meth:`end_epoch` puts them together, so that all processes hold the same.

    Args:
        num_samples: N.
        window: Epochs in a window of :meth:`dyn_unc` and :meth:`dual`, at least 2; the papers use 10.
        el2n_epochs: First epochs that EL2N is averaged over; 10 as CCS and D2 have it.
        margin: Of AUM: between ``"logits"`` (Pleiss et al.) or ``"probabilities"`` (CCS, D2).

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
        self.num_samples = as_count("num_samples", num_samples, 1, None, "", "It is len(dataset).")
        self.window = as_count("window", window, 2, None, "", "The papers use 10 epochs.")
        self.el2n_epochs = as_count("el2n_epochs", el2n_epochs, 1, None, "", "CCS uses 10 epochs.")
        self.margin = check_choice("margin", margin, MARGINS)
        self.epochs = 0
        self._state = {name: torch.zeros(num_samples, dtype=kind) for name, kind in _TOTALS.items()}
        self._state["recent"] = torch.zeros(self.window, num_samples, dtype=torch.float32)
        self._state["here"] = torch.zeros(num_samples, dtype=torch.bool)
        for name in _EPOCH:
            self._state[name] = torch.zeros(num_samples, dtype=torch.float64)

    def update(self, index: ArrayLike, logits: Tensor, target: ArrayLike) -> None:
        """Records a batch.

        Args:
            index: int [B], the samples' places in the data set.
            logits: [B, C], any float type and device, before softmax. At least 2 classes.
            target: int [B], 0..C-1.
        """
        index, logits, target = self._checked(index, logits, target)
        place = "cpu" if logits.device.type == "mps" else logits.device  # MPS has no float64
        logits = logits.detach().to(place).double()
        chosen = target.to(place).unsqueeze(1)
        probability = logits.softmax(dim=1)
        true = probability.gather(1, chosen).squeeze(1)
        between = logits if self.margin == "logits" else probability
        others = between.scatter(1, chosen, -torch.inf).amax(dim=1)
        error = probability.scatter_add(1, chosen, torch.full_like(chosen, -1, dtype=torch.float64))
        values = {
            "probability": true,
            "epoch_margin": between.gather(1, chosen).squeeze(1) - others,
            "epoch_el2n": error.square().sum(dim=1).sqrt(),
            "epoch_entropy": torch.special.entr(probability).sum(dim=1),
            # Ties go to the lowest class, as argmax has it.
            "epoch_correct": (logits.argmax(dim=1) == chosen.squeeze(1)).double(),
        }
        # The first of the epoch counts: of the batch, too.
        first = torch.full((self.num_samples,), len(index))
        first.scatter_reduce_(0, index, torch.arange(len(index)), "amin")
        new = (first[index] == torch.arange(len(index))) & ~self._state["here"][index]
        for name, value in values.items():
            self._state[name][index[new]] = value.cpu()[new]
        self._state["here"][index] = True

    def end_epoch(self, others: Sequence[TrainingDynamics] = ()) -> None:
        """Closes the epoch. Where torch.distributed runs, all processes have to call it.

        Args:
            others: Recorders of other processes, whose open epoch is taken over; for use without
                torch.distributed. Of a sample that several saw, the first recorder's counts.
        """
        for other in others:
            new = other._state["here"] & ~self._state["here"]
            for name in (*_EPOCH, "here"):
                self._state[name][new] = other._state[name][new]
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            self._gather()
        if not bool(self._state["here"].any()):
            raise ValueError(
                "Expected update() before end_epoch() (got an epoch without samples). Call it once "
                "after the batches of each epoch."
            )
        self._close(self._state["here"].nonzero().flatten())
        self._state["here"].zero_()
        self.epochs += 1

    def forgetting(self) -> Tensor:
        """Times a sample went from right to wrong between epochs that saw it (Toneva et al. 2019).

        Those never right count as forgotten in every epoch: more than any other can be. In 0 to T.
        """
        state = self._complete()
        return torch.where(state["correct"] == 0, state["seen"], state["forgotten"]).double()

    def aum(self, raw: bool = False) -> Tensor:
        """Area under the margin (Pleiss et al. 2020), from the largest down.

        The margin is the true class's logit less the largest other, its mean over epochs the AUM
        (``raw``, any sign, low is hard). The score is the largest AUM of all samples less the sample's.
        """
        state = self._complete()
        mean = state["margin"] / state["seen"]
        return mean if raw else mean.max() - mean

    def el2n(self) -> Tensor:
        """Length of softmax(logits) - onehot(target), mean over the first epochs (Paul et al. 2021).

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
        """One less the mean probability of the true class (Swayamdipta et al. 2020). In 0 to 1.

        ``raw`` is the mean itself, low is hard.
        """
        mean = self._complete()["mean"]
        return mean.clone() if raw else (1 - mean).clamp_(min=0)

    def correctness(self, raw: bool = False) -> Tensor:
        """Share of the epochs in which the sample was wrong. In 0 to 1.

        ``raw`` is the share in which it was right (Swayamdipta et al. 2020), low is hard.
        """
        state = self._complete()
        right = state["correct"].double() / state["seen"]
        return right if raw else 1 - right

    def borderline(self) -> Tensor:
        """How nearly learned: p^2 (1 - p), p the mean probability of the true class. In 0 to 4/27.

        It is highest at p = 2/3, and low for samples that were always right as for those that never
        were, as mislabelled ones are: no cutoff is needed. Source: this library; what it is worth is
        in ``benchmarks/accuracy``.
        """
        mean = self._complete()["mean"].clamp(0, 1)
        return mean.square() * (1 - mean)

    def dyn_unc(self) -> Tensor:
        """Dynamic uncertainty (He et al. 2024): how much the true class's probability moves.

        Its standard deviation (J - 1 in the denominator) in each window of J epochs, mean over all
        windows. In 0 to 0.53 for windows of 10. The authors' code
        (https://github.com/BAAI-DCAI/Dataset-Pruning) has 10 times that, and leaves out the last window.
        """
        state = self._complete(windows=True)
        return state["dyn_unc"] / (state["seen"] - self.window + 1)

    def dual(self) -> Tensor:
        """DUAL (Cho et al. 2025): dynamic uncertainty times difficulty.

        In each window of J epochs the standard deviation of the true class's probability, as in
        :meth:`dyn_unc`, times one less its mean; mean over all windows. In 0 to 0.53 for windows of
        10. The authors' code (https://github.com/behaapyy/dual-pruning) has 10 times that, from the
        first 30 epochs of 200 (CIFAR).
        """
        state = self._complete(windows=True)
        return state["dual"] / (state["seen"] - self.window + 1)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers alone, for the checkpoint of the training run; an open epoch included."""
        samples = {name: value.clone() for name, value in self._state.items()}
        return {"samples": samples, "epochs": self.epochs, "settings": self._settings()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from :meth:`state_dict` of a recorder with the same arguments."""
        mine, theirs = self._settings(), state.get("settings")
        samples = state.get("samples", {})
        if theirs != mine or not all(
            isinstance(samples.get(name), Tensor)
            and samples[name].shape == value.shape
            and samples[name].dtype == value.dtype
            for name, value in self._state.items()
        ):
            raise ValueError(
                f"Expected 'state' to be of a recorder with {mine} (got {theirs}). Make the recorder "
                f"with the same arguments."
            )
        self._state = {name: samples[name].cpu().clone() for name in self._state}
        self.epochs = int(state["epochs"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes :meth:`state_dict` as a ``.pt`` file; an older file stays whole if that fails."""
        check_output("path", path, _SUFFIXES)
        with replacing(path) as file:
            torch.save(self.state_dict(), file)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainingDynamics:
        """Reads what :meth:`save` wrote; nothing is unpickled."""
        path = check_input("path", path, _SUFFIXES)
        with readable("path", path):
            state = torch.load(path, weights_only=True, map_location="cpu")
            made = cls(**state["settings"])
            made.load_state_dict(state)
        return made

    def __repr__(self) -> str:
        return f"TrainingDynamics({self.num_samples} samples, {self.epochs} epochs)"

    def _settings(self) -> dict[str, Any]:
        names = ("num_samples", "window", "el2n_epochs", "margin")
        return {name: getattr(self, name) for name in names}

    def _checked(self, index: ArrayLike, logits: Tensor, target: ArrayLike) -> tuple[Tensor, ...]:
        logits = as_tensor("logits", logits)
        if logits.dim() != 2 or logits.shape[1] < 2 or not logits.is_floating_point():
            raise ValueError(
                f"Expected 'logits' to be floats of shape (B, C), at least 2 classes (got "
                f"{logits.dtype} of shape {tuple(logits.shape)}). For one output z, pass (0, z)."
            )
        found = []
        for name, value, high in (
            ("index", index, self.num_samples),
            ("target", target, logits.shape[1]),
        ):
            tensor = as_tensor(name, value)
            if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
                raise TypeError(
                    f"Expected {name!r} to be integers (got {tensor.dtype}). Soft targets have no "
                    f"true class."
                )
            check_length(name, tensor, len(logits))
            tensor = tensor.long().cpu()
            if len(tensor) and (int(tensor.min()) < 0 or int(tensor.max()) >= high):
                raise ValueError(
                    f"Expected {name!r} to lie in 0 to {high - 1} (got {int(tensor.min())} to "
                    f"{int(tensor.max())}). Nothing of the batch was recorded."
                )
            found.append(tensor)
        if not bool(logits.isfinite().all()):
            raise ValueError(
                "Expected 'logits' to be finite (got NaN or infinity). Nothing of the batch was "
                "recorded; look for divergence in the training run."
            )
        return found[0], logits, found[1]

    def _close(self, rows: Tensor) -> None:
        """Folds the open epoch into the totals of the samples it saw."""
        state = self._state
        now = {name: state[name][rows] for name in _EPOCH}
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

    def _gather(self) -> None:
        """Gives all processes the open epochs of all: of each sample the lowest rank's."""
        place = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
        mine = self._state["here"].to(place, torch.uint8)
        everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
        dist.all_gather(everyone, mine)
        here = torch.stack(everyone).bool()
        owner = here.to(torch.uint8).argmax(dim=0)
        own = here[dist.get_rank()] & (owner == dist.get_rank())
        for name in _EPOCH:
            value = self._state[name].to(place) * own
            dist.all_reduce(value)
            self._state[name] = value.cpu()
        self._state["here"] = here.any(dim=0).cpu()

    def _complete(self, windows: bool = False) -> dict[str, Tensor]:
        """The totals, if every sample has what a score needs."""
        if bool(self._state["here"].any()):
            raise ValueError(
                f"Expected end_epoch() after the last batch (got {int(self._state['here'].sum())} "
                f"samples of an open epoch). Call it after each epoch, before asking for scores."
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
            f"dynamics.aum(); d2pyg.select alone knows which it needs."
        )
