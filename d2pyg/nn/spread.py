"""spread: the forward step of a selection. It sends difficulty along the edges of a graph."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor

from d2pyg._base.checks import is_finite
from d2pyg.graph.edges import Edges
from d2pyg.graph.order import both_directions
from d2pyg.graph.scale import scaled
from d2pyg.nn.along_rows import along_rows, sums_rows, through_pyg
from d2pyg.nn.forward import ForwardMessagePassing


class Spread(NamedTuple):
    """Scores after the forward step, and the edges used."""

    score: Tensor  # float64 [N]
    edges: Edges  # distances in units of the scale; both directions if asked for
    unit: float  # what distances were divided by; for local scales, their median


def spread(
    score: Tensor,
    edges: Edges,
    layer: ForwardMessagePassing,
    scale: str | float | None,
    both: bool,
) -> Spread:
    """Passes scores [N] or [N, F] through the layer once; returns scores [N]. Arguments are checked.

    A copy of the layer runs in float64, on the device of the scores and without dropout. The layer
    itself does not change.
    """
    edges, unit = scaled(edges, scale)
    if len(score) == 0:  # the cutoff left no sample
        return Spread(score.new_empty(0), edges, unit)
    if both:
        edges = both_directions(edges)
    with torch.no_grad():
        ours = deepcopy(layer).to(score.device, torch.float64).eval()
        step = along_rows if sums_rows(ours, score) else through_pyg
        updated = step(ours, score, edges)
    if updated.shape != score.shape[:1] or not updated.is_floating_point():
        raise ValueError(
            f"Expected the forward pass of {layer} to end in one number per sample, [{len(score)}] (got "
            f"{updated.dtype} of shape {tuple(updated.shape)}). Check its message and update. If it "
            f"takes several columns, override scalarize."
        )
    if not is_finite(updated):
        raise ValueError(
            f"Expected scores after the forward pass to be finite (got NaN or infinity). Divide "
            f"'scores' by a constant, or check {layer}."
        )
    return Spread(updated.double(), edges, unit)
