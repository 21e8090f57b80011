"""Which cells may still have a nearer point, by the triangle inequality."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg.graph.cells.cells import Cells, Visits
from d2pyg.graph.cells.guide import Guide, squared

_SLACK = 1 + 2.0**-40  # what float64 may round in all of it


def rest_of(guide: Guide, centroid: Tensor, cells: Cells, distance: Tensor) -> Visits:
    r"""The visits that are left: of cells J in which a point may be nearer than a row's last neighbor.

    With the rounded point :math:`q_i`, the rounding :math:`e_i` of it and
    :math:`r_J = \max_{j \in J} \lVert y_j - c_J \rVert`, all points of J are at least as far as
    :math:`\lVert q_i - c_J \rVert - e_i - r_J`.

    Args:
        guide: Of the points.
        centroid: Float32 [K, dim].
        cells: Of the points.
        distance: float64 [N, k], the metric's, of each place; ascending.
    """
    points, order = guide.points, cells.order
    radius = torch.zeros(len(centroid), dtype=torch.float64, device=order.device)
    error = torch.empty(len(order), dtype=torch.float64, device=order.device)
    own = cells.nearest[:, 0].long()
    every = torch.arange(len(order), device=order.device)
    for places in every.split(points.together):
        exact = points.centered(order[places]) / guide.unit
        error[places] = (exact - guide.rows(order[places])).square().sum(dim=1).sqrt() * _SLACK
        far = (exact - centroid[own[places]]).square().sum(dim=1).sqrt() * _SLACK
        radius.scatter_reduce_(0, own[places], far, "amax")
    found = []
    for places in guide.parts(every, len(centroid)):
        far = squared(guide.rows(order[places]), centroid).sqrt()
        least = (far - error[places].unsqueeze(1) - radius) * (guide.unit / _SLACK)
        least = points.at_least(least.clamp(min=0).square())
        left = least <= distance[places, -1:]
        left.scatter_(1, cells.nearest[places].long(), False)
        place, cell = left.nonzero(as_tuple=True)
        found.append((places[place].int(), cell))
    place, cell = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Visits.of(place, cell, len(cells))
