"""sweep: many settings on one graph, one row of measures per setting."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import (
    ArrayLike,
    as_device,
    as_scores,
    as_tensor,
    check_unmasked,
    shown,
)
from d2pyg._base.defaults import K
from d2pyg._base.labels import as_labels
from d2pyg._base.progress import progress_bar
from d2pyg.coreset.settings import plain
from d2pyg.evaluate.trial import silent, try_out, warn_of_all, without_edges
from d2pyg.graph.cover import covering_radii
from d2pyg.graph.edges import own_k
from d2pyg.graph.given import Given, k_of
from d2pyg.graph.knn import Embeddings, build_graph, points_of
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.graph.parts import nearest_graph
from d2pyg.metrics import overlap, score_entropy
from d2pyg.selection.budget import after_cutoff, num_kept
from d2pyg.selection.difficulty import difficulty_of
from d2pyg.selection.select import select

_SWEPT = ("k", "gamma_forward", "gamma_reverse", "clamp", "cutoff")
_OF_ONE_RESULT = ("ids", "initial")


def sweep(
    embeddings: Embeddings | Data,
    scores: ArrayLike | None = None,
    *,
    keep: float | Sequence[float] | None = None,
    prune: float | Sequence[float] | None = None,
    budget: int | Sequence[int] | None = None,
    k: int | Sequence[int] | None = None,
    gamma_forward: float | Sequence[float] | None = None,
    gamma_reverse: float | Sequence[float] | None = None,
    clamp: bool | Sequence[bool] = False,
    cutoff: float | Sequence[float] = 0.0,
    labels: ArrayLike | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    recall: float | None = None,
    device: str | torch.device | None = None,
    progress: bool = False,
    **fixed: Any,
) -> list[dict[str, Any]]:
    """Tries every combination of settings on one graph, and measures each coreset.

    The graph is built once, at the largest k (with several cutoffs, once for each, because dropped
    samples are not neighbors). All budgets of a setting come from one run, because ``index[:b]`` is the
    coreset of size b. Each row measures the coreset of :func:`d2pyg.select` with these settings. To get
    that coreset, call ``select`` with the settings of the row you chose.

    Args:
        embeddings: [N, d], or a graph with the largest k, as for :func:`d2pyg.select`.
        scores: Difficulty [N], >= 0, higher is harder. Default: as for :func:`d2pyg.select`.
        keep: Fractions kept. Exactly one of ``keep``, ``prune`` and ``budget`` is given.
        prune: Fractions removed.
        budget: Numbers of samples kept.
        k: Neighbors per sample.
        gamma_forward: Decays of forward messages; default 10; without scores None, no forward pass.
        gamma_reverse: Decays of reverse messages; default 3.
        clamp: Whether picks at or below 0 send no message.
        cutoff: Fractions of the hardest samples that are dropped first.
        labels: Classes [N], integers >= 0.
        metric: As for :func:`d2pyg.select`. Leave it out with a graph.
        backend, recall: As for :func:`d2pyg.select`. Leave it out with a graph.
        device: Where to compute; default: where ``embeddings`` are.
        progress: Show progress bars of rows and settings.
        fixed: Arguments that all settings share: any other argument of :func:`d2pyg.select` except
            ``ids`` and ``initial``.

    Returns:
        One dict per combination; the budgets vary fastest, then ``clamp``, ``gamma_reverse``,
        ``gamma_forward``, ``k`` and ``cutoff``:

        - ``keep`` (or ``prune``, or ``budget``), ``k``, ``gamma_forward``, ``gamma_reverse``,
          ``clamp``, ``cutoff``: the settings;
        - ``kept``: number of samples kept;
        - ``coverage_radius``: :func:`d2pyg.metrics.coverage_radius` in the graph's metric; None if you
          passed only a graph, or if the metric compares pairs;
        - ``score_entropy``: :func:`d2pyg.metrics.score_entropy` of the scores; 0 without scores;
        - ``overlap``: :func:`d2pyg.metrics.overlap` with the coreset of the first row;
        - ``seconds``: time of the selection, without the graph and the measures. All budgets of one run
          share it.

    Raises:
        ValueError, TypeError: If an argument breaks its rule, before the graph is built.
        ImportError: If the backend's package is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
        >>> rows = sweep(x, [1, 9, 1, 1, 2, 1], budget=[2, 3], k=[1, 2])
        >>> [(row["k"], row["kept"], round(row["coverage_radius"], 1)) for row in rows]
        [(1, 2, 0.1), (1, 3, 0.1), (2, 2, 0.1), (2, 3, 0.1)]
    """
    for name in _OF_ONE_RESULT:
        if name in fixed:
            raise ValueError(
                f"Expected {name!r} to be left out of a sweep, which returns no coreset (got "
                f"{type(fixed[name]).__name__}). Pass it to select, with the settings you chose."
            )
    if scores is not None and as_tensor("scores", scores).dim() != 1:
        raise ValueError(
            f"Expected 'scores' to have one number per sample in a sweep (got shape "
            f"{tuple(as_tensor('scores', scores).shape)}). For a forward layer that takes several, call "
            f"select for each setting."
        )
    start = Given.of(embeddings, metric, backend, recall)
    given, ready, num_samples = start.data, start.ready, len(start)
    place = as_device(device, start.device)
    score = as_scores(difficulty_of(scores, num_samples).scores, num_samples)
    groups = None if labels is None else as_labels("labels", labels, num_samples)
    amounts, budgets = _budgets(num_samples, {"keep": keep, "prune": prune, "budget": budget})
    cutoffs, many_k = _values("cutoff", cutoff), _values("k", k)
    if ready is None:
        many_k = [k_of(value, num_samples, K) for value in many_k]
    most = max(many_k) if ready is None else own_k(given, ready)
    others = _combinations(gamma_forward=gamma_forward, gamma_reverse=gamma_reverse, clamp=clamp)
    shared = {"labels": labels, "device": device, **fixed}
    if ready is not None:
        shared |= {"metric": metric, "backend": backend, "recall": recall}  # for select to refuse
    for setting in _combinations(cutoff=cutoffs, k=many_k):
        try_out(without_edges(num_samples, most), score, max(budgets), setting, others, shared)

    warn_of_all(num_samples, score, budgets, cutoffs, labels, fixed)

    rows: list[dict[str, Any]] = []
    points, first = None, None
    runs = len(cutoffs) * len(many_k) * len(others)
    with progress_bar(runs * len(budgets), "sweep", "settings", progress) as bar:
        for dropped in cutoffs:
            whole = given
            if not isinstance(given, Data):
                pool = after_cutoff(score.to(place), dropped)
                whole = _graph(start, pool, most, groups, place, progress)
                if points is None and not isinstance(as_metric(metric or "euclidean"), PairwiseMetric):
                    points = points_of(given, metric or "euclidean", place)
            for neighbors in many_k:
                graph = nearest_graph(whole, most if neighbors is None else neighbors)
                for other in others:
                    started = time.perf_counter()
                    with silent():
                        coreset = select(
                            graph, scores, budget=max(budgets), cutoff=dropped, **other, **shared
                        )
                    seconds = round(time.perf_counter() - started, 4)
                    used = {name: coreset.settings[name] for name in _SWEPT}
                    radii: Sequence[float | None] = [None] * len(budgets)
                    if points is not None:
                        radii = covering_radii(points, coreset.index.to(place), budgets)
                    for amount, kept, radius in zip(amounts, budgets, radii, strict=True):
                        index = coreset.index[:kept]
                        first = index if first is None else first
                        rows.append(
                            {
                                **amount,
                                **used,
                                "kept": kept,
                                "coverage_radius": radius,
                                "score_entropy": 0.0 if scores is None else score_entropy(score, index),
                                "overlap": overlap(first, index),
                                "seconds": seconds,
                            }
                        )
                    bar.update(len(budgets))
    return rows


def _values(name: str, value: Any) -> list[Any]:
    """One value or many, as a list of at least one."""
    check_unmasked(name, value)
    try:
        values = list(value) if np.ndim(value) else [value]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Expected {name!r} to be a value or a list of them (got {shown(value)}). Pass one list."
        ) from error
    if not values:
        raise ValueError(
            f"Expected {name!r} to hold at least one value (got none). Leave it out for the default."
        )
    return values


def _combinations(**many: Any) -> list[dict[str, Any]]:
    """Every choice of one value for each name; the last name varies fastest."""
    lists = [_values(name, value) for name, value in many.items()]
    return [dict(zip(many, chosen, strict=True)) for chosen in itertools.product(*lists)]


def _budgets(num_samples: int, many: dict[str, Any]) -> tuple[list[dict[str, Any]], list[int]]:
    """Each amount to keep, as given and as a number of samples."""
    lists = {name: _values(name, value) for name, value in many.items() if value is not None}
    for name, values in lists.items():
        if any(value is None for value in values):
            raise TypeError(f"Expected {name!r} to hold numbers (got None). Leave it out.")
    num_kept(num_samples, *(lists[name][0] if name in lists else None for name in many))
    ((name, values),) = lists.items()
    amounts = [{name: value} for value in values]
    budgets = [num_kept(num_samples, **{**dict.fromkeys(many), **amount}) for amount in amounts]
    return [plain(amount) for amount in amounts], budgets


def _graph(
    given: Given,
    pool: Tensor,
    k: int,
    groups: Tensor | None,
    place: torch.device,
    progress: bool,
) -> Data:
    """The kNN graph of the pool, with all nodes. Dropped nodes have no edges."""
    graph = build_graph(
        given.data,
        k,
        given.metric or "euclidean",
        given.backend,
        None if groups is None else groups.to(place)[pool],
        place,
        progress,
        pool=pool,
        recall=given.recall,
    )
    graph.edge_index, graph.num_nodes = pool[graph.edge_index], len(given)
    return graph
