"""knn_graph: embeddings in, directed kNN graph out."""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_count, as_device, as_embeddings, shown
from d2pyg._base.labels import as_groups
from d2pyg._base.progress import progress_bar
from d2pyg._base.registry import name_of
from d2pyg._base.rows import as_rows
from d2pyg.graph.backends import as_backend, backend_name
from d2pyg.graph.built import empty_table, graph_of
from d2pyg.graph.groups import Search, by_group, dim_of
from d2pyg.graph.joined import Joined, are_several
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.graph.plan import bytes_held, out_of_memory, plan
from d2pyg.graph.points import Points
from d2pyg.graph.preflight import warn_if_long
from d2pyg.graph.recall import Survey
from d2pyg.graph.record import record, set_groups
from d2pyg.sources.source import Source

Embeddings: TypeAlias = ArrayLike | Joined

_PACKED = ("torch", "cells")  # small groups are searched many at a time
_log = logging.getLogger("d2pyg")


def knn_graph(
    embeddings: Embeddings,
    k: int,
    *,
    metric: str | Metric | PairwiseMetric = "euclidean",
    backend: str = "auto",
    recall: float | None = None,
    batch: ArrayLike | None = None,
    device: str | torch.device | None = None,
    memory: float | None = None,
    progress: bool = False,
) -> Data:
    r"""Joins every sample to its k nearest neighbors. It is exact, and its memory grows with N, not N^2.

    Float32 matrix products propose candidates. Their distances are recomputed from float64 differences.
    A bound on the float32 rounding error then verifies for each row that no nearer sample was missed,
    and float64 products settle the rows that it cannot verify. So every exact backend finds the same
    neighbors, also for duplicates and badly scaled data. Ties go to the lowest index.

    Args:
        embeddings: [N, d], any float type; memory-mapped arrays are read in chunks. A list or a column
            of vectors becomes the rows. Several embeddings of the same samples, as a list of [N, d_m]
            or a :class:`~d2pyg.graph.Joined`, are used together. Or what :func:`d2pyg.open` returns.
        k: Neighbors per sample, 1 to N - 1. With ``batch``, a group of n samples gives each of them
            min(k, n - 1).
        metric: ``"euclidean"``, ``"cosine"``, ``"mahalanobis"`` (covariance estimated),
            ``"inner_product"`` (nearest is the largest product), a :class:`~d2pyg.graph.Metric` or, for
            dissimilarities without a Euclidean space, a :class:`~d2pyg.graph.PairwiseMetric`.
        backend: ``"torch"``; ``"faiss"``, ``"torch_cluster"`` or ``"pyg_lib"``, which give the same
            graph from that package's candidates; ``"cells"``, which finds most neighbors, for a million
            samples and more; ``"pynndescent"``, which is approximate too; or ``"auto"``, which is
            ``"torch"``.
        recall: With ``backend="cells"``, the share of the true neighbors to find, above 0 to 1; default
            0.95. With 1 the graph is exact.
        batch: [N] integers >= 0, the group of each sample. Only samples of one group are joined.
        device: Where to compute; default: the device of ``embeddings``. The graph stays there.
        memory: Bytes that the search may use beyond its input and the graph; default: a quarter of the
            free memory. The logger ``d2pyg`` reports the plan at level INFO.
        progress: Show a progress bar over rows.

    Returns:
        A directed graph. ``edge_index`` int64 [2, E] goes from source j to target i, where j is a
        neighbor of i, sorted by target and then distance. ``edge_attr`` float64 [E] holds the
        distances. ``num_nodes``, ``k``, ``metric`` and ``backend`` are attributes. So is what
        :func:`d2pyg.extend_graph` needs: ``metric_state``, the metric as fitted, and with ``batch``
        ``group``, with ``group_names`` where groups have names. After an approximate
        search there is ``recall``, a dict of what it found: ``value``, the share of the true neighbors
        of ``drawn`` samples; ``low`` and ``high``, the ends of its 95% interval; ``products``, the share
        of all pairs that were compared; and ``asked``, the argument ``recall``.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.
        ImportError: If the backend's package is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]])
        >>> graph = knn_graph(x, k=1)
        >>> graph.edge_index
        tensor([[1, 0, 1],
                [0, 1, 2]])
        >>> graph.edge_attr
        tensor([1., 1., 2.], dtype=torch.float64)
    """
    given = as_embedded(embeddings, metric)
    groups, names = (None, None) if batch is None else as_groups("batch", batch, len(given))
    place = as_device(device, given.device)
    k = check_k(k, len(given))
    graph = build_graph(given, k, metric, backend, groups, place, progress, memory=memory, recall=recall)
    if groups is not None:
        set_groups(graph, groups.to(place), names)
    return graph


def as_embedded(embeddings: Any, metric: str | Metric | PairwiseMetric) -> Tensor | Joined:
    """Checked embeddings: one tensor, or several joined."""
    if isinstance(embeddings, list | tuple):
        rows = [np.asarray(part) if isinstance(part, Source) else part for part in embeddings]
        parts = [as_rows(f"embeddings[{m}]", part) for m, part in enumerate(rows)]
        if are_several(parts):
            return Joined(parts, metric=metric)
    if isinstance(embeddings, Source) and len(embeddings.parts) > 1:
        return Joined(embeddings.parts, metric=metric)
    if isinstance(embeddings, Joined):
        if not isinstance(metric, str) or metric != "euclidean":
            raise ValueError(
                f"Expected 'metric' to be left out with joined embeddings, which have their own (got "
                f"{shown(metric)}). Pass it to Joined."
            )
        return embeddings
    if isinstance(embeddings, Data):
        raise TypeError(
            "Expected 'embeddings' to be a tensor or an array (got a graph, which has distances alone"
            "). Pass the embeddings that it was built from."
        )
    return as_embeddings(embeddings)


def points_of(
    embeddings: Tensor | Joined, metric: str | Metric | PairwiseMetric, place: torch.device
) -> Points:
    """Embeddings to be measured; what compares pairs alone cannot."""
    measure = embeddings.metric if isinstance(embeddings, Joined) else as_metric(metric)
    if isinstance(measure, PairwiseMetric):
        raise ValueError(
            f"Expected 'metric' to map into a space with distances (got {measure}). Measure with "
            f"'euclidean' or 'cosine'."
        )
    if isinstance(embeddings, Tensor):
        measure = measure.fit(embeddings, place)
    return Points(embeddings, measure, place)


def build_graph(
    embeddings: Tensor | Joined,
    k: int,
    metric: str | Metric | PairwiseMetric,
    backend: str,
    groups: Tensor | None,
    place: torch.device,
    progress: bool,
    pool: Tensor | None = None,
    memory: float | None = None,
    recall: float | None = None,
) -> Data:
    """:func:`knn_graph` for arguments that have been checked; k may exceed N - 1.

    Nodes are the rows ``pool`` (ascending) of the embeddings, and ``groups`` theirs.
    """
    measure = embeddings.metric if isinstance(embeddings, Joined) else as_metric(metric)
    find, name = as_backend(backend, recall), backend_name(backend)
    if isinstance(measure, PairwiseMetric):
        check_backend(name, measure)
    elif isinstance(embeddings, Tensor):
        measure = measure.fit(embeddings, place)
    pool = torch.arange(len(embeddings), device=place) if pool is None else pool.to(place)
    total = len(pool)
    order, sizes = by_group(groups, total, place)
    if isinstance(backend, str) and backend == "auto":
        warn_if_long(sizes, embeddings.shape[1], place)
    held = bytes_held(find, int(sizes.max()), dim_of(embeddings, measure, place), k, place)
    takes = plan(total, k, place, memory, name, held)
    _log.info(
        "kNN graph of %d samples, %d coordinates, k %d, %s, %s on %s: %.3g operations; %s",
        total, embeddings.shape[1], k, name_of(measure), name, place,
        2.0 * total * total * embeddings.shape[1], takes,
    )  # fmt: skip
    survey = None if getattr(find, "exact", True) else Survey(total, place)
    search = Search(embeddings, measure, find, pool, takes.memory - held, name in _PACKED, survey)
    bars = progress_bar(total, "kNN graph", "rows", progress)
    with torch.no_grad(), out_of_memory(takes), bars as bar:
        neighbor, distance = empty_table(total, k, place)
        for nodes, inside, values in search.groups(order, sizes, k, bar):
            neighbor[nodes, : inside.shape[1]] = inside
            distance[nodes, : inside.shape[1]] = values
        graph = graph_of(neighbor, distance)
        found = None if survey is None else survey.result()
    graph.k, graph.backend = k, name
    if found is not None:
        graph.recall = {"asked": getattr(find, "recall", None), **found}
    dims = embeddings.metric.dims if isinstance(embeddings, Joined) else [embeddings.shape[1]]
    record(graph, metric, measure, dims)
    return graph


def check_k(k: int, num_samples: int) -> int:
    """k in 1..N-1."""
    if num_samples == 1:
        raise ValueError(
            f"Expected at least 2 samples, for a sample to have a neighbor (got 1, and k {k}). Add "
            f"samples."
        )
    return as_count(
        "k",
        k,
        1,
        num_samples - 1,
        f", one less than the {num_samples} samples",
        "It is the number of neighbors of a sample.",
    )


def check_backend(backend: str, metric: PairwiseMetric) -> None:
    """Other libraries cannot call a user's function for pairs."""
    if backend != "torch":
        raise ValueError(
            f"Expected 'backend' to be 'torch' with a metric that compares pairs (got {backend!r} and "
            f"{name_of(metric)}). Leave 'backend' out."
        )
