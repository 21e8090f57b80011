"""A new graph from an old one: its plan, the search of what is open, what it keeps."""

from __future__ import annotations

import logging

import torch
from torch_geometric.data import Data

from d2pyg._base.progress import progress_bar
from d2pyg._base.registry import name_of
from d2pyg.graph.built import graph_of
from d2pyg.graph.groups import Search
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.plan import out_of_memory, plan
from d2pyg.graph.record import copy_record, set_groups
from d2pyg.graph.renew import Draft, renew
from d2pyg.graph.torch_backend import torch_neighbors

_log = logging.getLogger("d2pyg")


def rebuilt(
    graph: Data,
    metric: Metric | PairwiseMetric,
    draft: Draft,
    names: list[str] | None,
    memory: float | None,
    progress: bool,
) -> Data:
    """The new graph. Products of torch find what is open, as all exact backends find the same.

    Args:
        graph: The old one, of this metric.
        names: Of the groups 0, 1, ...
    """
    place, (total, k) = draft.pool.device, draft.neighbor.shape
    takes = plan(total, k, place, memory)
    _log.info(
        "kNN graph of %d samples, %d coordinates, k %d, %s, on %s: %d rows to search; %s",
        total, draft.embeddings.shape[1], k, name_of(metric), place, int(draft.opened.sum()), takes,
    )  # fmt: skip
    search = Search(draft.embeddings, metric, torch_neighbors, draft.pool, takes.memory, True)
    with (
        torch.no_grad(),
        out_of_memory(takes),
        progress_bar(total, "kNN graph", "rows", progress) as bar,
    ):
        renew(search, draft, bar)
        made = copy_record(graph, graph_of(draft.neighbor, draft.distance))
    made.k = graph.k
    if draft.group is not None:
        set_groups(made, draft.group, names)
    return made
