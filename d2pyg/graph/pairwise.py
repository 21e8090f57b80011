"""Neighbors by a user's pairwise function: every pair in float64, a tile at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.graph.metric import PairwiseMetric
from d2pyg.graph.ranking import empty
from d2pyg.graph.stacked import Embedded

_TILE_ELEMENTS = 1 << 21  # float64 values of pairs held together, 16 MiB
_TILE_BYTES = 64  # a value, with what finds the lowest of its row
_ROWS_TOGETHER = 256
_ENTRY_BYTES = 16  # a coordinate of a row or a column, with what it is made from
_DIFFERENCE_BYTES = 16  # a coordinate of a pair: a difference, and its absolute value


def pairwise_neighbors(
    embeddings: Embedded,
    metric: PairwiseMetric,
    device: torch.device,
    index: Tensor,
    k: int,
    bar: Progress,
    memory: float,
    rows: Tensor | None = None,
    first: int = 0,
    known: tuple[Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The k lowest of each row, by (value, index), among the samples ``index`` (ascending).

    A quarter of ``memory`` is for rows and columns, a quarter for values, half for the function: enough
    for float64 [C, M, d] twice, as it takes differences of all pairs and then their absolute values.

    Args:
        rows: int64 [C], places in ``index`` of the samples that ask; default: all.
        first: The place of the first sample that they ask about.
        known: [C, k], the k lowest of those before, in order, and their values.

    Returns:
        Neighbors int64 [C, k], as places in ``index``, and values float64 [C, k].
    """

    def given(places: Tensor) -> Tensor:
        return embeddings[index[places].to(embeddings.device)].to(device).double()

    place = torch.arange(len(index), device=device)
    dim = embeddings.shape[1]
    room = memory / 8 // (_ENTRY_BYTES * dim)  # for so many rows, and as many columns
    pairs = min(_TILE_ELEMENTS, memory / 4 // _TILE_BYTES, memory / 2 // (_DIFFERENCE_BYTES * dim))
    together = int(max(1, min(_ROWS_TOGETHER, room, len(index), pairs)))
    width = int(max(1, min(pairs // together, room)))
    neighbors, values = [], []
    rows = place if rows is None else rows
    start = empty(len(rows), 0, device) if known is None else known
    for here, column, value in zip(*(t.split(together) for t in (rows, *start)), strict=True):
        left = given(here)
        for columns in place[first:].split(width):
            found = _checked(metric, metric.pairwise(left, given(columns)), (len(here), len(columns)))
            found = found.masked_fill(here.unsqueeze(1) == columns, torch.inf)
            column = torch.cat([column, columns.expand(len(here), -1)], dim=1)
            value = torch.cat([value, found], dim=1)
            kept = lowest(value, min(k, value.shape[1]))
            column, value = column.gather(1, kept), value.gather(1, kept)
        value, order = value.sort(dim=1, stable=True)
        neighbors.append(column.gather(1, order))
        values.append(value)
        bar.update(len(here))
    return torch.cat(neighbors), torch.cat(values)


def lowest(values: Tensor, count: int) -> Tensor:
    """The columns of the ``count`` lowest of each row, ascending; ties to the lowest column.

    Example:
        >>> lowest(torch.tensor([[2.0, 1.0, 2.0, 2.0]]), 3)
        tensor([[0, 1, 2]])
    """
    last = values.kthvalue(count, dim=1, keepdim=True).values
    below = values < last
    level = values == last
    seats = count - below.sum(dim=1, keepdim=True)
    chosen = below | (level & (level.cumsum(dim=1) <= seats))
    return chosen.nonzero()[:, 1].view(len(values), count)


def _checked(metric: PairwiseMetric, values: Tensor, shape: tuple[int, int]) -> Tensor:
    if values.shape != shape or values.dtype != torch.float64 or not bool(values.isfinite().all()):
        raise ValueError(
            f"Expected {metric}.pairwise to return finite float64 of shape {shape} (got "
            f"{values.dtype} of shape {tuple(values.shape)}, or NaN or infinity in it). Return one "
            f"value for each pair."
        )
    return values
