"""Pools the vectors of tokens to one vector per sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import as_tensor

POOLS = ("mean", "cls", "last", "flatten")


def one_each(value: Tensor, batch: Any, pool: str | None) -> Tensor:
    """Rows [B, ...] of a layer's output; [B, T, d] becomes one vector per sample, as ``pool`` says."""
    shape = tuple(value.shape)
    if (value.dim() == 3) != (pool is not None):
        if pool is None:
            raise ValueError(
                f"Expected 'pool' with a layer that gives a vector for each token (got None and shape "
                f"{shape}). Pass one of {', '.join(POOLS)}."
            )
        raise ValueError(
            f"Expected 'pool' to be None with a layer that gives no vector for each token (got {pool!r} "
            f"and shape {shape}). Leave it out."
        )
    if pool is None or pool == "flatten":
        return value
    mask = _attention_mask(batch, value)
    empty = ~mask.any(dim=1)
    if bool(empty.any()):
        raise ValueError(
            f"Expected every sample to have a token (got {int(empty.sum())} of the batch without, the "
            f"first at row {int(empty.nonzero()[0])}). Leave them out of the data set."
        )
    if pool == "mean":
        value = value if value.dtype == torch.float64 else value.float()  # sums of half precision round
        total = value.masked_fill(~mask.unsqueeze(2), 0).sum(dim=1)
        return total / mask.sum(dim=1, keepdim=True)
    first = mask.byte().argmax(dim=1)
    last = mask.shape[1] - 1 - mask.byte().flip(1).argmax(dim=1)
    return value[torch.arange(len(value), device=value.device), first if pool == "cls" else last]


def _attention_mask(batch: Any, value: Tensor) -> Tensor:
    """bool [B, T]: the batch's own ``attention_mask``; without one, all tokens."""
    inputs = batch[0] if isinstance(batch, list | tuple) and batch else batch
    mapping = isinstance(inputs, Mapping)
    mask = inputs.get("attention_mask") if mapping else getattr(inputs, "attention_mask", None)
    if mask is None:
        return torch.ones(value.shape[:2], dtype=torch.bool, device=value.device)
    mask = as_tensor("attention_mask", mask).to(value.device)
    if mask.shape != value.shape[:2] or not bool(((mask == 0) | (mask == 1)).all()):
        raise ValueError(
            f"Expected the 'attention_mask' of a batch to be 0 or 1 for each token, shape "
            f"{tuple(value.shape[:2])} as the layer gives (got shape {tuple(mask.shape)}, "
            f"{mask.dtype}). Choose a layer that keeps the tokens, or a model that pools them."
        )
    return mask == 1
