"""How many of the nearest neighbors a search found: measured on drawn points."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from d2pyg.graph.exact import nearest_of
from d2pyg.graph.points import Points

DRAWN = 1000  # points whose neighbors are searched exactly
_SEED = 4
_SIGMAS = 1.959963984540054  # of a normal distribution, for 95%


@dataclass(frozen=True)
class Recall:
    """Share of the true neighbors, by (distance, index), that were found, with its 95% interval."""

    value: float
    low: float
    high: float
    drawn: int  # points that it was measured on

    def __str__(self) -> str:
        return f"{self.value:.3f} (95% interval {self.low:.3f} to {self.high:.3f}, {self.drawn} samples)"


class Survey:
    """What an approximate search of all samples found, asked group by group.

    The samples are drawn by another seed than those that a search is tuned on.
    """

    def __init__(self, total: int, device: torch.device) -> None:
        self._is_drawn = torch.zeros(total, dtype=torch.bool, device=device)
        self._is_drawn[draw(total, _SEED).to(device)] = True
        self._shares: list[Tensor] = []
        self._compared: int | None = 0
        self._pairs = 0

    def ask(self, points: Points, nodes: Tensor, neighbor: Tensor, compared: int | None) -> None:
        """A group: its points, their nodes, the places [M, k] of their neighbors, pairs compared."""
        rows = self._is_drawn[nodes].nonzero().flatten()
        if len(rows):
            self._shares.append(shares(points, rows, neighbor[rows]))
        self._count(len(nodes), compared)

    def was_exact(self, member: Tensor) -> None:
        """Groups [G, n] of nodes, -1 for none, in which all pairs were compared."""
        for group in member:
            nodes = group[group >= 0]
            rows = self._is_drawn[nodes].nonzero()
            self._shares.append(torch.ones(len(rows), dtype=torch.float64, device=nodes.device))
            self._count(len(nodes), len(nodes) * (len(nodes) - 1) // 2)

    def result(self) -> dict[str, Any]:
        """``value``, ``low``, ``high`` and ``drawn``, and ``products``, the share of all pairs compared.

        ``products`` is None if the search does not count them.
        """
        found = asdict(estimate(torch.cat(self._shares), len(self._is_drawn)))
        share = None if self._compared is None else self._compared / max(1, self._pairs)
        return {**found, "products": share}

    def _count(self, nodes: int, compared: int | None) -> None:
        self._pairs += nodes * (nodes - 1) // 2
        if compared is None or self._compared is None:
            self._compared = None
        else:
            self._compared += compared


def draw(total: int, seed: int) -> Tensor:
    """int64, at most 1,000 of ``total`` points, ascending."""
    drawn = torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:DRAWN]
    return drawn.sort().values


def shares(points: Points, rows: Tensor, neighbor: Tensor) -> Tensor:
    """Float64 [C], which share of their true neighbors these rows have, given k of each [C, k]."""
    true, _ = nearest_of(points, rows, neighbor.shape[1])
    return share_of(neighbor, true)


def share_of(neighbor: Tensor, true: Tensor) -> Tensor:
    """Float64 [C], the share of true neighbors [C, k] among those found [C, k]."""
    return (neighbor.unsqueeze(2) == true.unsqueeze(1)).any(dim=1).double().mean(dim=1)


def estimate(share: Tensor, total: int) -> Recall:
    r"""The recall of ``total`` points, from the shares [m] of some that were drawn.

    Wilson's interval (Wilson 1927) for m' independent neighbors, where m' is such that they vary as the
    means of drawn points do (Kish 1965, the effective sample size): neighbors of one point are not
    independent. If no share differs from the others, m' is m.
    """
    mean, drawn = float(share.mean()), len(share)
    if drawn == total:
        return Recall(mean, mean, mean, drawn)
    variance = float(share.var()) / drawn * (1 - drawn / total)
    size = mean * (1 - mean) / variance if variance > 0 else float(drawn)
    z2 = _SIGMAS**2
    middle = (mean + z2 / (2 * size)) / (1 + z2 / size)
    half = _SIGMAS / (1 + z2 / size) * math.sqrt(mean * (1 - mean) / size + z2 / (4 * size**2))
    return Recall(mean, max(0.0, middle - half), min(1.0, middle + half), drawn)
