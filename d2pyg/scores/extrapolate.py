"""Carries the difficulty of some samples to the rest, by message passing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.chance import as_seed
from d2pyg._base.checks import (
    ArrayLike,
    as_count,
    as_device,
    as_index,
    as_real,
    as_scores,
    as_tensor,
    check_finite,
    check_gamma,
    check_length,
)
from d2pyg._base.defaults import K
from d2pyg._base.grid import largest_magnitude, power_of_two
from d2pyg.graph.edges import median_distance
from d2pyg.graph.given import Given
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.order import both_directions
from d2pyg.nn.along_rows import weighted_sums
from d2pyg.nn.kernel import Kernel, as_kernel


class Extrapolation(NamedTuple):
    """What :func:`extrapolate` returns.

    Attributes:
        scores: float64 [N]. Known scores are unchanged.
        rank_correlation: Spearman's rank correlation between true and carried scores of the held-out
            samples, in -1 to 1; 0 if either is constant.
        held_out: int64, the known samples that were hidden to measure it.
    """

    scores: Tensor
    rank_correlation: float
    held_out: Tensor


def extrapolate(
    embeddings: Embeddings | Data,
    index: ArrayLike,
    scores: ArrayLike,
    *,
    k: int | None = None,
    gamma: float = 1.0,
    kernel: str | Kernel = "rbf",
    iterations: int = 50,
    held_out: float = 0.2,
    seed: int,
) -> Extrapolation:
    r"""Carries scores from some samples to all, and measures how well that worked.

    An unknown score is repeatedly replaced by the weighted mean of its neighbors' scores,

    .. math::
        x_i \leftarrow \frac{\sum_j e_{ij}\, x_j}{\sum_j e_{ij}}, \\
        e_{ij} = \exp(-\gamma\, (d_{ij} / s)^2),

    starting from the mean of the known scores. Known scores do not change (Zhu, Ghahramani & Lafferty
    2003: harmonic functions). s is the median distance. A sample so far from all others that its
    weights are all 0 keeps the mean. If you train on 20% of the samples to get their scores, carrying
    them to the rest costs a fifth of training on all samples.

    The rank correlation comes from a separate run that hides some of the known scores. It is slightly
    pessimistic, because the returned scores use all of them.

    Args:
        embeddings: [N, d], or a graph from :func:`d2pyg.knn_graph`.
        index: int [M], the samples whose score is known.
        scores: [M], >= 0.
        k: Neighbors per sample, 1 to N - 1; default 15 (N - 1 if that is less), or all that a given
            graph has.
        gamma: Decay of weights with distance, at least 0.
        kernel: As in :func:`d2pyg.select`.
        iterations: Number of steps. Scores travel one edge per step. It stops early if nothing changes.
        held_out: Share of the known scores that is hidden to measure the rank correlation, in 0 to 1. It
            must be at least two samples, and not all.
        seed: Seed for the choice of hidden samples, a whole number >= 0.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.linspace(0, 1, 50).unsqueeze(1)
        >>> found = extrapolate(x, range(0, 50, 5), range(0, 50, 5), k=2, seed=0)
        >>> found.scores[[0, 1, 2, 48, 49]].round()
        tensor([ 0.,  1.,  2., 44., 44.], dtype=torch.float64)
    """
    gamma, kernel, seed = check_gamma("gamma", gamma), as_kernel(kernel), as_seed(seed)
    as_count("iterations", iterations, 1, None, "", "50 reaches 50 edges far.")
    given = Given.of(embeddings, None)
    place = as_device(None, given.device)
    everyone = torch.arange(len(given), device=place)
    edges, _ = given.edges(k, K, everyone, torch.zeros_like(everyone), place, progress=False)
    edges = both_directions(edges)
    known = as_index("index", index, edges.num_nodes).to(place)
    value = as_scores(scores, len(known)).to(place)
    hidden = _num_hidden(held_out, len(known))
    weight = kernel.weight(edges.distance / median_distance(edges), gamma)
    if not bool(((weight >= 0) & weight.isfinite()).all()):
        raise ValueError(
            f"Expected the weights of the kernel {kernel} to be finite and at least 0 (got "
            f"{float(weight.min()):g} to {float(weight.max()):g}). Use 'rbf'."
        )
    unit = power_of_two(largest_magnitude(value))  # so that no sum is infinite
    total = weighted_sums(edges, weight, weight.new_ones(edges.num_nodes))

    def carried(known: Tensor, value: Tensor) -> Tensor:
        """All scores, from these."""
        score = value.new_full((edges.num_nodes,), float((value / unit).mean()))
        score[known] = value / unit
        for _ in range(iterations):
            sums = weighted_sums(edges, weight, score)
            before, score = score, torch.where(total > 0, sums / total, score)
            score[known] = value / unit
            if score.equal(before):
                break
        return (score * unit).index_copy(0, known, value)

    shuffled = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed)).to(place)
    test, rest = shuffled[:hidden], shuffled[hidden:]
    guessed = carried(known[rest], value[rest])[known[test]]
    return Extrapolation(
        carried(known, value), rank_correlation(guessed, value[test]), known[test].sort().values
    )


def _num_hidden(held_out: float, known: int) -> int:
    """How many of the known scores are hidden."""
    share = as_real("held_out", held_out, "It is a share of the known scores, such as 0.2.")
    if not 0 <= share <= 1:
        raise ValueError(
            f"Expected 'held_out' to be in 0 to 1 (got {share:g}). It is a share of the known scores."
        )
    if known < 3:
        raise ValueError(
            f"Expected 'index' to name at least 3 samples whose score is known (got {known}). Train on "
            f"more, such as a fifth of all."
        )
    hidden = int(share * known + 0.5)
    if not 2 <= hidden < known:
        raise ValueError(
            f"Expected 'held_out' to hide at least 2 of the {known} known scores, and not all (got "
            f"{share:g}, which hides {hidden}). Pass more known scores, or another share."
        )
    return hidden


def rank_correlation(one: ArrayLike, two: ArrayLike) -> float:
    """Spearman's rank correlation. Ties share their mean rank. 0 if either input is constant.

    Example:
        >>> rank_correlation(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([2.0, 3.0, 4.0]))
        1.0
    """
    first, second = _numbers("one", one), _numbers("two", two)
    check_length("two", second, len(first), "numbers in 'one'")
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (first, second.to(first.device))]
    lengths = float(ranks[0].norm() * ranks[1].norm())
    return round(float(ranks[0] @ ranks[1]) / lengths, 12) if lengths else 0.0


def _numbers(name: str, values: ArrayLike) -> Tensor:
    """Finite numbers [M]."""
    tensor = as_tensor(name, values)
    if tensor.dim() != 1 or tensor.is_complex():
        raise ValueError(
            f"Expected {name!r} to be real numbers of shape (M,) (got {tensor.dtype} of shape "
            f"{tuple(tensor.shape)}). Pass one score per sample."
        )
    check_finite(name, tensor)
    return tensor


def _ranks(values: Tensor) -> Tensor:
    """Ranks in ascending order, float64. Ties share their mean rank."""
    _, inverse, count = values.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    ranks: Tensor = (last - (count + 1) / 2)[inverse]
    return ranks
