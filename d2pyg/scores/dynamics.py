"""TrainingDynamics: difficulty scores from a training run."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_flag
from d2pyg.scores.batch import measured
from d2pyg.scores.class_statistics import ClassStatistics
from d2pyg.scores.recorder import Recorder
from d2pyg.scores.statistics import Samples


class TrainingDynamics(Recorder):
    r"""Records a training run, and gives difficulty scores: finite, >= 0, higher is harder.

    Pass it the logits of every batch, before the optimizer step, and close each epoch. It stores running
    statistics and not the logits: about 200 bytes per sample with the default window, however long the
    run.

    A sample counts once per epoch, in its first batch. An epoch that leaves out a sample does not change
    its statistics: means are over the epochs that saw it, and forgetting and windows skip the others. In
    distributed training, each process passes its own batches. :meth:`end_epoch` combines them, so all
    processes hold the same recordings.

    A logit of minus infinity masks its class: softmax gives it probability 0. The true class cannot be
    masked. Margins between logits need at least one other class that is not masked.

    Pickling copies a recorder. If you pass one to other processes, for example with
    ``torch.multiprocessing.spawn``, the copies are filled and the original stays empty. Let rank 0
    :meth:`save` its copy at the end of the training function, and :meth:`load` the file afterwards.
    Start such processes with ``spawn`` or ``forkserver``. A process that is forked after torch used
    several threads, as a recorder or a selection does, hangs when it uses several threads itself.

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

    _statistics = ClassStatistics()
    window: int
    el2n_epochs: int
    margin: str

    def __init__(
        self, num_samples: int, *, window: int = 10, el2n_epochs: int = 10, margin: str = "logits"
    ) -> None:
        super().__init__(num_samples=num_samples, window=window, el2n_epochs=el2n_epochs, margin=margin)

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
        self._record(index, values)

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
        """How nearly learned: p^2 (1 - p), for the mean probability p of the true class. In 0 to 4/27.

        It is highest at p = 2/3. It is low for samples that were always right and for samples that
        were never right, such as mislabeled ones, so it needs no cutoff. This score is from d2pyg;
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
        state = self._windows()
        return state["dyn_unc"] / (state["seen"] - self.window + 1)

    def dual(self) -> Tensor:
        """DUAL (Cho et al. 2025): dynamic uncertainty times difficulty.

        In each window of J epochs, this is the standard deviation of the true class's probability, as
        in :meth:`dyn_unc`, times one minus its mean. The score is the mean over all windows, in 0 to
        0.53 for windows of 10. The authors' code (https://github.com/behaapyy/dual-pruning) returns 10
        times that, from the first 30 epochs of 200 (CIFAR).
        """
        state = self._windows()
        return state["dual"] / (state["seen"] - self.window + 1)

    def _windows(self) -> Samples:
        """The totals; an error if a sample has no complete window."""
        return self._complete(self.window, ", the window", ", or make the window smaller")
