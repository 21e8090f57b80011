"""Neighbors group by group: large groups one at a time, small ones many together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg._base.registry import made, name_of
from d2pyg.graph.inner_product import InnerProductMetric, Products
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.packed import Pack, packable, packs
from d2pyg.graph.pairwise import pairwise_neighbors
from d2pyg.graph.points import Points
from d2pyg.graph.recall import Survey
from d2pyg.graph.stacked import Embedded

# Neighbors int64 [N, k] and distances float64 [N, k]. An approximate backend says so by `exact = False`,
# and may give the number of pairs that it compared too.
Backend: TypeAlias = Callable[
    [Points, int, Progress], tuple[Tensor, Tensor] | tuple[Tensor, Tensor, int]
]
Found: TypeAlias = tuple[Tensor, Tensor, Tensor]  # nodes [M], their neighbors [M, k], the distances


@dataclass(frozen=True)
class Search:
    """What neighbors are looked for in, and how. Node i is row ``pool[i]`` of the embeddings."""

    embeddings: Embedded
    metric: Metric | PairwiseMetric  # fitted
    find: Backend
    pool: Tensor
    memory: float
    packs: bool  # whether small groups are searched together
    survey: Survey | None = None  # of a search that may miss neighbors

    def groups(self, order: Tensor, sizes: Tensor, k: int, bar: Progress) -> Iterator[Found]:
        """The nearest of each node in its group: k, or all others.

        Args:
            order: int64 [N], nodes, group after group.
            sizes: int64 [G].
            k: Neighbors wanted.
            bar: Is told of nodes done.
        """
        dim, half = dim_of(self.embeddings, self.metric, self.pool.device), self.memory / 2
        small = torch.zeros_like(sizes, dtype=torch.bool)
        if self.packs and isinstance(self.metric, Metric) and len(sizes) > 1:
            small = packable(sizes, dim, half)
        in_small = small.repeat_interleave(sizes)
        for nodes in order[~in_small].split(sizes[~small].tolist()):
            if len(nodes) > 1:
                inside, distance = self._one(nodes, min(k, len(nodes) - 1), bar)
                yield nodes, nodes[inside], distance
        if isinstance(self.metric, Metric):
            # Half for the groups, half for those of their rows that have to be redone.
            for member, most in packs(order[in_small], sizes[small], k, dim, half):
                pack = Pack(self.embeddings, self.metric, self.pool, member, half)
                yield pack.neighbors(most)
                if self.survey is not None:
                    self.survey.was_exact(member)
                bar.update(int(pack.here.sum()))

    def _one(self, nodes: Tensor, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
        """One group by itself, the places in it of its neighbors."""
        place, rows = self.pool.device, self.pool[nodes]
        if is_compared(self.metric):
            return pairwise_neighbors(self.embeddings, self.metric, place, rows, k, bar, self.memory)
        return self._found(self.points(rows), nodes, k, bar)

    def points(self, rows: Tensor) -> Points:
        """The samples of these rows, with products for metrics that have such."""
        if isinstance(self.metric, Metric):
            return Points(self.embeddings, self.metric, self.pool.device, rows, self.memory)
        return Products(self.embeddings, self.pool.device, rows, self.memory)

    def _found(self, points: Points, nodes: Tensor, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
        """What the backend finds, in the form that all backends give."""
        found: Any = made("backend", self.find, points, k, bar)
        name, size = f"{name_of(self.find):.40}", len(points)
        form = _form(found if isinstance(found, tuple) else (found,)).removesuffix(", int")
        if form != f"int64 {(size, k)}, float64 {(size, k)}":
            raise TypeError(
                f"Expected 'backend' to give neighbors int64 and distances float64, both of shape "
                f"{(size, k)} (got {form:.80} from {name}). Use 'auto', or return two such tensors."
            )
        neighbor, distance, *compared = found
        low, high = map(int, neighbor.aminmax())
        if low < 0 or high >= size:
            raise ValueError(
                f"Expected 'backend' to give neighbors in 0 to {size - 1} (got {low} to {high} from "
                f"{name}). Number them as the points are."
            )
        if self.survey is not None:
            self.survey.ask(points, nodes, neighbor, *(compared or [None]))
        return neighbor, distance


def _form(values: tuple[Any, ...]) -> str:
    """What these are: tensors by dtype and shape."""
    return ", ".join(
        f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
        if isinstance(value, Tensor)
        else type(value).__name__
        for value in values
    )


def by_group(groups: Tensor | None, total: int, place: torch.device) -> tuple[Tensor, Tensor]:
    """The samples, group after group, ascending inside, and the sizes of the groups."""
    if groups is None:
        return torch.arange(total, device=place), torch.tensor([total], device=place)
    groups = groups.to(place)
    return groups.argsort(stable=True), groups.unique(return_counts=True)[1]


def is_compared(metric: Metric | PairwiseMetric) -> TypeGuard[PairwiseMetric]:
    """Whether all that is known of a metric are the values of pairs."""
    return isinstance(metric, PairwiseMetric) and type(metric) is not InnerProductMetric


def dim_of(embeddings: Embedded, metric: Metric | PairwiseMetric, place: torch.device) -> int:
    """Coordinates of a sample in the metric's space."""
    if isinstance(metric, PairwiseMetric):
        return embeddings.shape[1]
    return metric.embed(embeddings[:1].to(place).double()).shape[1]
