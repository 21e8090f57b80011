"""Difficulty known for some samples, carried to the rest by message passing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg.checks import ArrayLike, as_count, as_index, as_scores
from d2pyg.graph.edges import both_directions, edges_of, median_distance
from d2pyg.graph.knn import Embeddings, knn_graph
from d2pyg.nn.exact_sum import ExactSum
from d2pyg.nn.kernel import Kernel, as_kernel


class Extrapolation(NamedTuple):
    """What :func:`extrapolate` returns.

    Attributes:
        scores: float64 [N]; the known ones as they were given.
        rank_correlation: Spearman's, between true and carried scores of the held-out samples, in -1
            to 1; 0 where either is constant.
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
    k: int = 10,
    gamma: float = 1.0,
    kernel: str | Kernel = "rbf",
    iterations: int = 50,
    held_out: float = 0.2,
    seed: int,
) -> Extrapolation:
    r"""Carries scores from some samples to all, and says how well it did.

    An unknown score becomes the weighted mean of its neighbours', again and again,

    .. math:: x_i \leftarrow \frac{\sum_j e_{ij}\, x_j}{\sum_j e_{ij}}, \qquad
        e_{ij} = \exp(-\gamma\, (d_{ij} / s)^2),

    from the mean of the known ones, which stay (Zhu, Ghahramani & Lafferty 2003: harmonic functions).
    s is the median distance. To train on 20% of the samples for their scores and carry them to the
    rest costs a fifth of training on all.

    The rank correlation comes from a run of its own in which a share of the known scores was hidden. It
    is a little pessimistic, since the scores returned use all of them.

    Args:
        embeddings: [N, d], or a graph from :func:`d2pyg.knn_graph`, of which all neighbours are used.
        index: int [M], the samples whose score is known.
        scores: [M], >= 0.
        k: Neighbours a sample.
        gamma: Decay of weights with distance.
        kernel: As in :func:`d2pyg.select`.
        iterations: Times the mean is taken: knowledge goes so many edges far.
        held_out: Share of the known scores hidden to measure the rank correlation, in 0 to 1; at least
            two samples, and not all.
        seed: Of which are hidden.

    Raises:
        ValueError, TypeError: If an argument breaks its rule.

    Example:
        >>> x = torch.linspace(0, 1, 50).unsqueeze(1)
        >>> found = extrapolate(x, range(0, 50, 5), range(0, 50, 5), k=2, seed=0)
        >>> found.scores[[0, 1, 2, 48, 49]].round()
        tensor([ 0.,  1.,  2., 44., 44.], dtype=torch.float64)
    """
    graph = embeddings if isinstance(embeddings, Data) else knn_graph(embeddings, k)
    edges = both_directions(edges_of(graph))
    place = edges.distance.device
    known = as_index("index", list(index) if isinstance(index, range) else index, edges.num_nodes)
    value = as_scores(list(scores) if isinstance(scores, range) else scores, len(known))
    known, value = known.to(place), value.to(place)
    as_count("iterations", iterations, 1, None, "", "50 reaches 50 edges far.")
    hidden = int(held_out * len(known) + 0.5)
    if not 2 <= hidden < len(known):
        raise ValueError(
            f"Expected 'held_out' to hide at least 2 of the {len(known)} known scores, and not all "
            f"(got {held_out}, which hides {hidden}). Pass more known scores, or another share."
        )
    weight = as_kernel(kernel).weight(edges.distance / median_distance(edges), gamma)

    sum_of = ExactSum()  # the same on every device

    def carried(known: Tensor, value: Tensor) -> Tensor:
        """All scores, from these."""
        score = value.new_full((edges.num_nodes,), float(value.mean()))
        score[known] = value
        total = sum_of(weight, edges.target, dim_size=edges.num_nodes, dim=0)
        for _ in range(iterations):
            messages = weight * score[edges.source]
            sums = sum_of(messages, edges.target, dim_size=edges.num_nodes, dim=0)
            score = torch.where(total > 0, sums / total, score)
            score[known] = value
        return score

    shuffled = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed)).to(place)
    test, rest = shuffled[:hidden], shuffled[hidden:]
    guessed = carried(known[rest], value[rest])[known[test]]
    return Extrapolation(
        carried(known, value), rank_correlation(guessed, value[test]), known[test].sort().values
    )


def rank_correlation(one: Tensor, two: Tensor) -> float:
    """Spearman's: the correlation of ranks, those of ties their mean. 0 where either is constant.

    Example:
        >>> rank_correlation(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([2.0, 3.0, 4.0]))
        1.0
    """
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (one, two)]
    lengths = float(ranks[0].norm() * ranks[1].norm())
    return round(float(ranks[0] @ ranks[1]) / lengths, 12) if lengths else 0.0


def _ranks(values: Tensor) -> Tensor:
    """Places in ascending order, float64; ties share the mean of theirs."""
    _, inverse, count = values.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).double()
    ranks: Tensor = (last - (count + 1) / 2)[inverse]
    return ranks
