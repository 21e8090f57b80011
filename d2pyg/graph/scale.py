"""scale: what distances are divided by, so that one gamma means the same on every embedding."""

from __future__ import annotations

from dataclasses import replace

import torch

from d2pyg._base.checks import as_real, check_choice
from d2pyg._base.options import SCALES
from d2pyg.graph.edges import Edges, median_distance


def check_scale(scale: str | float | None) -> None:
    """A number above 0, ``"median"``, ``"local"`` or None."""
    if isinstance(scale, str):
        check_choice("scale", scale, SCALES)
    elif scale is not None and as_real("scale", scale, "Or pass 'median', 'local' or None.") <= 0:
        raise ValueError(
            f"Expected 'scale' to be above 0 (got {scale:g}). Distances are divided by it; "
            f"pass None to leave them as they are."
        )


def scaled(edges: Edges, scale: str | float | None) -> tuple[Edges, float]:
    r"""The edges with distances divided by the scale, and what is typical of it.

    ``"median"`` is the lower median of all positive distances. ``"local"`` divides each distance by
    :math:`\sqrt{s_i s_j}`, :math:`s_i` the largest distance of the edges into i, or the median where
    that is 0 (Zelnik-Manor & Perona, "Self-Tuning Spectral Clustering", NIPS 2004).

    Example:
        >>> distance = torch.tensor([1.0, 1.0, 4.0], dtype=torch.float64)
        >>> edges = Edges(torch.tensor([1, 0, 1]), torch.tensor([0, 1, 2]), distance, num_nodes=3)
        >>> scaled(edges, "local")[0].distance  # the last is 4 / sqrt(1 * 4)
        tensor([1., 1., 2.], dtype=torch.float64)
    """
    if scale == "local":
        unit = median_distance(edges)
        own = edges.distance.new_zeros(edges.num_nodes)
        own.scatter_reduce_(0, edges.target, edges.distance, "amax")
        root = torch.where(own > 0, own, unit).sqrt()  # roots first: a product could overflow
        return replace(edges, distance=edges.distance / root[edges.source] / root[edges.target]), unit
    unit = median_distance(edges) if scale == "median" else 1.0 if scale is None else float(scale)
    return edges.in_units_of(unit), unit
