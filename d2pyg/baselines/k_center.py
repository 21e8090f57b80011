"""k-center: samples chosen so that every other sample is near one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike
from d2pyg._base.progress import Progress, progress_bar
from d2pyg.baselines.common import classes_of, fit, method, task_of, with_metric
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric
from d2pyg.graph.points import Points
from d2pyg.graph.ranking import of_pairs

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common

_FEWEST, _MOST = 16, 512  # samples whose distances are kept up to date at every pick


@method("k_center")
def k_center(
    embeddings: Embeddings,
    scores: ArrayLike | None = None,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    metric: str | Metric | None = None,
    progress: bool = False,
    **common: Unpack[Common],
) -> Coreset:
    r"""Always picks the sample that is farthest from all earlier picks, ties to the lowest index.

    .. math:: \arg\max_i \min_{j \in S} d(i, j)

    The largest distance of a sample to its nearest pick is at most twice the smallest possible value for
    this number of picks (Gonzalez 1985). The method was proposed for selection by Sener, Savarese,
    "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018. The first pick
    of each class is the sample nearest to the class mean (ties to the lowest index), unless the class
    has ``initial`` samples. Distances are exact: float64, from differences. Float32 products only rule
    out samples that cannot be picked, with a bound on their error.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: [N, d].
        scores: Difficulty [N], only used by ``cutoff``.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset). Distances start from them. Those
            that the cutoff drops only count as seats.
        metric: ``"euclidean"`` or another :class:`d2pyg.graph.Metric`.
        progress: Show a progress bar of picks.
        **common: See :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the distances to the nearest earlier pick of the
        same class. For a class's first pick, it is the distance to the mean.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [4.0], [10.0]])
        >>> coreset = k_center(x, budget=3)
        >>> coreset.index, coreset.pick_scores
        (tensor([2, 3, 0]), tensor([0.2500, 6.0000, 4.0000], dtype=torch.float64))
    """
    given, measure, name = with_metric(embeddings, metric)
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    measure = fit(measure, given, task.place)
    found = []
    with torch.no_grad(), progress_bar(task.kept, "k-center", "picks", progress) as bar:
        for members, count in zip(classes_of(task), task.count.tolist(), strict=True):
            if count:
                points = Points(given, measure, task.place, members)
                place, distance = farthest_first(points, count, task.start[members], bar)
                found.append((members[place], distance))
    index, distance = (torch.cat(parts) for parts in zip(*found, strict=True))
    settings = {"method": "k_center", "metric": name}
    return task.coreset(index, distance, task.score[task.pool], settings)


def farthest_first(points: Points, count: int, start: Tensor, bar: Progress) -> tuple[Tensor, Tensor]:
    """Picks ``count`` points, each the farthest from all earlier ones. Also returns these distances.

    Only the farthest points are updated after every pick, from their distances to each other. All other
    points start below the lowest of them, and distances only shrink. So the farthest of them is the
    farthest of all, as long as it is not below where the lowest started. After that, a matrix product
    updates all points for the new picks together. The number of points that are updated after every pick
    follows from how many picks the last ones gave.
    """
    nearest = torch.full((len(points),), torch.inf, dtype=torch.float64, device=points.device)
    taken = start.clone()
    picks: list[Tensor] = []
    values: list[Tensor] = []
    known = start.nonzero().flatten()  # chosen, and not yet told to all points
    if len(known) == 0:
        to_mean = points.from_centre()
        first = to_mean.argmin()
        picks.append(first)
        values.append(to_mean[first])
        taken[first] = True
        known = first.unsqueeze(0)
        bar.update()
    width = _FEWEST
    while len(picks) < count:
        tell(points, nearest, known)
        nearest[taken] = -1
        limit = nearest.topk(min(width, len(points))).values[-1].clamp(min=0)
        here = (nearest >= limit).nonzero().flatten()
        # Where many tie, there may be more than asked for.
        between = _between(points, here) if len(here) <= _MOST else None
        value = nearest[here]
        before = len(picks)
        while len(picks) < count:
            at, best = value.max(dim=0)  # of equal ones the first
            if at < limit:
                break
            picks.append(here[best])
            values.append(at)
            taken[here[best]] = True
            value[best] = -1
            bar.update()
            if at > 0:
                one = here[best].expand_as(here)
                row = of_pairs(points, one, here) if between is None else between[best]
                torch.minimum(value, row, out=value)
        known = torch.stack(picks[before:])
        width = min(_MOST, 2 * width) if 2 * len(known) > width else max(_FEWEST, width // 2)
    return torch.stack(picks), torch.stack(values)


def _between(points: Points, here: Tensor) -> Tensor:
    """All distances between a few points, exact."""
    size = len(here)
    return of_pairs(points, here.repeat_interleave(size), here.repeat(size)).view(size, size)


def tell(points: Points, nearest: Tensor, chosen: Tensor) -> None:
    """Lowers each point's distance if one of the chosen points is nearer."""
    table = points.single
    for some in chosen.split(points.rows_together):
        left, base = table.rows(some), table.row_bound(points.norm[some]).unsqueeze(1)
        width = max(1, table.columns_beside(len(some)) // 2)  # half for those that may be lowered
        for start in range(0, len(points), width):
            part = slice(start, min(start + width, len(points)))
            bound = table.bounds(left, table.rows(part)) + base
            low, row = bound.min(dim=0)
            column = (points.at_least(low) < nearest[part]).nonzero().flatten()
            # First the likeliest of the chosen, then all that may be nearer still.
            row, place = row[column], start + column
            _lower(points, nearest, place, some[row])
            bound[row, column] = torch.inf
            row, column = (points.at_least(bound[:, column]) < nearest[place]).nonzero().T
            _lower(points, nearest, place[column], some[row])


def _lower(points: Points, nearest: Tensor, rows: Tensor, chosen: Tensor) -> None:
    """Lowers the distances of some points to the exact distance from one chosen point each."""
    nearest.scatter_reduce_(0, rows, of_pairs(points, rows, chosen), "amin")
