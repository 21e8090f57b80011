"""duplicates: groups of near-duplicates by a threshold, and which sample of each group to keep."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_device, as_real, as_scores
from d2pyg._base.defaults import K
from d2pyg._base.labels import as_labels
from d2pyg._base.names import as_ids
from d2pyg._base.registry import name_of
from d2pyg.coreset.duplicates import Duplicates
from d2pyg.coreset.settings import versions
from d2pyg.graph.backends import as_backend, backend_name
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded, build_graph, points_of
from d2pyg.graph.metric import Metric
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import of_pairs
from d2pyg.graph.within import join_within, joined_by
from d2pyg.selection.sourced import sourced


@sourced
def duplicates(
    embeddings: Embeddings,
    threshold: float,
    *,
    metric: str | Metric | None = None,
    scores: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    ids: Any = None,
    backend: str = "auto",
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Duplicates:
    r"""Finds groups of near-duplicates, and keeps one sample of each.

    Two samples are near-duplicates if :math:`d(x_i, x_j) \le t`. Groups are the connected components
    of all such pairs, so the ends of a chain can be farther apart than t. ``distance`` says how far
    each sample is from the one kept.

    The result is exact, even if a sample has thousands of duplicates. The kNN graph finds most pairs.
    Samples whose k-th neighbor is within t may have more. They are compared with each other in tiles,
    so memory grows with N and not with N^2.

    To keep a given number of samples, use :func:`d2pyg.baselines.semdedup` or :func:`d2pyg.select`.

    Args:
        embeddings: [N, d], any float type; several as for :func:`d2pyg.knn_graph`.
        threshold: t, at least 0, in the metric's distances. 0 finds samples at distance 0.
        metric: ``"cosine"`` (default), ``"euclidean"`` or a :class:`~d2pyg.graph.Metric`.
        scores: [N], finite. The sample with the highest score of each group is kept; ties go to the
            lowest index. Default: the lowest index of each group.
        labels: [N], integers >= 0. Samples with different labels are never duplicates.
        ids: Your own names of the samples [N], integers or strings, all different. They are written to
            tables.
        backend: An exact backend of :func:`d2pyg.knn_graph`.
        device: Where to compute; default: where ``embeddings`` are.
        progress: Show a progress bar of rows.

    Returns:
        A :class:`~d2pyg.coreset.duplicates.Duplicates`, on the CPU.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.01], [0.0, 3.0]])
        >>> found = duplicates(x, threshold=0.001, scores=[1, 5, 2, 4])
        >>> found.index, found.removed, found.representative
        (tensor([1, 2]), tensor([0, 3]), tensor([2, 1, 2, 1]))
    """
    by = metric if metric is not None else "euclidean" if isinstance(embeddings, Joined) else "cosine"
    x = as_embedded(embeddings, by)
    total = len(x)
    remedy = "It is a distance, such as 0.05."
    within = as_real("threshold", threshold, remedy)
    if within < 0:
        raise ValueError(f"Expected 'threshold' to be at least 0 (got {within:g}). {remedy}")
    if not getattr(as_backend(backend), "exact", True):
        raise ValueError(
            f"Expected 'backend' to be exact (got {backend_name(backend)!r:.60}, which may miss pairs). "
            f"Leave it out."
        )
    score = torch.zeros(total) if scores is None else as_scores(scores, total, signed=True).cpu()
    names = None if ids is None else as_ids(ids, total)
    place = as_device(device, x.device)
    groups = None if labels is None else as_labels("labels", labels, total).to(place)
    points = points_of(x, by, place)
    label = torch.arange(total, device=place)
    if total > 1:
        graph = build_graph(x, min(K, total - 1), by, backend, groups, place, progress)
        near = graph.edge_attr <= within
        source, target = graph.edge_index[:, near]
        label = joined_by(label, source, target)
        full = (target.bincount(minlength=total) == K).nonzero().flatten()
        label = join_within(points, full, within, label, groups)
    representative = _best(label.cpu(), score)
    settings = {
        "threshold": within,
        "metric": name_of(x.metric if isinstance(x, Joined) else by),
        "scores": scores is not None,
        "labels": labels is not None,
        "versions": versions(),
    }
    return Duplicates(representative, _distances(points, representative), settings, names)


def _best(label: Tensor, score: Tensor) -> Tensor:
    """The node of the highest score of each node's component, ties to the lowest index."""
    order = score.argsort(descending=True, stable=True)
    order = order[label[order].argsort(stable=True)]
    component, size = label.unique(return_counts=True)
    best = torch.empty_like(label)
    best[component] = order[size.cumsum(0) - size]
    return best[label]


def _distances(points: Points, representative: Tensor) -> Tensor:
    distance = torch.zeros(len(representative), dtype=torch.float64)
    removed = (representative != torch.arange(len(representative))).nonzero().flatten()
    pairs = removed.to(points.device), representative[removed].to(points.device)
    distance[removed] = of_pairs(points, *pairs).cpu()
    return distance
