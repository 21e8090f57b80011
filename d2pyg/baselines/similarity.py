"""The sparse similarities that facility location and graph cut use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from d2pyg._base.checks import check_gamma
from d2pyg._base.defaults import SIMILARITY_K
from d2pyg.graph.edges import Edges, median_distance
from d2pyg.graph.given import Given
from d2pyg.graph.order import both_directions
from d2pyg.nn.kernel import Kernel, as_kernel
from d2pyg.selection.request import Task

STEP = 2.0**-30  # similarities are multiples of it, so that sums of them are exact


def similarities(
    given: Given, task: Task, k: int | None, gamma: float, kernel: str | Kernel, progress: bool
) -> tuple[Edges, dict[str, Any]]:
    r"""Edges between near samples of one class, with similarities in place of distances.

    An edge joins i and j if either is among the k nearest of the other. Its similarity is
    :math:`s_{ij} = w(d_{ij} / \text{median}, \gamma)`, where w is the kernel and the median is the lower
    median of the positive distances. The similarity of a sample to itself is 1 and has no edge. All
    other similarities are 0.
    """
    kernel = as_kernel(kernel)
    gamma = check_gamma("gamma", gamma)
    edges, used = given.edges(k, SIMILARITY_K, task.pool, task.group, task.place, progress)
    unit = median_distance(edges)
    edges = both_directions(edges).in_units_of(unit)
    weight = kernel.weight(edges.distance, gamma)
    if not bool(((weight >= 0) & (weight <= 1)).all()):
        raise ValueError(
            f"Expected the weights of the kernel {kernel} to lie in 0 to 1, the similarity of a "
            f"sample to itself (got {float(weight.min()):g} to {float(weight.max()):g}). Use 'rbf'."
        )
    similarity = (weight / STEP).round() * STEP
    settings = {"gamma": gamma, "kernel": kernel, "scale_value": unit, **used}
    return replace(edges, distance=similarity), settings
