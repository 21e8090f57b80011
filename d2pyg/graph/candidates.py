"""The lowest bounds of some rows on all others, by products and ``topk`` in torch: on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.table import Table

_BLOCKS = 32


def candidates(table: Table, rows: Tensor, count: int, first: int = 0) -> tuple[Tensor, Tensor]:
    """The ``count`` lowest bounds of each row, ascending, and their columns, a tile at a time.

    Columns are the points from ``first`` on.
    """
    points, left = table.points, table.rows(rows)
    width = table.columns_beside(len(rows))
    found: list[tuple[Tensor, Tensor]] = []
    for start in range(first, len(points), width):
        bound = table.bounds(left, table.rows(slice(start, min(start + width, len(points)))))
        put_out(bound, (rows - start).unsqueeze(1))  # never its own neighbor
        value, column = smallest(bound, min(count, bound.shape[1]))
        found.append((value, column + start))
        if len(found) > 1:
            value, column = (torch.cat(both, dim=1) for both in zip(*found, strict=True))
            value, place = value.topk(min(count, value.shape[1]), largest=False)
            found = [(value, column.gather(1, place))]
    return found[0]


def put_out(bound: Tensor, columns: Tensor) -> None:
    """Sets a few columns [C, M] of each row to infinity; those outside are left out."""
    inside = columns.clamp(0, bound.shape[1] - 1)
    keep = bound.gather(1, inside)
    out = torch.where(inside == columns, torch.inf, keep)
    bound.scatter_reduce_(1, inside, out, "amax", include_self=True)


def smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest of each row, ascending, and their columns.

    The same as ``values.topk(count, largest=False)``, several times faster on long rows: the
    ``count`` smallest of a row lie in the ``count`` blocks of columns with the smallest minima.
    """
    rows, columns = values.shape
    width = columns // _BLOCKS
    if width < 4 * count:
        value, column = values.topk(count, largest=False)
        return value, column
    whole = width * _BLOCKS  # block b holds the columns b, b + width, b + 2 width, ...
    block = values[:, :whole].view(rows, _BLOCKS, width).amin(dim=1)
    chosen = block.topk(count, largest=False).indices
    inside = torch.arange(0, whole, width, device=values.device)
    column = (chosen.unsqueeze(2) + inside).flatten(1)
    rest = torch.arange(whole, columns, device=values.device).expand(rows, -1)
    column = torch.cat([column, rest], dim=1)
    value, place = values.gather(1, column).topk(count, largest=False)
    return value, column.gather(1, place)
