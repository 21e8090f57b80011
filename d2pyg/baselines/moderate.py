"""Moderate coresets: samples at the median distance from the center of their class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from d2pyg._base.checks import ArrayLike
from d2pyg.baselines.common import classes_of, fit, method, ranked, task_of, with_metric
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric
from d2pyg.graph.points import Points

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


@method("moderate")
def moderate(
    embeddings: Embeddings,
    scores: ArrayLike | None = None,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    metric: str | Metric | None = None,
    **common: Unpack[Common],
) -> Coreset:
    r"""The samples whose distance to their class mean is closest to the median distance.

    Let :math:`\mu_c` be the mean of class c, and :math:`m_c` the lower median of the distances to it.
    Samples with the least

    .. math:: \left| \lVert x_i - \mu_c \rVert - m_c \right| , \quad c \text{ the class of } i,

    are kept, ties to the lowest index (Xia et al., "Moderate Coreset: A Universal Method of Data
    Selection for Real-world Deep Learning", ICLR 2023). This is the paper's rule, inside each class. The
    authors' code (https://github.com/tmllab/2023_ICLR_Moderate-DS) uses the median of each coordinate
    instead of the mean, and a band of ranks around the middle of all distances. Without ``labels``, the
    data set is one class.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: [N, d]. Means are taken over the samples that the cutoff leaves.
        scores: Difficulty [N], only used by ``cutoff``.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset).
        metric: ``"euclidean"`` or another :class:`d2pyg.graph.Metric`. Means are taken in its space.
        **common: See :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the differences from the median.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [2.0], [3.0], [9.0]])  # 3, 2, 1, 0, 6 from the mean
        >>> moderate(x, budget=3).index
        tensor([1, 0, 2])
    """
    given, measure, name = with_metric(embeddings, metric)
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    measure = fit(measure, given, task.place)
    away = torch.zeros_like(task.score)
    for members in classes_of(task):
        if len(members):
            points = Points(given, measure, task.place, members)
            distance = points.from_centre()
            away[members] = (distance - distance.median()).abs()
    index = ranked(task, away[task.pool])
    settings = {"method": "moderate", "metric": name}
    return task.coreset(index, away[index], task.score[task.pool], settings)
