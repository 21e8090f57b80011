"""extend_graph: a kNN graph and more samples in, the graph of all out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_device
from d2pyg._base.labels import as_groups
from d2pyg.graph.built import Built
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.rebuild import rebuilt
from d2pyg.graph.renew import Draft
from d2pyg.graph.stacked import Stacked


def extend_graph(
    graph: Data,
    embeddings: Embeddings,
    new: Embeddings,
    batch: ArrayLike | None = None,
    *,
    metric: Metric | PairwiseMetric | None = None,
    device: str | torch.device | None = None,
    memory: float | None = None,
    progress: bool = False,
) -> Data:
    r"""Adds new samples to a kNN graph. It compares only pairs with a new sample.

    The result equals, bit by bit, what :func:`d2pyg.knn_graph` builds from all samples, the old ones
    first. It keeps the graph's ``k`` and its metric as first fitted. M new samples take 2 M N d
    operations.

    Args:
        graph: From :func:`d2pyg.knn_graph` with an exact backend, or from this function; also from a
            file. On another device than it was built on, the last bits of distances may differ.
        embeddings: [N, d], the samples of the graph, as they were. Some are compared with the graph.
        new: [M, d], the samples to add, N to N + M - 1 from now on. Where embeddings are joined, both
            are lists of arrays; their scales stay as they are.
        batch: [M], the group of each new sample, where the graph was built with ``batch``.
        metric: Only where the graph does not keep it, as with metrics of your own that have attributes:
            the object that it was built with, as fitted.
        device: Where to compute; default: the device of ``embeddings``. The graph stays there.
        memory: Bytes that the search may use, as in :func:`d2pyg.knn_graph`.
        progress: Show a progress bar over rows.

    Returns:
        A new graph with the attributes that :func:`d2pyg.knn_graph` gives. Other attributes of ``graph``
        are left out.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; if the graph is approximate, of another
            origin, or not of these embeddings. The message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]])
        >>> graph = extend_graph(d2pyg.knn_graph(x, k=1), x, new=torch.tensor([[2.9]]))
        >>> graph.edge_index
        tensor([[1, 0, 3, 2],
                [0, 1, 2, 3]])
    """
    built = Built.of(graph, metric)
    old, more = built.as_given("embeddings", embeddings), built.as_given("new", new)
    if old.shape[1] != more.shape[1]:
        raise ValueError(
            f"Expected 'new' to have the {old.shape[1]} coordinates of 'embeddings' (got "
            f"{more.shape[1]}). Embed all samples with one model."
        )
    place = as_device(device, old.device)
    built.check_of(old, place)
    group, names = _groups(built, batch, len(more))
    group = None if group is None else group.to(place)
    total = len(old) + len(more)
    neighbor, distance = built.table(total, place)
    pool = torch.arange(total, device=place)
    draft = Draft(Stacked(old, more), pool, group, neighbor, distance, pool >= len(old), grows=True)
    return rebuilt(graph, built.metric, draft, names, memory, progress)


def _groups(built: Built, batch: ArrayLike | None, count: int) -> tuple[Tensor | None, list[str] | None]:
    """The groups of old samples and new, and their names."""
    if built.group is None:
        if batch is not None:
            raise ValueError(
                f"Expected 'batch' to be left out with a graph that was built without (got "
                f"{type(batch).__name__}). Build one with d2pyg.knn_graph(embeddings, k, batch=batch)."
            )
        return None, None
    if batch is None:
        raise ValueError(
            "Expected 'batch' to hold the groups of the new samples, as the graph has groups (got "
            "None). Pass one for each."
        )
    code, names = as_groups("batch", batch, count)
    if (names is None) != (built.names is None):
        kinds = ["numbers" if one is None else "names" for one in (built.names, names)]
        raise ValueError(
            f"Expected 'batch' to hold {kinds[0]}, as in the graph (got {kinds[1]}). Pass groups as "
            f"they were passed to d2pyg.knn_graph."
        )
    old = built.group
    if names is not None and built.names is not None:
        both = sorted({*built.names, *names})
        place = {name: number for number, name in enumerate(both)}
        old = old.new_tensor([place[name] for name in built.names])[old]
        code = code.new_tensor([place[name] for name in names])[code]
        names = both
    return torch.cat([old, code.to(old.device)]), names
