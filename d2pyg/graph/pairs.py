"""Distances of many pairs of rows on the CPU, each a function of its two rows alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from d2pyg._base.threads import share_out

Formula: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # of float64 rows [P, d] and [P, d]

_TOGETHER = 1 << 12  # pairs that a thread takes at a time
_COPIED = 1 << 17  # coordinates that a thread copies at a time


class Rows:
    """Rows [N, d] of any float type, contiguous on the CPU.

    Args:
        given: The rows.
        formula: The distance in torch. It measures the few pairs whose squares are too small or too
            large for the loops.
        directions: Whether it is the cosine distance; otherwise the Euclidean one.
        index: int64 [M], rows that will be asked about; default: all.
    """

    def __init__(
        self, given: Tensor, formula: Formula, directions: bool, index: Tensor | None = None
    ) -> None:
        self.given, self.formula = given, formula
        self._half = given.dtype.itemsize < 4
        self._copied = max(1, _COPIED // max(1, given.shape[1]))
        self._inverse: Tensor | None = None
        if directions:
            inverse = torch.empty(len(given), dtype=torch.float64)
            index = torch.arange(len(given)) if index is None else index
            size = self._copied if self._half else max(_TOGETHER, self._copied)
            share_out(index.split(size), lambda: lambda rows: self._invert(rows, inverse))
            self._inverse = inverse

    def distance(self, rows: Tensor, others: Tensor, right: Rows | None = None) -> Tensor:
        """Float64 [...], from these rows to those of ``right``, or to these, at broadcast indices."""
        right = self if right is None else right
        rows, others = torch.broadcast_tensors(rows, others)
        shape, rows, others = rows.shape, rows.flatten(), others.flatten()
        found = torch.empty(len(rows), dtype=torch.float64)
        size = self._copied if self._half else _TOGETHER
        parts = [slice(start, start + size) for start in range(0, len(rows), size)]
        share_out(
            parts, lambda: lambda part: self._measure(right, rows[part], others[part], found[part])
        )
        for some in found.isnan().nonzero().flatten().split(self._copied):
            pairs = self.given[rows[some]].double(), right.given[others[some]].double()
            found[some] = self.formula(*pairs)
        return found.view(shape)

    def _measure(self, right: Rows, rows: Tensor, others: Tensor, out: Tensor) -> None:
        from d2pyg.graph.pair_loop import cosines, lengths

        x, a, rows = self._readable(rows)
        y, b, others = right._readable(others)
        if a is None or b is None:
            lengths(*(t.numpy() for t in (x, y, rows, others, out)))
        else:
            cosines(*(t.numpy() for t in (x, y, a, b, rows, others, out)))

    def _invert(self, rows: Tensor, inverse: Tensor) -> None:
        from d2pyg.graph.pair_loop import inverse_lengths

        x, _, index = self._readable(rows)
        found = torch.empty(len(rows), dtype=torch.float64)
        inverse_lengths(x.numpy(), index.numpy(), found.numpy())
        inverse[rows] = found

    def _readable(self, rows: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """The rows, their inverse lengths and an index of both, in types that loops can read."""
        if not self._half:
            return self.given, self._inverse, rows
        inverse = None if self._inverse is None else self._inverse[rows]
        return self.given[rows].float(), inverse, torch.arange(len(rows))


def between(x: Tensor, y: Tensor, formula: Formula, directions: bool) -> Tensor:
    """Distances [...] between float64 embeddings [..., d], broadcast against each other."""
    rows = [Rows(t.reshape(-1, t.shape[-1]).contiguous(), formula, directions) for t in (x, y)]
    here, there = (torch.arange(t.shape[:-1].numel()).view(t.shape[:-1]) for t in (x, y))
    return rows[0].distance(here, there, rows[1])


def can_loop(*values: Tensor) -> bool:
    """Whether these are what the loops are for."""
    return all(t.device.type == "cpu" and t.dtype == torch.float64 for t in values)
