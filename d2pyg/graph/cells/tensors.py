"""The loops of a search by cells as torch operations, for devices that numba does not compile for."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.grouping import rank_in_group
from d2pyg.graph.ranking import order_of_pairs

_LISTED = 1 << 24  # comparisons of places that are held together


def has_loops(device: torch.device) -> bool:
    """Whether the compiled loops run where these tensors are."""
    return device.type == "cpu"


def keep_lowest(bound: Tensor, rows: Tensor, others: Tensor, value: Tensor, column: Tensor) -> None:
    """Keeps the lowest bounds of some rows, each place once.

    Args:
        bound: [A, B].
        rows: int64 [A], their places.
        others: int64 [B], the places of the columns.
        value: [N, K], the highest first; changed in place.
        column: int32 [N, K], the places these are of; changed in place.
    """
    count = value.shape[1]
    new, at = bound.topk(min(count, bound.shape[1]), dim=1, largest=False)
    number, order = torch.cat([column[rows], others[at].int()], dim=1).sort(dim=1, stable=True)
    far = torch.cat([value[rows], new.to(value.dtype)], dim=1).gather(1, order)
    far[:, 1:].masked_fill_(number[:, 1:] == number[:, :-1], torch.inf)
    far, order = far.topk(count, dim=1, largest=False)
    number = number.gather(1, order).masked_fill(far.isinf(), -1)
    value[rows], column[rows] = far.flip(1), number.flip(1)


def both_directions(
    neighbor: Tensor, distance: Tensor, fresh: Tensor, point: Tensor
) -> tuple[Tensor, Tensor]:
    """As :func:`d2pyg.graph.cells.loops.both_directions`: int32 and bool [N, 2k]."""
    total, k = neighbor.shape
    row = torch.arange(total, device=neighbor.device).repeat_interleave(k)
    other, far, new = neighbor.flatten().long(), distance.flatten(), fresh.flatten()
    alone = (neighbor[other] != row.unsqueeze(1)).all(dim=1)
    row, other, far, new = row[alone], other[alone], far[alone], new[alone]
    order = order_of_pairs(other, point[row], far)
    row, other, new = row[order], other[order], new[order]
    place = rank_in_group(other, total)
    first = place < k
    near = torch.full((total, 2 * k), -1, dtype=torch.int32, device=neighbor.device)
    is_fresh = torch.zeros(total, 2 * k, dtype=torch.bool, device=neighbor.device)
    near[:, :k], is_fresh[:, :k] = neighbor, fresh
    near[other[first], k + place[first]] = row[first].int()
    is_fresh[other[first], k + place[first]] = new[first]
    return near, is_fresh


def two_steps(rows: Tensor, near: Tensor, fresh: Tensor, visits: Tensor) -> tuple[Tensor, Tensor]:
    """As :func:`d2pyg.graph.cells.loops.two_steps`: places in ``rows`` and what they try, int64 [P]."""
    width = near.shape[1]
    together = max(1, _LISTED // (width * width * (width + 2 * visits.shape[1])))
    found = []
    every = torch.arange(len(rows), device=rows.device)
    for part in every.split(together):
        row, own = rows[part].unsqueeze(1), near[rows[part]].long()
        middle = own.clamp(min=0)
        other = near[middle].long()
        new = fresh[rows[part]].unsqueeze(2) | fresh[middle]
        other = other.masked_fill(~new | (own < 0).unsqueeze(2), -1).flatten(1)
        other = other.masked_fill((other.unsqueeze(2) == own.unsqueeze(1)).any(dim=2), -1)
        other = torch.cat([own[:, width // 2 :], other], dim=1).sort(dim=1).values
        again = other[:, 1:] == other[:, :-1]
        other[:, 1:].masked_fill_(again, -1)
        here, there = visits[row, 0], visits[other.clamp(min=0)]
        met = (there == here.unsqueeze(2)).any(dim=2)
        met |= (visits[row] == there[:, :, :1]).any(dim=2)
        place, column = ((other >= 0) & (other != row) & ~met).nonzero(as_tuple=True)
        found.append((part[place], other[place, column]))
    places, columns = (torch.cat(parts) for parts in zip(*found, strict=True))
    return places, columns
