"""Selection by difficulty alone: the hardest samples, the easiest, or a window between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_real
from d2pyg._base.grouping import rank_in_group
from d2pyg.baselines.common import method, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


@method("hardest")
def hardest(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    **common: Unpack[Common],
) -> Coreset:
    """The samples with the highest scores, ties to the lowest index.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: Not needed.
        scores: Difficulty [N], >= 0, higher is harder.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset).
        **common: See :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the scores.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> hardest(scores=[3, 1, 4, 1, 5], budget=2).index
        tensor([4, 2])
    """
    task = task_of(embeddings, scores, common, cutoff=cutoff, initial=initial, needs_scores="hardest")
    score = task.score[task.pool]
    index = ranked(task, -score)
    return task.coreset(index, task.score[index], score, {"method": "hardest"})


@method("easiest")
def easiest(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    **common: Unpack[Common],
) -> Coreset:
    """The samples with the lowest scores, ties to the lowest index.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: Not needed.
        scores: Difficulty [N], >= 0, higher is harder.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset).
        **common: See :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the scores.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> easiest(scores=[3, 1, 4, 1, 5], budget=2).index
        tensor([1, 3])
    """
    task = task_of(embeddings, scores, common, cutoff=cutoff, initial=initial, needs_scores="easiest")
    score = task.score[task.pool]
    index = ranked(task, score)
    return task.coreset(index, task.score[index], score, {"method": "easiest"})


@method("window")
def window(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    start: float = 0.0,
    **common: Unpack[Common],
) -> Coreset:
    r"""A window of difficulty: in each class, the samples that follow its hardest ones.

    The :math:`n_c` samples of a class are sorted by score, hardest first, ties to the lowest index. The
    first :math:`\lfloor \text{start} \cdot n_c + 0.5 \rfloor` are skipped. The next ones are kept, as
    many as the class has seats. ``index[:b]`` is the window of b samples with the same start.

    The windows are those of BWS (Choi, Ki, Chung, "BWS: Best Window Selection Based on Sample Scores for
    Data Pruning across Broad Ranges", ICML 2024, arXiv:2406.03057). BWS tries many starts and
    uses the one whose samples give the best kernel ridge regression on features. This function does not
    search: call it for several starts, and choose with your own model.

    Args:
        embeddings: Not needed.
        scores: Difficulty [N], >= 0, higher is harder.
        start: Fraction of each class's hardest samples that is skipped, at least 0 and below 1.
        **common: See :func:`d2pyg.select`. A class that runs out passes its seats on.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the scores.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> window(scores=[3, 1, 4, 1, 5], budget=2, start=0.2).index
        tensor([2, 0])
    """
    fraction = as_real("start", start, "It is a fraction of the samples, such as 0.1.")
    if not 0 <= fraction < 1:
        raise ValueError(
            f"Expected 'start' to be at least 0 and below 1 (got {fraction:g}). It is the fraction of "
            f"the hardest samples that is skipped, such as 0.1."
        )

    def left(score: Tensor, group: Tensor) -> Tensor:
        order = (-score).argsort(stable=True)
        order = order[group[order].argsort(stable=True)]
        size = group.bincount()
        skipped = group.new_tensor([math.floor(fraction * n + 0.5) for n in size.tolist()])
        after = rank_in_group(group[order], len(size)) >= skipped[group[order]]
        return order[after].sort().values

    task = task_of(embeddings, scores, common, needs_scores="window", left=left)
    score = task.score[task.pool]
    index = ranked(task, -score)
    return task.coreset(index, task.score[index], score, {"method": "window", "start": fraction})
