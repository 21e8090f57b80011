"""What a recorder measures in one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_tensor, check_length

_REMEDIES = {
    "index": "Pass the samples' places in the data set.",
    "labels": "Soft targets have no true class.",
}
LARGEST = 1e300  # of logits: sums of their margins over millions of epochs stay finite


def measured(
    index: ArrayLike, logits: ArrayLike, labels: ArrayLike, num_samples: int, margin: str
) -> tuple[Tensor, dict[str, Tensor]]:
    """Indices int64 [B] and the values to record, float64 [B] by name; checked, on the CPU."""
    logits = as_logits(logits)
    index = whole_numbers("index", index, len(logits), num_samples)
    labels = whole_numbers("labels", labels, len(logits), logits.shape[1])
    _check_range(logits, index)
    chosen = labels.to(logits.device).unsqueeze(1)
    probability = logits.softmax(dim=1)
    between = logits if margin == "logits" else probability
    others = between.scatter(1, chosen, -torch.inf).amax(dim=1)
    _check_masks(logits.gather(1, chosen).squeeze(1), others, index)
    error = probability.scatter_add(1, chosen, torch.full_like(chosen, -1, dtype=torch.float64))
    values = {
        "probability": probability.gather(1, chosen).squeeze(1),
        "epoch_margin": between.gather(1, chosen).squeeze(1) - others,
        "epoch_el2n": error.square().sum(dim=1).sqrt(),
        "epoch_entropy": torch.special.entr(probability).sum(dim=1),
        # Ties go to the lowest class, as argmax has it.
        "epoch_correct": (logits.argmax(dim=1) == chosen.squeeze(1)).double(),
    }
    return index, {name: value.cpu() for name, value in values.items()}


def as_logits(logits: ArrayLike) -> Tensor:
    """Logits as float64 [B, C], on their device (on the CPU for MPS, which has no float64)."""
    tensor = as_tensor("logits", logits)
    if tensor.dim() != 2 or tensor.shape[1] < 2 or not tensor.is_floating_point():
        raise ValueError(
            f"Expected 'logits' to be floats of shape (B, C), at least 2 classes (got "
            f"{tensor.dtype} of shape {tuple(tensor.shape)}). For one output z, pass (0, z)."
        )
    return tensor.to("cpu" if tensor.device.type == "mps" else tensor.device).double()


def first_places(index: Tensor) -> Tensor:
    """The first place of each distinct index in a batch [B]."""
    order = index.argsort(stable=True)
    ordered = index[order]
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return order[first]


def whole_numbers(name: str, values: ArrayLike, size: int, below: int) -> Tensor:
    """Integers int64 [B] in 0 to ``below`` - 1, on the CPU."""
    tensor = as_tensor(name, values)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool:
        raise TypeError(f"Expected {name!r} to be integers (got {tensor.dtype}). {_REMEDIES[name]}")
    check_length(name, tensor, size)
    tensor = tensor.long().cpu()
    if len(tensor) and (int(tensor.min()) < 0 or int(tensor.max()) >= below):
        raise ValueError(
            f"Expected {name!r} to lie in 0 to {below - 1} (got {int(tensor.min())} to "
            f"{int(tensor.max())}). Nothing of the batch was recorded."
        )
    return tensor


def _check_range(logits: Tensor, index: Tensor) -> None:
    """Refuses NaN, infinity, and values so large that their sums would be infinite."""
    allowed = (logits.abs() <= LARGEST) | (logits == -torch.inf)
    wrong = first_wrong(~allowed.all(dim=1))
    if wrong is not None:
        value = float(logits[wrong][~allowed[wrong]][0])
        raise ValueError(
            f"Expected 'logits' to be finite, from -1e300 to 1e300, or -inf for a masked class (got "
            f"{value:g} in {named_row(wrong, index)}). Nothing of the batch was recorded; look for "
            f"divergence in the training run."
        )


def _check_masks(true: Tensor, others: Tensor, index: Tensor) -> None:
    """Refuses masks that hide the true class, or all other classes if the margin needs one."""
    wrong = first_wrong(true == -torch.inf)
    if wrong is not None:
        raise ValueError(
            f"Expected 'logits' of the true class to be finite (got -inf, which masks it, in "
            f"{named_row(wrong, index)}). Nothing of the batch was recorded; check mask and targets."
        )
    wrong = first_wrong(others == -torch.inf)
    if wrong is not None:
        raise ValueError(
            f"Expected 'logits' to leave two classes unmasked, as the margin between logits needs (got "
            f"one in {named_row(wrong, index)}). Nothing of the batch was recorded; use "
            f"margin='probabilities'."
        )


def first_wrong(wrong: Tensor) -> int | None:
    """The first row that is wrong."""
    return int(wrong.nonzero()[0]) if bool(wrong.any()) else None


def named_row(row: int, index: Tensor) -> str:
    """The row, in words."""
    return f"row {row} of the batch, sample {int(index[row])}"
