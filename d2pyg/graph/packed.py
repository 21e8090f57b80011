"""Neighbors inside many small groups at once: as `exact`, a batch of groups at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from d2pyg.graph.candidates import smallest
from d2pyg.graph.exact import EXTRA, nearest_of
from d2pyg.graph.lengths import check_range
from d2pyg.graph.metric import Metric, looped
from d2pyg.graph.points import Points, chunk_elements, tile_elements
from d2pyg.graph.ranking import rank
from d2pyg.graph.stacked import Embedded
from d2pyg.graph.table import BOUND_BYTES, Rounded, precisions

_SAMPLE_BYTES = 48  # a coordinate of a sample


class Pack:
    """Some groups, padded to the size of the largest. Samples have a number: group * size + place."""

    def __init__(
        self,
        embeddings: Embedded,
        metric: Metric,
        pool: Tensor,
        member: Tensor,
        memory: float,
    ) -> None:
        """``member`` int64 [G, n]: each group's nodes, and -1 where it has ended.

        Node i is row ``pool[i]`` of the embeddings.
        """
        self.embeddings, self.metric, self.device = embeddings, metric, pool.device
        self.pool, self.member, self.memory = pool, member, memory
        self.here = member >= 0
        rows = pool[member.clamp(min=0).flatten()]
        self.given = embeddings[rows.to(embeddings.device)].to(pool.device).double()
        self._loop = looped(metric, self.given)
        mapped = metric.embed(self.given).view(*member.shape, -1)
        self.dim = mapped.shape[-1]
        self.pairs_together = max(1, chunk_elements(pool.device, memory) // self.dim)
        # Each group has a center and a scale of its own: compact groups far apart stay comparable.
        out = ~self.here.unsqueeze(2)
        mean = mapped.masked_fill(out, 0).sum(dim=1) / self.here.sum(dim=1, keepdim=True)
        mapped = (mapped - mean.unsqueeze(1)).masked_fill(out, 0)
        largest = mapped.abs().flatten(1).amax(dim=1)
        check_range(largest)
        self.scale = torch.ldexp(torch.ones_like(largest), largest.frexp().exponent)
        self.centered = mapped / self.scale.view(-1, 1, 1)
        self.norm = self.centered.square().sum(dim=2)

    def distance(self, rows: Tensor, others: Tensor) -> Tensor:
        """Exact distances between samples of two broadcast tensors of numbers.

        Infinite to a sample itself and to what pads its group: they come among the candidates of groups
        that have no more.
        """
        if self._loop is None:
            exact = self.metric.distance(self.given[rows], self.given[others])
        else:
            exact = self._loop.distance(rows, others)
        return exact.masked_fill(~self.here.flatten()[others] | (rows == others), torch.inf)

    def neighbors(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        """The groups' nodes [M], their k nearest in their groups [M, k], and the distances."""
        groups, size = self.member.shape
        count = min(k + EXTRA, size - 1)
        rounded = Rounded(precisions(self.device, self.dim)[0], self.dim)
        table = rounded.of(self.centered, self.norm)
        bound = rounded.bounds(table, table)
        bound.masked_fill_(~self.here.unsqueeze(1), torch.inf)
        bound.diagonal(dim1=1, dim2=2).fill_(torch.inf)
        value, column = smallest(bound.flatten(0, 1), count)
        del bound
        number = torch.arange(groups * size, device=self.device)
        candidate = column + (number - number % size).unsqueeze(1)
        present = self.here.flatten()
        number, candidate, value = number[present], candidate[present], value[present]
        neighbor, distance = rank(self, number, candidate, k)
        row, neighbor = self.member.flatten()[number], self.member.flatten()[neighbor]
        # All others are at least as far as the bound of the last candidate says.
        beyond = value[:, -1] + rounded.row_bound(self.norm.flatten()[number])
        scale = self.scale[number // size]
        unsure = self.metric.from_euclidean(beyond.clamp(min=0).sqrt() * scale) <= distance[:, -1]
        self._redo(unsure.nonzero().flatten(), number, neighbor, distance)
        return row, neighbor, distance

    def _redo(self, unsure: Tensor, number: Tensor, neighbor: Tensor, distance: Tensor) -> None:
        """Finds the neighbors of rows that could not be certified, group by group."""
        size = self.member.shape[1]
        for group in (number[unsure] // size).unique().tolist():
            again = unsure[number[unsure] // size == group]
            rows = self.member[group][self.here[group]]
            index = self.pool[rows]
            points = Points(self.embeddings, self.metric, self.device, index, self.memory)
            inside, distance[again] = nearest_of(points, number[again] % size, neighbor.shape[1])
            neighbor[again] = rows[inside]


def packs(order: Tensor, sizes: Tensor, k: int, dim: int, memory: float) -> Iterator[tuple[Tensor, int]]:
    """Small groups, put together so that padding and memory stay small.

    Args:
        order: int64 [N], samples, group after group.
        sizes: int64 [G].
        k: Neighbors wanted.
        dim: Coordinates of a sample.
        memory: Bytes a pack may take.

    Yields:
        ``member`` as :class:`Pack` wants it, and the neighbors each sample of it gets.
    """
    starts = sizes.cumsum(0) - sizes
    by_size = sizes.argsort(stable=True)
    size_of, cost = sizes[by_size].tolist(), _bytes(sizes[by_size], dim).tolist()
    most = min(memory, BOUND_BYTES * tile_elements(order.device))
    first = 0
    while first < len(size_of):
        # Groups too small for k neighbors of their own size go with their like.
        last = first
        while (
            last < len(size_of)
            and min(k, size_of[last] - 1) == min(k, size_of[first] - 1)
            and size_of[last] <= 2 * size_of[first]
            and (last == first or (last - first + 1) * cost[last] <= most)
        ):
            last += 1
        group = by_size[first:last]
        place = torch.arange(size_of[last - 1], device=order.device)
        inside = place < sizes[group].unsqueeze(1)
        member = order[torch.where(inside, starts[group].unsqueeze(1) + place, 0)]
        yield torch.where(inside, member, -1), min(k, size_of[first] - 1)
        first = last


def packable(sizes: Tensor, dim: int, memory: float) -> Tensor:
    """Which groups are searched many at a time: those whose pairs fit into a tile."""
    return (sizes > 1) & (sizes * sizes <= tile_elements(sizes.device)) & (_bytes(sizes, dim) <= memory)


def _bytes(sizes: Tensor, dim: int) -> Tensor:
    """What groups take: their bounds, and their samples in float64 a few times over."""
    return BOUND_BYTES * sizes * sizes + _SAMPLE_BYTES * sizes * dim
