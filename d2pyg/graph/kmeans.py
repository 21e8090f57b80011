"""Spherical k-means: clusters of directions."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.chance import draws
from d2pyg._base.grid import snap
from d2pyg.graph.joined import Joined
from d2pyg.graph.lengths import length, row_sum
from d2pyg.graph.metric import CosineMetric

_ITERATIONS = 25
_ELEMENTS = 1 << 20  # float64 elements of a chunk, which takes a few copies of it
_SPACE = CosineMetric()


class Directions:
    """The directions of the samples of a pool, in float64, made from the embeddings chunk by chunk."""

    def __init__(self, embeddings: Tensor | Joined, pool: Tensor) -> None:
        self.embeddings, self.pool = embeddings, pool

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        index = self.pool[rows]
        x = self.embeddings[index.to(self.embeddings.device)].to(self.pool.device).double()
        if isinstance(self.embeddings, Joined):
            x = self.embeddings.metric.embed(x)
        return _SPACE.embed(x)

    def together(self, width: int) -> int:
        """For how many rows a matrix of this width, and their directions, fit into a chunk."""
        return max(1, _ELEMENTS // max(width, self.embeddings.shape[1] + 1))

    def chunks(self, width: int) -> list[slice]:
        """Ranges of so many rows."""
        step = self.together(width)
        return [slice(s, min(s + step, len(self))) for s in range(0, len(self), step)]


def spherical_kmeans(x: Directions, clusters: int, seed: int) -> tuple[Tensor, Tensor]:
    r"""Each sample's nearest centroid, int64 [M], and its cosine distance to it, float64 [M].

    Lloyd's iterations on directions :math:`u_i = x_i / \lVert x_i \rVert`: each sample goes to the
    centroid with the largest :math:`u_i \cdot c_k` (ties to the first), each centroid becomes the
    direction of the sum of its samples; one without samples stays. Up to 25 times, from randomly chosen
    samples, or until nothing changes. Directions are summed on a grid, so that no order of them matters.
    """
    place = x.pool.device
    drawn = draws(seed, len(x.embeddings)).to(place)[x.pool]
    centroid = x[drawn.argsort(stable=True)[:clusters]]
    cluster = torch.full((len(x),), -1, dtype=torch.int64, device=place)
    step = 2.0 ** -min(30, 52 - len(x).bit_length())
    for _ in range(_ITERATIONS):
        before = cluster.clone()
        total = torch.zeros_like(centroid)
        for rows in x.chunks(clusters):
            here = x[rows]
            cluster[rows] = _nearest(here, centroid)
            total.index_add_(0, cluster[rows], snap(here, step))
        if cluster.equal(before):
            break
        size = length(total).unsqueeze(1)
        centroid = torch.where(size > 0, total / size.clamp(min=1e-300), centroid)
    distance = torch.empty(len(x), dtype=torch.float64, device=place)
    for rows in x.chunks(clusters):
        here = x[rows]
        cluster[rows] = _nearest(here, centroid)
        distance[rows] = row_sum((here - centroid[cluster[rows]]).square()) / 2
    return cluster, distance


def _nearest(directions: Tensor, centroid: Tensor) -> Tensor:
    """The centroid with the largest similarity to each direction, ties to the first.

    A matrix product finds it, unless others are as near up to rounding. Those are compared again, each
    pair by itself, so that no bit of the product decides.
    """
    similar = directions @ centroid.T
    nearest = similar.argmax(dim=1)
    doubt = 2.0**-50 * (centroid.shape[1] + 16)  # several times what rounding does to two products
    close = similar >= similar.amax(dim=1, keepdim=True) - doubt
    unsure = (close.sum(dim=1) > 1).nonzero().flatten()
    row, column = close[unsure].nonzero(as_tuple=True)
    exact = torch.full((len(unsure), len(centroid)), -torch.inf, dtype=similar.dtype, device=row.device)
    together = _ELEMENTS // centroid.shape[1] + 1
    for r, c in zip(row.split(together), column.split(together), strict=True):
        exact[r, c] = row_sum(directions[unsure[r]] * centroid[c])
    nearest[unsure] = exact.argmax(dim=1)
    return nearest
