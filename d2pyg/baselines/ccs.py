"""Coverage-centric selection: random samples, spread evenly over all levels of difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from d2pyg._base.chance import draws
from d2pyg._base.checks import ArrayLike, as_count
from d2pyg._base.grouping import rank_in_group
from d2pyg.baselines.common import method, of_all, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


@method("ccs")
def ccs(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    strata: int = 50,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    seed: int = 0,
    **common: Unpack[Common],
) -> Coreset:
    r"""Random samples, as evenly as possible from strata of difficulty (Zheng et al., ICLR 2023).

    After the cutoff, the range of the scores is divided into strata of equal width. Sample i is in

    .. math:: s_i = \min\left(S - 1, \left\lfloor S\, \frac{x_i - x_{\min}}{x_{\max} - x_{\min}}
        \right\rfloor\right) .

    Strata get their shares in order of size, the smallest first. Each gets an equal share of the
    remaining budget, rounded down, or all of its samples if it has fewer (Algorithm 1 of
    "Coverage-centric Coreset Selection for High Pruning Rates", arXiv:2210.15809, rounded as in the
    authors' code). Inside a stratum, samples are random. Here the last stratum includes
    :math:`x_{\max}`; the authors' code multiplies :math:`x_{\max}` by 1.0001 instead. The paper has no
    classes. With ``labels``, this is CCS inside each class, on the range of scores of that class.

    Picks are returned in rounds: each round takes a sample from every stratum that has any left, the
    largest stratum first (of equally large ones the harder). This gives the same shares, so
    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: Not needed.
        scores: Difficulty [N], >= 0, higher is harder.
        strata: Number of strata S, at least 1; the paper uses 50.
        cutoff: Fraction of the hardest samples dropped first, the paper's beta. It uses these scores;
            the authors' code always uses AUM.
        initial: Samples already chosen (indices, a mask or a coreset). Each counts toward its stratum.
        seed: Seed of the random order, a whole number >= 0.
        **common: See :func:`d2pyg.select`.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the strata, 0 the easiest.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> coreset = ccs(scores=[0, 0, 0, 0, 0, 0, 5, 9, 10], strata=2, budget=5)
        >>> coreset.pick_scores
        tensor([0., 1., 0., 1., 0.], dtype=torch.float64)
    """
    strata = as_count("strata", strata, 1, None, "", "The paper divides into 50.")
    task = task_of(embeddings, scores, common, cutoff=cutoff, initial=initial, needs_scores="ccs")
    score, group = task.score[task.pool], task.group[task.pool]
    stratum = _strata(score, group, task.num_groups, strata)
    drawn = draws(seed, task.num_samples).to(task.place)[task.pool]
    drawn = drawn - task.start[task.pool].double()  # initial samples come first in their strata
    key = _turn(_cells(group, stratum), drawn)
    index = ranked(task, key)
    pick_scores = of_all(task, stratum)[index]
    settings = {"method": "ccs", "strata": strata, "seed": seed}
    return task.coreset(index, pick_scores, score, settings)


def _strata(score: Tensor, group: Tensor, num_groups: int, strata: int) -> Tensor:
    """float64 [M], the stratum of each sample in the range of its class."""
    low = score.new_full((num_groups,), torch.inf).scatter_reduce(0, group, score, "amin")
    high = score.new_full((num_groups,), -torch.inf).scatter_reduce(0, group, score, "amax")
    width = (high - low)[group]
    part = torch.where(width > 0, (score - low[group]) / width, 0)
    return (part * strata).floor().clamp(max=strata - 1)


def _cells(group: Tensor, stratum: Tensor) -> Tensor:
    """int64 [M], the number of each sample's stratum, among the nonempty strata of all classes."""
    values, rank = stratum.unique(return_inverse=True)
    cell: Tensor = (group * len(values) + rank).unique(return_inverse=True)[1]
    return cell


def _turn(cell: Tensor, drawn: Tensor) -> Tensor:
    """The turn of each sample: by its place in its stratum, then the largest stratum first."""
    order = drawn.argsort(stable=True)
    order = order[cell[order].argsort(stable=True)]
    size = cell.bincount()
    place = torch.empty_like(order)
    place[order] = rank_in_group(cell[order], len(size))
    by_size = size.argsort(stable=True).argsort()
    return place * len(size) + (len(size) - 1 - by_size[cell])
