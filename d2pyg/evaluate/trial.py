"""Checks and warnings before a sweep begins."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike
from d2pyg._base.warn import FewSamplesWarning, warn
from d2pyg.selection.budget import after_cutoff, check_available
from d2pyg.selection.request import Task
from d2pyg.selection.select import select


def without_edges(num_samples: int, k: int) -> Data:
    """A graph without edges, to check settings fast."""
    graph = Data(
        edge_index=torch.empty(2, 0, dtype=torch.int64),
        edge_attr=torch.empty(0, dtype=torch.float64),
        num_nodes=num_samples,
    )
    graph.k = k
    return graph


def try_out(
    graph: Data,
    score: Tensor,
    budget: int,
    setting: dict[str, Any],
    others: list[dict[str, Any]],
    shared: dict[str, Any],
) -> None:
    """Picks one sample with each setting, so that a wrong one is refused before work begins."""
    left = len(after_cutoff(score, setting["cutoff"]))
    check_available(budget, len(score), left, 0)
    with silent():
        for other in others:
            select(graph, score, budget=1, **setting, **other, **shared)


def warn_of_all(
    num_samples: int,
    score: Tensor,
    budgets: list[int],
    cutoffs: list[Any],
    labels: ArrayLike | None,
    fixed: dict[str, Any],
) -> None:
    """Gives the warnings of :func:`d2pyg.select` for all budgets and cutoffs, each one once."""
    classes = {name: fixed[name] for name in ("balance", "min_per_class") if name in fixed}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for cutoff, budget in itertools.product(cutoffs, dict.fromkeys(budgets)):
            Task.of(
                num_samples, score.device, scores=score, budget=budget, cutoff=cutoff, labels=labels,
                **classes,
            )  # fmt: skip
    for category, text in dict.fromkeys((one.category, str(one.message)) for one in said):
        warn(text, category)


@contextmanager
def silent() -> Iterator[None]:
    """Without the warnings that :func:`warn_of_all` gives, or that a budget of one would give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSamplesWarning)
        yield
