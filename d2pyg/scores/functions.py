"""Scores from the saved logits of a training run, one function per score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_count, as_tensor
from d2pyg._base.labels import as_targets
from d2pyg.scores.batch import as_logits
from d2pyg.scores.dynamics import TrainingDynamics

_ROWS_TOGETHER = 1 << 16
Logits = Tensor | np.ndarray[Any, Any] | Sequence[Tensor] | Sequence[np.ndarray[Any, Any]]


def recorded(
    logits: Logits, labels: ArrayLike, margin: str = "probabilities", **options: Any
) -> TrainingDynamics:
    """A recorder fed with saved logits.

    Args:
        logits: The logits of all samples in each epoch, in data set order: [T, N, C], [N, C] for one
            epoch, or a list with one [N, C] per epoch. Any float type. Memory-mapped arrays are read in
            chunks.
        labels: int [N], the column of the true class. Or names of all C classes; then columns are in
            sorted order of the names, as in scikit-learn.
        margin: Margins of probabilities exist whatever classes are masked.
        options: Arguments of :class:`TrainingDynamics`.
    """
    epochs = _epochs(logits)
    label = as_targets("labels", labels, *epochs[0].shape)
    return _fed(epochs, label, margin=margin, **options)


def _fed(epochs: list[Tensor], label: Tensor | None, **options: Any) -> TrainingDynamics:
    """A recorder that saw all epochs. Without labels, predicted classes take the place of true ones."""
    num_samples = len(epochs[0])
    dynamics = TrainingDynamics(num_samples, **options)
    for values in epochs:
        for start in range(0, num_samples, _ROWS_TOGETHER):
            rows = slice(start, min(start + _ROWS_TOGETHER, num_samples))
            batch = as_logits(values[rows])
            labels = batch.argmax(dim=1) if label is None else label[rows]
            dynamics.update(np.arange(rows.start, rows.stop), batch, labels)
        dynamics.end_epoch()
    return dynamics


def _epochs(logits: Logits) -> list[Tensor]:
    """The logits of each epoch, [N, C]."""
    if isinstance(logits, list | tuple) and all(isinstance(v, Tensor | np.ndarray) for v in logits):
        epochs = [as_tensor("logits", values) for values in logits]
        shapes = {tuple(values.shape) for values in epochs}
        if len(shapes) != 1 or epochs[0].dim() != 2 or 0 in epochs[0].shape:
            raise ValueError(
                f"Expected 'logits' to have one shape (N, C) in every epoch of a list (got "
                f"{', '.join(map(str, sorted(shapes))) or 'no epochs'}). Save all samples in each epoch."
            )
        return epochs
    values = as_tensor("logits", logits)
    if values.dim() not in (2, 3) or 0 in values.shape:
        raise ValueError(
            f"Expected 'logits' to have shape (epochs, N, C), or (N, C) for one epoch (got "
            f"{tuple(values.shape)}). Stack the epochs first."
        )
    return [values] if values.dim() == 2 else list(values)


def forgetting(logits: Logits, labels: ArrayLike) -> Tensor:
    """See :meth:`TrainingDynamics.forgetting`.

    Args:
        logits: [T, N, C], one epoch [N, C], or a list of epochs, as for all functions here. Minus
            infinity masks a class, as in :class:`TrainingDynamics`.
        labels: int [N]. Or names of all C classes; then columns are in sorted order of the names, as in
            scikit-learn.

    Example:
        >>> logits = torch.tensor([[[2.0, 0.0]], [[0.0, 2.0]], [[2.0, 0.0]]])  # right, wrong, right
        >>> forgetting(logits, [0])
        tensor([1.], dtype=torch.float64)
    """
    return recorded(logits, labels).forgetting()


def aum(logits: Logits, labels: ArrayLike, margin: str = "logits", raw: bool = False) -> Tensor:
    """See :meth:`TrainingDynamics.aum`.

    Example:
        >>> aum(torch.tensor([[3.0, 1.0], [1.0, 2.0]]), [0, 0], raw=True)
        tensor([ 2., -1.], dtype=torch.float64)
    """
    return recorded(logits, labels, margin=margin).aum(raw)


def el2n(logits: Logits, labels: ArrayLike, epochs: int = 10) -> Tensor:
    """See :meth:`TrainingDynamics.el2n`.

    Example:
        >>> el2n(torch.tensor([[0.0, 0.0]]), [0])
        tensor([0.7071], dtype=torch.float64)
    """
    epochs = as_count("epochs", epochs, 1, None, "", "CCS uses 10 epochs.")
    return recorded(logits, labels, el2n_epochs=epochs).el2n()


def entropy(logits: Logits, labels: ArrayLike | None = None) -> Tensor:
    """See :meth:`TrainingDynamics.entropy`. It needs no targets.

    Example:
        >>> entropy(torch.tensor([[0.0, 0.0]]))
        tensor([0.6931], dtype=torch.float64)
    """
    if labels is None:
        return _fed(_epochs(logits), None, margin="probabilities").entropy()
    return recorded(logits, labels).entropy()


def variance(logits: Logits, labels: ArrayLike) -> Tensor:
    """See :meth:`TrainingDynamics.variance`.

    Example:
        >>> variance(torch.tensor([[[0.0, 0.0]], [[0.0, 50.0]]]), [1])  # 1/2, then 1
        tensor([0.0625], dtype=torch.float64)
    """
    return recorded(logits, labels).variance()


def confidence(logits: Logits, labels: ArrayLike, raw: bool = False) -> Tensor:
    """See :meth:`TrainingDynamics.confidence`.

    Example:
        >>> confidence(torch.tensor([[[0.0, 0.0]], [[0.0, 50.0]]]), [1])
        tensor([0.2500], dtype=torch.float64)
    """
    return recorded(logits, labels).confidence(raw)


def correctness(logits: Logits, labels: ArrayLike, raw: bool = False) -> Tensor:
    """See :meth:`TrainingDynamics.correctness`.

    Example:
        >>> correctness(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), [1])
        tensor([0.5000], dtype=torch.float64)
    """
    return recorded(logits, labels).correctness(raw)


def borderline(logits: Logits, labels: ArrayLike) -> Tensor:
    """See :meth:`TrainingDynamics.borderline`.

    Example:
        >>> borderline(torch.tensor([[0.0, 0.0], [0.0, 50.0]]), [1, 1])  # unsure, and sure
        tensor([0.1250, 0.0000], dtype=torch.float64)
    """
    return recorded(logits, labels).borderline()


def dyn_unc(logits: Logits, labels: ArrayLike, window: int = 10) -> Tensor:
    """See :meth:`TrainingDynamics.dyn_unc`.

    Example:
        >>> dyn_unc(torch.tensor([[[0.0, 0.0]], [[0.0, 50.0]]]), [1], window=2)  # of 1/2 and 1
        tensor([0.3536], dtype=torch.float64)
    """
    return recorded(logits, labels, window=window).dyn_unc()


def dual(logits: Logits, labels: ArrayLike, window: int = 10) -> Tensor:
    """See :meth:`TrainingDynamics.dual`.

    Example:
        >>> dual(torch.tensor([[[0.0, 0.0]], [[0.0, 50.0]]]), [1], window=2)  # a quarter of it
        tensor([0.0884], dtype=torch.float64)
    """
    return recorded(logits, labels, window=window).dual()
