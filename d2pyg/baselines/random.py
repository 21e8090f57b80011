"""Random samples: the control that every comparison needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2pyg._base.chance import draws
from d2pyg._base.checks import ArrayLike
from d2pyg.baselines.common import method, of_all, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


@method("random")
def random(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    seed: int = 0,
    **common: Unpack[Common],
) -> Coreset:
    """Random samples, without replacement. With labels, each class gets its seats.

    Each sample draws a uniform number, and the smallest are kept. The draws do not depend on the budget.
    So ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: [N, d], only used for N. May be None if ``scores`` or ``labels`` are given.
        scores: Difficulty [N], only used by ``cutoff``.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset).
        seed: Seed of the draws, a whole number >= 0.
        **common: ``keep``, ``prune`` or ``budget``, ``labels``, ``balance``, ``min_per_class``, ``ids``,
            ``device``: see :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the numbers drawn.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> random(torch.zeros(10, 2), budget=3, seed=1)
        Coreset(3 of 10, method='random')
        >>> random(labels=[0, 0, 0, 1, 1, 1], budget=2).index < 3
        tensor([ True, False])
    """
    task = task_of(embeddings, scores, common, cutoff=cutoff, initial=initial)
    drawn = draws(seed, task.num_samples).to(task.place)[task.pool]
    index = ranked(task, drawn)
    settings = {"method": "random", "seed": seed}
    return task.coreset(index, of_all(task, drawn)[index], task.score[task.pool], settings)
