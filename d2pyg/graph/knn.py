"""knn_graph: embeddings in, directed kNN graph out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg.checks import ArrayLike, as_count, as_device, as_embeddings, as_labels
from d2pyg.graph import (  # noqa: F401  # they register themselves
    faiss_backend,
    pyg_lib_backend,
    pynndescent_backend,
    torch_backend,
    torch_cluster_backend,
)
from d2pyg.graph.metric import Metric, as_metric
from d2pyg.graph.points import Points
from d2pyg.progress import progress_bar
from d2pyg.registry import look_up, name_of

AUTO_BACKEND = "torch"  # as fast as faiss on the CPU or faster, and runs on any device


def knn_graph(
    embeddings: Tensor | np.ndarray[Any, Any],
    k: int,
    *,
    metric: str | Metric = "euclidean",
    backend: str = "auto",
    batch: ArrayLike | None = None,
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Data:
    r"""Joins every sample with its k nearest others: exact, in memory that grows with N, not N^2.

    Candidates come from float32 matrix products; their distances are then recomputed from float64
    differences, and a bound on the float32 rounding error certifies row by row that no nearer
    sample was missed. Rows without that certificate are redone. So every backend finds the same
    neighbours, duplicates and badly scaled data included, and ties go to the lowest index.

    Args:
        embeddings: [N, d], any float type; memory-mapped arrays are read in chunks.
        k: Neighbours a sample, 1 to N - 1. With ``batch``, a group of n samples gives each of them
            min(k, n - 1).
        metric: ``"euclidean"``, ``"cosine"`` or a :class:`~d2pyg.graph.Metric`.
        backend: ``"torch"``, ``"faiss"`` (on the CPU, needs faiss-cpu) or ``"auto"``, which is
            ``"torch"``.
        batch: [N] integers: samples are joined only with samples of the same number.
        device: Where to compute; default: where ``embeddings`` are. The graph is left there.
        progress: Show a bar of rows done.

    Returns:
        A directed graph: ``edge_index`` int64 [2, E] from source j to target i, j a neighbour of i,
        sorted by target and then distance; ``edge_attr`` float64 [E], the distances; ``num_nodes``;
        and ``k``, ``metric``, ``backend`` as used.

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
    embeddings = as_embeddings(embeddings)
    groups = None if batch is None else as_labels("batch", batch, len(embeddings))
    place = as_device(device, embeddings.device)
    return build_graph(embeddings, check_k(k, len(embeddings)), metric, backend, groups, place, progress)


def build_graph(
    embeddings: Tensor,
    k: int,
    metric: str | Metric,
    backend: str,
    groups: Tensor | None,
    place: torch.device,
    progress: bool,
) -> Data:
    """:func:`knn_graph` for arguments that have been checked; k may exceed N - 1."""
    measure = as_metric(metric)
    backend = AUTO_BACKEND if backend == "auto" else backend
    find = look_up("backend", backend)
    num_samples = len(embeddings)
    neighbour = torch.full((num_samples, k), -1, dtype=torch.int64, device=place)
    distance = torch.zeros(num_samples, k, dtype=torch.float64, device=place)
    with torch.no_grad(), progress_bar(num_samples, "kNN graph", "rows", progress) as bar:
        for rows in _split(groups, num_samples, place):
            here = min(k, len(rows) - 1)
            if here:
                whole = len(rows) == num_samples
                points = Points(embeddings, measure, place, None if whole else rows)
                inside, distance[rows, :here] = find(points, here, bar)
                neighbour[rows, :here] = rows[inside]

    target, column = (neighbour >= 0).nonzero(as_tuple=True)
    graph = Data(
        edge_index=torch.stack([neighbour[target, column], target]),
        edge_attr=distance[target, column],
        num_nodes=num_samples,
    )
    graph.k, graph.metric, graph.backend = k, name_of(metric), name_of(backend)
    return graph


def check_k(k: int, num_samples: int) -> int:
    """k in 1..N-1."""
    return as_count(
        "k",
        k,
        1,
        num_samples - 1,
        f", one less than the {num_samples} samples",
        "The paper uses 1 to 15.",
    )


def _split(groups: Tensor | None, num_samples: int, place: torch.device) -> tuple[Tensor, ...]:
    """The sample indices of each group, ascending inside, groups by ascending number."""
    if groups is None:
        return (torch.arange(num_samples, device=place),)
    groups = groups.to(place)
    sizes = groups.unique(return_counts=True)[1]
    rows: tuple[Tensor, ...] = groups.argsort(stable=True).split(sizes.tolist())
    return rows
