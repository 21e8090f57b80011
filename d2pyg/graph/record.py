"""What a kNN graph keeps of how it was built: its metric as fitted, and its groups."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import as_integers, shown
from d2pyg._base.registry import choices, look_up, made, name_of
from d2pyg.graph.joined import JoinedMetric
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric

ANEW = "Build a new one with d2pyg.knn_graph."
_KEPT = ("metric", "metric_state", "backend", "recall")  # beside k and the groups


def record(graph: Data, metric: str | Metric | PairwiseMetric, fitted: Any, dims: list[int]) -> None:
    """Keeps a metric in the graph: how it is made again as it was fitted, where that is known."""
    graph.metric = name_of(fitted if isinstance(fitted, JoinedMetric) else metric)
    state = _state(fitted, metric)
    if state is not None:
        graph.metric_state = {**state, "dims": dims}


def copy_record(graph: Data, to: Data, *more: str) -> Data:
    """Keeps the metric and the backend of another graph, and more attributes; returns it."""
    for name in (*_KEPT, *more):
        if name in graph:
            to[name] = graph[name]
    return to


def set_groups(graph: Data, group: Tensor, names: list[str] | None) -> None:
    """Keeps the groups; where they have names, those that are left, and their numbers."""
    if names is not None:
        values, group = group.unique(return_inverse=True)
        graph.group_names = [names[value] for value in values.tolist()]
    graph.group = group


def groups_of(graph: Data, num_nodes: int) -> tuple[Tensor | None, list[str] | None]:
    """The groups that a graph keeps, and their names."""
    group, names = graph.get("group"), graph.get("group_names")
    if group is None:
        return None, None
    group = as_integers("group", group, num_nodes, "nodes", ANEW)
    if names is not None and (
        not isinstance(names, list | tuple)
        or not all(isinstance(name, str) for name in names)
        or not 0 <= int(group.min()) <= int(group.max()) < len(names)
    ):
        raise ValueError(
            f"Expected 'group_names' of the graph to name its groups 0 to {int(group.max())} (got "
            f"{shown(names)}). {ANEW}"
        )
    return group, None if names is None else [*names]


def fitted_metric(
    graph: Data, metric: str | Metric | PairwiseMetric | None
) -> tuple[Metric | PairwiseMetric, list[int] | None]:
    """The metric that a graph keeps, or that is given for it, and the coordinates it is for."""
    state = graph.get("metric_state")
    if metric is not None:
        given = as_metric(metric)
        if state is not None or name_of(metric) != graph.metric:
            keeps = f"keeps its own, {graph.metric}" if state is not None else f"is of {graph.metric}"
            raise ValueError(
                f"Expected 'metric' to be left out, or the one of a graph that does not keep it (got "
                f"{shown(name_of(metric))}, and a graph that {keeps:.80}). Build a new graph for "
                f"another metric."
            )
        return given, None
    if state is None:
        raise ValueError(
            f"Expected 'metric' with a graph that does not keep its own (got {graph.metric!r:.80}). "
            f"Pass the object that the graph was built with, as fitted."
        )
    try:
        dims = [int(dim) for dim in state["dims"]]
        found = _restored(state, dims)
        if isinstance(found, Metric):
            found.embed(torch.zeros(1, sum(dims), dtype=torch.float64))
        return found, dims
    except _UnknownMetricError:
        raise
    except Exception as error:  # of any class that a file names
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise ValueError(
            f"Expected 'metric_state' of the graph to be as d2pyg.knn_graph wrote it (got "
            f"{type(error).__name__}: {reason:.80}). {ANEW}"
        ) from error


class _UnknownMetricError(ValueError):
    pass


def _state(fitted: Any, metric: Any) -> dict[str, Any] | None:
    """What :func:`_restored` takes; None where the metric has to be given again."""
    if isinstance(fitted, JoinedMetric):
        parts = [_state(one, one) for one in fitted.metrics]
        return None if None in parts else {"parts": parts, "factors": fitted.factors}
    name, state = name_of(type(fitted)), fitted.state()
    if state is not None and name in choices("metric"):
        return {"name": name, "state": state}
    if isinstance(metric, str) and getattr(type(fitted), "fit", Metric.fit) is Metric.fit:
        return {"name": metric, "state": {}}
    return None


def _restored(state: dict[str, Any], dims: list[int]) -> Metric | PairwiseMetric:
    if "parts" in state:
        metrics: Any = [_restored(part, [dim]) for part, dim in zip(state["parts"], dims, strict=True)]
        return JoinedMetric(dims, metrics, [float(factor) for factor in state["factors"]])
    name = state["name"]
    if name not in choices("metric"):
        raise _UnknownMetricError(
            f"Expected the metric of 'graph' to be registered here (got {shown(name)}). Import the "
            f"module that registers it; on the command line, with --import."
        )
    kept = state["state"]
    return as_metric(look_up("metric", name).from_state(kept) if kept else made("metric", name))
