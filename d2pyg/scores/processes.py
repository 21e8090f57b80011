"""Combines the open epochs of several recorders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

OpenEpoch = dict[str, Tensor]  # values [N], and "here": the samples that have them


def merged(first: OpenEpoch, second: OpenEpoch) -> OpenEpoch:
    """The union of both. The first one counts for samples that both have."""
    return {name: torch.where(first["here"], first[name], second[name]) for name in first}


def gathered(mine: OpenEpoch, made_with: Mapping[str, Any]) -> OpenEpoch:
    """The open epochs of all processes combined; without torch.distributed, only this one.

    If several processes have a sample, the lowest rank counts.

    Args:
        mine: The open epoch of this process.
        made_with: What its recorder records, its settings and its number of epochs. These must be the
            same in all processes.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return mine
    _check_alike(made_with)
    place = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
    here = torch.stack(_of_all(mine["here"].to(place, torch.uint8))).bool()
    owner = here.to(torch.uint8).argmax(dim=0)
    own = here[dist.get_rank()] & (owner == dist.get_rank())
    found = {"here": here.any(dim=0).cpu()}
    for name, values in mine.items():  # in the same order in all processes
        if name != "here":
            value = torch.where(own, values.to(place), 0)
            dist.all_reduce(value)
            found[name] = value.cpu()
    return found


def difference(mine: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first setting that differs, in words; empty if none does."""
    differ = [name for name in mine if mine[name] != other.get(name)]
    return f"{differ[0]} {other.get(differ[0])!r}, not {mine[differ[0]]!r}" if differ else ""


def _check_alike(made_with: Mapping[str, Any]) -> None:
    """Raises the same error in all processes, so that none waits for another."""
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, dict(made_with))
    for rank, other in enumerate(everyone):
        differs = difference(everyone[0], other)
        if differs:
            raise ValueError(
                f"Expected recorders of the same arguments and epochs in all processes (got {differs}, "
                f"on rank {rank}). Make all alike, and load the same checkpoint in all."
            )


def _of_all(mine: Tensor) -> list[Tensor]:
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, mine)
    return everyone
