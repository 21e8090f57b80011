"""The losses of one batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from d2pyg._base.checks import ArrayLike, as_flag, as_tensor
from d2pyg.scores.batch import first_wrong, named_row, whole_numbers

LARGEST_LOSS = 1e150  # sums of squares over millions of epochs stay finite


def measured_losses(
    index: ArrayLike, losses: ArrayLike, num_samples: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Indices int64 [B] and the losses to record, float64 [B]; checked, on the CPU."""
    values = as_tensor("losses", losses)
    if values.dim() != 1 or not values.is_floating_point():
        raise ValueError(
            f"Expected 'losses' to be floats of shape (B,), one a sample (got {values.dtype} of shape "
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


def token_losses(logits: Tensor, labels: Tensor, *, shift: bool, ignore_index: int = -100) -> Tensor:
    r"""The mean cross-entropy of each sequence, for :class:`LossDynamics`.

    .. math:: \ell_i = -\frac{1}{|T_i|} \sum_{t \in T_i} \log p_i(y_{it})

    :math:`T_i` are the tokens whose label is not ``ignore_index``. A sequence without any has loss 0,
    since it trains nothing. It needs the memory of one sequence's logits besides the batch.

    Args:
        logits: [B, T, V], before softmax, any float type and device.
        labels: int [B, T], 0..V-1 or ``ignore_index``.
        shift: Whether the logits at a token predict the next label, as those of causal language models
            do. Those of masked models, encoder-decoders and taggers predict the label at the token.
        ignore_index: The label of tokens without a target; torch and transformers use -100.

    Returns:
        float32 [B] (float64 for float64 logits), on the device of the logits, without a gradient.

    Raises:
        ValueError: If the shapes do not fit.

    Example:
        >>> logits = torch.zeros(1, 3, 4)  # all 4 tokens are alike to the model
        >>> token_losses(logits, torch.tensor([[-100, 2, 3]]), shift=True)  # log 4
        tensor([1.3863])
    """
    if logits.dim() != 3 or not logits.is_floating_point() or labels.shape != logits.shape[:2]:
        raise ValueError(
            f"Expected 'logits' to be floats of shape (B, T, V) and 'labels' of shape (B, T) (got "
            f"{logits.dtype} of shape {tuple(logits.shape)} and {tuple(labels.shape)}). Pass what the "
            f"model returns for a batch."
        )
    kind = torch.float64 if logits.dtype is torch.float64 else torch.float32
    shift = as_flag("shift", shift)
    losses = logits.new_zeros(len(logits), dtype=kind)
    for row, (values, targets) in enumerate(zip(logits.detach(), labels.to(logits.device), strict=True)):
        values, targets = (values[:-1], targets[1:]) if shift else (values, targets)
        here = targets != ignore_index
        if bool(here.any()):
            losses[row] = functional.cross_entropy(values[here].to(kind), targets[here].long())
    return losses
