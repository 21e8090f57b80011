"""The losses of one batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from d2pyg._base.checks import ArrayLike, as_flag, as_integers, as_tensor
from d2pyg.scores.batch import first_wrong, named_row, whole_numbers

_IGNORED = -100  # the label of tokens without a target
LARGEST_LOSS = 1e150  # sums of squares over millions of epochs stay finite


def measured_losses(
    index: ArrayLike, losses: ArrayLike, num_samples: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Indices int64 [B] and the losses to record, float64 [B]; checked, on the CPU."""
    values = as_tensor("losses", losses)
    if values.dim() != 1 or not values.is_floating_point():
        raise ValueError(
            f"Expected 'losses' to be floats of shape (B,), one per sample (got {values.dtype} of shape "
            f"{tuple(values.shape)}). Compute the loss with reduction='none', and average what a sample "
            f"has several of."
        )
    values = values.detach().cpu().double()
    index = whole_numbers("index", index, len(values), num_samples)
    wrong = first_wrong(~((values >= 0) & (values <= LARGEST_LOSS)))
    if wrong is not None:
        value = float(values[wrong])
        remedy = "add one constant to all" if -LARGEST_LOSS <= value < 0 else "look for divergence"
        raise ValueError(
            f"Expected 'losses' to lie in 0 to 1e150 (got {value:g} in {named_row(wrong, index)}). "
            f"Nothing of the batch was recorded; {remedy}."
        )
    return index, {"loss": values}


def token_losses(logits: ArrayLike, labels: ArrayLike, *, shift: bool) -> Tensor:
    r"""The mean cross-entropy of each sequence, for :class:`LossDynamics`.

    .. math:: \ell_i = -\frac{1}{|T_i|} \sum_{t \in T_i} \log p_i(y_{it})

    :math:`T_i` are the tokens whose label is not -100; torch and transformers use -100 for no target. A
    sequence without targets has loss 0, because it trains nothing. The function needs the memory of the
    logits of one sequence, beyond the batch.

    Args:
        logits: [B, T, V], before softmax, any float type and device.
        labels: int [B, T], 0..V-1, or -100.
        shift: Whether the logits at a token predict the next label, as in causal language models. In
            masked models, encoder-decoders and taggers, they predict the label at the token.

    Returns:
        float32 [B] (float64 for float64 logits), on the device of the logits, without a gradient.

    Raises:
        ValueError, TypeError: If an argument breaks its rule.

    Example:
        >>> logits = torch.zeros(1, 3, 4)  # all 4 tokens are alike to the model
        >>> token_losses(logits, torch.tensor([[-100, 2, 3]]), shift=True)  # log 4
        tensor([1.3863])
    """
    values, targets = as_tensor("logits", logits).detach(), as_tensor("labels", labels)
    shift = as_flag("shift", shift)
    if values.dim() != 3 or not values.is_floating_point() or targets.shape != values.shape[:2]:
        raise ValueError(
            f"Expected 'logits' to be floats of shape (B, T, V) and 'labels' of shape (B, T) (got "
            f"{values.dtype} of shape {tuple(values.shape)} and {tuple(targets.shape)}). Pass what the "
            f"model returns for a batch."
        )
    targets = as_integers("labels", targets.flatten(), targets.numel()).view(targets.shape)
    here = (targets != _IGNORED).to(values.device)
    targets = targets.to(values.device)
    _check_targets(targets[here], values.shape[2])
    if shift:
        values, targets, here = values[:, :-1], targets[:, 1:], here[:, 1:]
    kind = torch.float64 if values.dtype is torch.float64 else torch.float32
    losses = values.new_zeros(len(values), dtype=kind)
    for row, counted in enumerate(here):
        if bool(counted.any()):
            tokens = values[row][counted].to(kind)
            losses[row] = functional.cross_entropy(tokens, targets[row][counted])
    return losses


def _check_targets(targets: Tensor, size: int) -> None:
    """Refuses labels out of range. On CUDA, torch would end the process."""
    wrong = targets[(targets < 0) | (targets >= size)]
    if len(wrong):
        raise ValueError(
            f"Expected 'labels' to lie in 0 to {size - 1}, the columns of 'logits', or to be "
            f"-100 (got {int(wrong[0])}). Pass the labels that the model was given."
        )
