"""LossDynamics: difficulty scores from the losses of a training run."""

from __future__ import annotations

from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_flag
from d2pyg.scores.loss_statistics import LossStatistics
from d2pyg.scores.losses import measured_losses
from d2pyg.scores.recorder import Recorder


class LossDynamics(Recorder):
    r"""Records losses of a training run, and gives difficulty scores: finite, >= 0, higher is harder.

    Use it for models without one true class per sample: language models, detection, several labels per
    sample, regression. For classification, :class:`TrainingDynamics` has more scores, and
    :func:`d2pyg.select` needs no cutoff with it.

    Pass it the losses of every batch, one per sample, before the optimizer step, and close each epoch.
    It stores 49 bytes per sample. Epochs, distributed training, checkpoints and copies work as with
    :class:`TrainingDynamics`. After a single epoch, only :meth:`mean_loss` and :meth:`last_loss` are
    available, and they are equal.

    Mislabeled and damaged samples have the highest losses. A ``cutoff`` drops them, such as
    ``d2pyg.select(embeddings, losses, cutoff=0.1, keep=0.3)``.

    Args:
        num_samples: Number of samples, N.

    Example:
        >>> losses = LossDynamics(num_samples=3)
        >>> for values in ([2.0, 2.0, 0.5], [1.0, 2.5, 0.5]):
        ...     losses.update(torch.arange(3), torch.tensor(values))
        ...     losses.end_epoch()
        >>> losses.mean_loss()
        tensor([1.5000, 2.2500, 0.5000], dtype=torch.float64)
        >>> losses.learnability()
        tensor([1., 0., 0.], dtype=torch.float64)
    """

    _statistics = LossStatistics()

    def __init__(self, num_samples: int) -> None:
        super().__init__(num_samples=num_samples)

    def update(self, index: ArrayLike, losses: ArrayLike) -> None:
        """Records a batch. If it raises an error, it records nothing of the batch.

        Args:
            index: int [B], the samples' places in the data set.
            losses: [B], any float type and device, >= 0: one per sample, as with ``reduction="none"``.
                If a sample has several losses, such as for tokens (:func:`token_losses`), boxes or
                labels, average them.

        Raises:
            ValueError, TypeError: If an argument breaks its rule; the message names the sample.
        """
        self._record(*measured_losses(index, losses, self.num_samples))

    def mean_loss(self) -> Tensor:
        r"""Mean loss over epochs, :math:`\bar\ell_i = \frac{1}{T} \sum_t \ell_i^{(t)}`.

        O2U-Net (Huang et al. 2019) finds noisy labels by it. :func:`d2pyg.select` uses it if you pass
        the recorder.
        """
        return self._complete()["mean"].clone()

    def last_loss(self) -> Tensor:
        r"""Loss in the last epoch that saw the sample, :math:`\ell_i^{(T)}`.

        Co-teaching (Han et al. 2018) and InfoBatch (Qin et al. 2024) use it.
        """
        return self._complete()["last"].clone()

    def loss_variance(self) -> Tensor:
        r"""Variance of the loss over epochs,
        :math:`\frac{1}{T} \sum_t (\ell_i^{(t)} - \bar\ell_i)^2`. Needs two epochs.

        It corresponds to the variability of data maps (Swayamdipta et al. 2020), which is computed from
        the probability of the true class.
        """
        state = self._twice()
        return (state["deviations"] / state["seen"]).clamp_(min=0)

    def learnability(self, raw: bool = False) -> Tensor:
        r"""How far the loss fell, :math:`\max(0, \ell_i^{(1)} - \ell_i^{(T)})`. Needs two epochs.

        It is low for samples that were easy from the start, and for samples that were not learned, such
        as mislabeled ones. RHO-LOSS (Mindermann et al. 2022) and JEST (Evans et al. 2024) take this
        difference between a model in training and a reference model. Here it is the difference between
        the first and the last epoch of one run. ``raw`` is the difference with its sign.
        """
        state = self._twice()
        fall = state["first"] - state["last"]
        return fall if as_flag("raw", raw) else fall.clamp_(min=0)

    def _twice(self) -> dict[str, Tensor]:
        """The totals; an error if a sample has fewer than two losses."""
        return self._complete(2, instead=", or ask for mean_loss()")
