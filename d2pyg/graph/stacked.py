"""Embeddings of more samples below those of others, as one; nothing is copied."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from d2pyg.graph.joined import Joined
from d2pyg.graph.metric import Metric, looped
from d2pyg.graph.pairs import Rows


class Stacked:
    """The rows of some embeddings, then those of others of as many coordinates."""

    def __init__(self, first: Tensor | Joined, then: Tensor | Joined) -> None:
        self.parts = (first, then)
        self.starts = (0, len(first))
        self.device = first.device
        self.shape = (len(first) + len(then), first.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        """Float64 [..., d], on the device of the first."""
        if isinstance(rows, slice):
            rows = torch.arange(len(self), device=self.device)[rows]
        found = torch.empty(*rows.shape, self.shape[1], dtype=torch.float64, device=self.device)
        for number, part in enumerate(self.parts):
            inside = self._inside(number, rows)
            if bool(inside.all()):
                return part[(rows - self.starts[number]).to(part.device)].to(self.device).double()
            if bool(inside.any()):
                here = (rows[inside] - self.starts[number]).to(part.device)
                found[inside] = part[here].to(self.device).double()
        return found

    def looped(self, metric: Metric, index: Tensor | None) -> StackedRows | None:
        """As :func:`~d2pyg.graph.metric.looped` for one tensor."""
        index = torch.arange(len(self)) if index is None else index
        loops = []
        for number, part in enumerate(self.parts):
            here = index[self._inside(number, index)] - self.starts[number]
            loops.append(looped(metric, part, here) if isinstance(part, Tensor) else None)
        first, then = loops
        return None if first is None or then is None else StackedRows(first, then, self.starts[1])

    def _inside(self, number: int, rows: Tensor) -> Tensor:
        return (rows >= self.starts[1]) == bool(number)


class StackedRows:
    """The loops that measure pairs of two tensors' rows, numbered through."""

    def __init__(self, first: Rows, then: Rows, start: int) -> None:
        self._loops, self._start = (first, then), start

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """Float64 [...], at broadcast indices."""
        rows, others = torch.broadcast_tensors(rows, others)
        found = torch.empty(rows.shape, dtype=torch.float64)
        late, later = rows >= self._start, others >= self._start
        for left in (0, 1):
            for right in (0, 1):
                pairs = (late == bool(left)) & (later == bool(right))
                here, there = rows[pairs] - left * self._start, others[pairs] - right * self._start
                if len(here):
                    found[pairs] = self._loops[left].distance(here, there, self._loops[right])
        return found


Embedded: TypeAlias = Tensor | Joined | Stacked


def loops_of(embeddings: Embedded, metric: Metric, index: Tensor | None) -> Rows | StackedRows | None:
    """What measures these rows as the metric does, without copies; None where nothing can."""
    if isinstance(embeddings, Stacked):
        return embeddings.looped(metric, index)
    return looped(metric, embeddings, index) if isinstance(embeddings, Tensor) else None
