"""Spherical k-means: clusters of directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from d2pyg.baselines.common import draws
from d2pyg.checks import as_count
from d2pyg.graph.joined import Joined
from d2pyg.graph.metric import CosineMetric
from d2pyg.task import Task

_ITERATIONS = 25
_ELEMENTS = 1 << 22  # float64 elements of a chunk
_SPACE = CosineMetric()


class Directions:
    """The directions of the samples of a pool, in float64, made from the embeddings chunk by chunk."""

    def __init__(self, embeddings: Tensor | Joined, pool: Tensor) -> None:
        self.embeddings, self.pool = embeddings, pool

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        index = self.pool[rows]
        x = self.embeddings[index.to(self.embeddings.device)]
        return _SPACE.embed(x.to(self.pool.device).double())

    def chunks(self, width: int) -> list[slice]:
        """Ranges of rows for which matrices of this width fit into a chunk."""
        step = max(1, _ELEMENTS // max(width, self.embeddings.shape[1] + 1))
        return [slice(s, min(s + step, len(self))) for s in range(0, len(self), step)]


def num_clusters(clusters: int | None, task: Task) -> int:
    """The number asked for, or the square root of the size of the pool, rounded up."""
    total = len(task.pool)
    if clusters is None:
        return math.isqrt(total - 1) + 1
    meaning = ", the number of samples after the cutoff"
    return as_count("clusters", clusters, 1, total, meaning, "Leave it out for about sqrt(N).")


def spherical_kmeans(x: Directions, clusters: int, task: Task, seed: int) -> tuple[Tensor, Tensor]:
    r"""Each sample's cluster, int64 [M], and cosine distance to its centroid, float64 [M].

    Lloyd's iterations on directions :math:`u_i = x_i / \lVert x_i \rVert`: each sample goes to the
    centroid with the largest :math:`u_i \cdot c_k` (ties to the first), each centroid becomes the
    direction of the sum of its samples; one without samples stays. Up to 25 times, from randomly chosen
    samples, or until nothing changes.
    """
    first = draws(seed, task.num_samples).to(task.place)[task.pool].argsort(stable=True)[:clusters]
    centroid = x[first]
    cluster = torch.full((len(x),), -1, dtype=torch.int64, device=task.place)
    for _ in range(_ITERATIONS):
        before = cluster.clone()
        total = torch.zeros_like(centroid)
        for rows in x.chunks(clusters):
            here = x[rows]
            cluster[rows] = (here @ centroid.T).argmax(dim=1)
            total.index_add_(0, cluster[rows], here)
        if cluster.equal(before):
            break
        length = total.norm(dim=1, keepdim=True)
        centroid = torch.where(length > 0, total / length.clamp(min=1e-300), centroid)
    distance = torch.empty(len(x), dtype=torch.float64, device=task.place)
    for rows in x.chunks(1):
        distance[rows] = (x[rows] - centroid[cluster[rows]]).square().sum(dim=1) / 2
    return cluster, distance
