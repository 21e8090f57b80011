"""SemDeDup: keeps one of several samples that are nearly the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, check_choice
from d2pyg.baselines.common import method, num_clusters, of_all, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.kmeans import Directions, spherical_kmeans
from d2pyg.graph.knn import Embeddings, as_embedded

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common

_SIDE = 1024  # of a block of similarities
_STEP = 2.0**-30  # similarities are rounded to it: equal samples tie on every device


@method("semdedup")
def semdedup(
    embeddings: Embeddings,
    scores: ArrayLike | None = None,
    *,
    clusters: int | None = None,
    which_to_keep: str = "hard",
    cutoff: float = 0.0,
    seed: int = 0,
    **common: Unpack[Common],
) -> Coreset:
    r"""The samples least similar to one that comes before them in their cluster.

    SemDeDup (Abbas et al., "SemDeDup: Data-efficient learning at web-scale through semantic
    deduplication", 2023, arXiv:2303.09540) clusters embeddings and orders each cluster. It drops samples
    whose cosine similarity to an earlier sample of their cluster is above a threshold,

    .. math:: m_i = \max_{j \text{ before } i}
        \frac{x_i \cdot x_j}{\lVert x_i \rVert \lVert x_j \rVert} ,

    even if the earlier sample is itself dropped, as in the authors' code
    (https://github.com/facebookresearch/SemDeDup; there similarities below 0 are 0). Here a budget
    replaces the threshold: the samples with the least :math:`m_i` are kept, ties to the lowest index. So
    without labels, ``index[:b]`` is the coreset of size b: that of the threshold that leaves b samples.
    The first sample of a cluster has :math:`m_i = -1`. Similarities are rounded to multiples of
    2**-30.

    Args:
        embeddings: [N, d].
        scores: Difficulty [N], only used by ``cutoff``.
        clusters: Number of clusters, 1 to the number of samples; default: their square root, rounded
            up. Duplicates are only found inside clusters.
        which_to_keep: The order in a cluster: ``"hard"``, the farthest from the centroid first (the
            authors' default), or ``"easy"``, the nearest first; ties to the lowest index.
        cutoff: Fraction of the hardest samples dropped first, before clustering.
        seed: Seed for the samples that centroids start from.
        **common: See :func:`d2pyg.select`. Labels only give seats; clusters may span classes.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the similarities :math:`m_i`.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> coreset = semdedup(x, budget=3, clusters=1)
        >>> 0 in coreset.index and 1 in coreset.index
        False
    """
    check_choice("which_to_keep", which_to_keep, ("hard", "easy"))
    given = as_embedded(embeddings, "euclidean")
    task = task_of(given, scores, common, cutoff=cutoff)
    clusters = num_clusters(clusters, task)
    x = Directions(given, task.pool)
    cluster, distance = spherical_kmeans(x, clusters, seed)
    order = (-distance if which_to_keep == "hard" else distance).argsort(stable=True)
    order = order[cluster[order].argsort(stable=True)]
    most = torch.empty_like(distance)
    for members in order.split(cluster.bincount(minlength=clusters).tolist()):
        most[members] = _to_earlier(x, members)
    index = ranked(task, most)
    settings = {
        "method": "semdedup",
        "clusters": clusters,
        "which_to_keep": which_to_keep,
        "seed": seed,
    }
    return task.coreset(index, of_all(task, most)[index], task.score[task.pool], settings)


def _to_earlier(x: Directions, members: Tensor) -> Tensor:
    """The largest cosine similarity of each member to one before it, float64; -1 for the first."""
    most = torch.full((len(members),), -1.0, dtype=torch.float64, device=members.device)
    step = min(_SIDE, x.together(_SIDE))
    for start in range(0, len(members), step):
        stop = min(start + step, len(members))
        here = x[members[start:stop]]
        for before in range(0, stop, step):
            until = min(before + step, stop)
            similar = here @ x[members[before:until]].T
            row = torch.arange(start, stop, device=members.device).unsqueeze(1)
            later = row <= torch.arange(before, until, device=members.device)
            nearest = similar.masked_fill(later, -1).amax(dim=1)
            most[start:stop] = torch.maximum(most[start:stop], nearest)
    return (most / _STEP).round() * _STEP
