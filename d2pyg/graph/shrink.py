"""shrink_graph: a kNN graph and what to keep in, the graph of that out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_array, as_device, as_index, as_tensor, check_length
from d2pyg._base.no_values import NoValues
from d2pyg.graph.built import Built
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.rebuild import rebuilt
from d2pyg.graph.renew import Draft


def shrink_graph(
    graph: Data,
    embeddings: Embeddings,
    keep: ArrayLike | NoValues,
    *,
    metric: Metric | PairwiseMetric | None = None,
    device: str | torch.device | None = None,
    memory: float | None = None,
    progress: bool = False,
) -> Data:
    r"""Keeps some samples of a kNN graph. It searches again only for samples that lost a neighbor.

    The result equals, bit by bit, what :func:`d2pyg.knn_graph` builds from the samples kept. It keeps
    the graph's ``k`` and its metric as first fitted. If at most k samples are left, in all or in a
    group, each is joined to all others.

    Args:
        graph: As in :func:`d2pyg.extend_graph`.
        embeddings: [N, d], the samples of the graph, as they were. Some are compared with the graph.
        keep: The samples that stay: a mask, bool [N]; distinct indices, in any order; or a
            :class:`~d2pyg.Coreset`, for its picks. They are numbered anew, in the order of the data set,
            as :func:`d2pyg.take` has them.
        metric, device, memory, progress: As in :func:`d2pyg.extend_graph`.

    Returns:
        A new graph with the attributes that :func:`d2pyg.knn_graph` gives. Other attributes of ``graph``
        are left out.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; if the graph is approximate, of another
            origin, or not of these embeddings. The message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0], [2.9]])
        >>> shrink_graph(d2pyg.knn_graph(x, k=1), x, keep=[0, 1, 2]).edge_index
        tensor([[1, 0, 1],
                [0, 1, 2]])
    """
    built = Built.of(graph, metric)
    given = built.as_given("embeddings", embeddings)
    place = as_device(device, given.device)
    built.check_of(given, place)
    pool = _kept(keep, len(built)).to(place)
    number = torch.full((len(built),), -1, device=place)
    number[pool] = torch.arange(len(pool), device=place)
    neighbor, distance = (part[pool] for part in built.table(len(built), place))
    there = neighbor >= 0
    neighbor = torch.where(there, number[neighbor.clamp(min=0)], -1)
    opened = (there & (neighbor < 0)).any(dim=1)
    group = None if built.group is None else built.group.to(place)[pool]
    draft = Draft(given, pool, group, neighbor, distance, opened, grows=False)
    return rebuilt(graph, built.metric, draft, built.names, memory, progress)


def _kept(keep: Any, num_samples: int) -> Tensor:
    """The samples that stay, int64 ascending."""
    mask = getattr(keep, "mask", None) if isinstance(keep, NoValues) else None
    if isinstance(mask, Tensor):
        keep = mask  # of a coreset, which so says of how many samples it is
    if not isinstance(keep, Tensor | NoValues):
        array = as_array("keep", keep)
        keep = as_tensor("keep", array) if array.dtype.kind == "b" else array
    if isinstance(keep, Tensor) and keep.dtype == torch.bool:
        keep = as_tensor("keep", keep)
        check_length("keep", keep, num_samples)
        keep = keep.nonzero().flatten()
    index = as_index("keep", keep, num_samples).sort().values
    if not len(index):
        raise ValueError(
            f"Expected 'keep' to have at least one of the {num_samples} samples (got none). Pass what "
            f"stays, not what goes."
        )
    return index
