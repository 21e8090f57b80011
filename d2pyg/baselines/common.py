"""The common part of the methods: checking arguments, and ranking inside classes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_count, as_tensor
from d2pyg._base.grouping import first_of_group
from d2pyg._base.labels import num_values
from d2pyg._base.registry import register
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.given import Given
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.selection.request import Task
from d2pyg.selection.sourced import sourced

Method = TypeVar("Method", bound=Callable[..., Coreset])


class Common(TypedDict, total=False):
    """Arguments of every method, as in :func:`d2pyg.select`."""

    keep: float | None
    prune: float | None
    budget: int | None
    labels: ArrayLike | None
    balance: str
    min_per_class: int
    ids: ArrayLike | None
    device: str | torch.device | None


_DEFAULTS: Common = {
    "keep": None,
    "prune": None,
    "budget": None,
    "labels": None,
    "balance": "proportional",
    "min_per_class": 0,
    "ids": None,
    "device": None,
}


def method(name: str) -> Callable[[Method], Method]:
    """Registers a method, and shows the arguments of :class:`Common` in its signature."""

    def add(function: Method) -> Method:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default)
            for key, default in _DEFAULTS.items()
        ]
        function.__signature__ = signature.replace(parameters=own + shared)  # type: ignore[attr-defined]
        return register("method", name)(sourced(function))

    return add


def task_of(
    embeddings: Embeddings | Given | None,
    scores: ArrayLike | None,
    common: Common,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    needs_scores: str | None = None,
    left: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Task:
    """The checked arguments. N comes from the embeddings, or else from scores or labels.

    Args:
        embeddings: As given, or checked already.
        scores: The difficulty, or None.
        common: The arguments of :class:`Common` that the method was given.
        cutoff: As in :func:`d2pyg.select`.
        initial: As in :func:`d2pyg.select`.
        needs_scores: The name of the method, if it needs scores.
        left: As in :meth:`d2pyg.selection.request.Task.of`.
    """
    unknown = [key for key in common if key not in _DEFAULTS]
    if unknown:
        raise TypeError(
            f"Expected arguments that this method has (got {unknown[0]!r}). All methods also take "
            f"{', '.join(_DEFAULTS)}."
        )
    if scores is None and needs_scores is not None:
        raise ValueError(
            f"Expected 'scores' for {needs_scores}, which selects by difficulty (got None). Pass one "
            f"number per sample, higher is harder."
        )
    if scores is None and cutoff:
        raise ValueError(
            f"Expected 'scores' with a 'cutoff', which drops the hardest samples (got None and cutoff "
            f"{cutoff}). Pass both or neither."
        )
    if embeddings is not None:
        given = embeddings
        if not isinstance(given, Given | Joined):
            given = as_embedded(given, "euclidean")
        num_samples, home = len(given), given.device
    elif scores is not None:
        values = as_tensor("scores", scores)
        num_samples, home = values.numel(), values.device
    elif common.get("labels") is not None:
        labels: Any = common["labels"]
        num_samples = num_values("labels", labels)
        home = labels.device if isinstance(labels, Tensor) else torch.device("cpu")
    else:
        raise ValueError(
            "Expected 'embeddings', 'scores' or 'labels', to know the number of samples (got none). "
            "Pass one of them."
        )
    home = torch.device("cpu") if home.type == "mps" else home
    return Task.of(num_samples, home, scores=scores, cutoff=cutoff, initial=initial, left=left, **common)


def with_metric(
    embeddings: Embeddings, metric: str | Metric | None
) -> tuple[Tensor | Joined, Metric, str | Metric]:
    """Checked embeddings, a metric that maps them into a Euclidean space, and the metric as given."""
    given = as_embedded(embeddings, "euclidean" if metric is None else metric)
    name = "euclidean" if metric is None else metric
    measure = given.metric if isinstance(given, Joined) else as_metric(name)
    if isinstance(measure, PairwiseMetric):
        raise ValueError(
            f"Expected 'metric' to be one that maps samples into a Euclidean space (got {measure}). Use "
            f"'euclidean', 'cosine' or a d2pyg.graph.Metric."
        )
    return given, measure, measure if isinstance(given, Joined) else name


def fit(measure: Metric, given: Tensor | Joined, place: torch.device) -> Metric:
    """The metric fitted to these embeddings. Joined embeddings have a fitted one."""
    return measure.fit(given, place) if isinstance(given, Tensor) else measure


def ranked(task: Task, key: Tensor) -> Tensor:
    """Each class's picks: the samples of the pool with the least keys [M], ties to the lowest index.

    Initial samples are not picked. The picks come class after class.
    """
    node = task.pool[key.argsort(stable=True)]
    node = node[~task.start[node]]
    return node[first_of_group(task.group[node], task.count)]


def of_all(task: Task, values: Tensor) -> Tensor:
    """Values [M] of the pool as [N]; NaN elsewhere."""
    return torch.full_like(task.score, torch.nan).index_copy(0, task.pool, values)


def num_clusters(clusters: int | None, task: Task) -> int:
    """The number asked for, or the square root of the size of the pool, rounded up."""
    total = len(task.pool)
    if clusters is None:
        return math.isqrt(total - 1) + 1
    meaning = ", the number of samples after the cutoff"
    return as_count("clusters", clusters, 1, total, meaning, "Leave it out for about sqrt(N).")


def classes_of(task: Task) -> list[Tensor]:
    """The samples of the pool, ascending, class by class; empty where a class has none."""
    group = task.group[task.pool]
    order = group.argsort(stable=True)
    return list(task.pool[order].split(group.bincount(minlength=task.num_groups).tolist()))
