"""Measures of a coreset: coverage of the data, scores, classes, and overlap with other coresets."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import (
    ArrayLike,
    as_count,
    as_device,
    as_embeddings,
    as_index,
    as_real,
    as_scores,
)
from d2pyg._base.grid import largest_magnitude, power_of_two
from d2pyg._base.labels import as_classes, num_values
from d2pyg.graph.cover import covering_radii, to_nearest
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded, build_graph, points_of
from d2pyg.graph.metric import Metric

_MOST_BINS = 10**6


def coverage_radius(
    embeddings: Embeddings, index: ArrayLike, metric: str | Metric = "euclidean"
) -> float:
    r"""The largest distance of any sample to its nearest kept sample; lower covers better.

    .. math:: \max_{i} \min_{j \in S} d(x_i, x_j)

    This is the k-center objective (Sener and Savarese, "Active Learning for Convolutional Neural
    Networks: A Core-Set Approach", ICLR 2018). One outlier can decide it; :func:`aucpr` is the mean.

    Args:
        embeddings: [N, d], any float type; memory-mapped arrays are read in chunks.
        index: Indices of the samples kept [B], at least one.
        metric: ``"euclidean"``, ``"cosine"`` or a :class:`~d2pyg.graph.Metric`.

    Returns:
        The radius; 0 if all samples are kept. Distances are exact, from float64 differences.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [4.0], [9.0]])
        >>> coverage_radius(x, [0, 2])
        5.0
    """
    x = as_embedded(embeddings, metric)
    place = as_device(None, x.device)
    kept = _kept(index, len(x)).to(place)
    return covering_radii(points_of(x, metric, place), kept, [len(kept)])[0]


def aucpr(
    embeddings: Embeddings,
    index: ArrayLike,
    metric: str | Metric = "euclidean",
    held_out: ArrayLike | None = None,
) -> float:
    r"""The mean distance of other samples to the nearest kept one; lower covers better.

    .. math:: \frac{1}{|T|} \sum_{i \in T} \min_{j \in S} d(x_i, x_j)

    AUCpr is the area under a curve of p and r: balls of radius r around the kept samples cover a
    fraction p of the distribution (Zheng, Liu, Lai, Prakash, "Coverage-centric Coreset Selection for
    High Pruning Rates", ICLR 2023). It equals the expected distance to the nearest kept sample. Their
    code does not compute it. The code of D2 Pruning (https://github.com/adymaharana/d2pruning) takes the
    mean over the samples that are not kept, and so does this function by default.

    Args:
        embeddings: [N, d], any float type; memory-mapped arrays are read in chunks.
        index: Indices of the samples kept [B], at least one.
        metric: ``"euclidean"``, ``"cosine"`` or a :class:`~d2pyg.graph.Metric`.
        held_out: [M, d], samples of the distribution, such as a test set. Default: the samples that
            are not kept.

    Returns:
        The mean; 0 if all samples are kept and none are held out. Distances are exact, from float64
        differences.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [4.0], [9.0]])
        >>> aucpr(x, [0, 2])  # (1 + 5) / 2
        3.0
        >>> aucpr(x, [0, 2], held_out=torch.tensor([[3.0], [7.0], [-2.0]]))
        2.0
    """
    x = as_embedded(embeddings, metric)
    place = as_device(None, x.device)
    kept = _kept(index, len(x))
    if held_out is None:
        asked = torch.ones(len(x), dtype=torch.bool).index_fill(0, kept.cpu(), False).nonzero().flatten()
    else:
        if isinstance(x, Joined):
            raise ValueError(
                "Expected 'held_out' to be left out with joined embeddings (got both). Join the samples "
                "and the held-out ones first, and pass their arrays side by side."
            )
        others = as_embeddings(held_out, "held_out")
        if others.shape[1] != x.shape[1]:
            raise ValueError(
                f"Expected 'held_out' to have {x.shape[1]} features, as 'embeddings' have "
                f"(got shape {tuple(others.shape)}). Take both from the same model."
            )
        x = torch.cat([x[kept.to(x.device)].to(place), others.to(place)])
        kept, asked = torch.arange(len(kept)), torch.arange(len(kept), len(x))
    if not len(asked):
        return 0.0
    points = points_of(x, metric, place)
    return float(to_nearest(points, asked.to(place), kept.to(place)).mean())


def near_duplicates(
    embeddings: Embeddings,
    index: ArrayLike,
    threshold: float,
    metric: str | Metric = "euclidean",
) -> float:
    r"""The fraction of kept samples that have another kept one nearby; lower is less redundant.

    .. math:: \frac{1}{|S|} \left| \{ i \in S : \min_{j \in S, j \ne i} d(x_i, x_j) < t \} \right|

    With cosine distance and a small t, these are the duplicates that SemDeDup removes (Abbas, Tirumala,
    Simig, Ganguli, Morcos, 2023, arXiv:2303.09540).

    Args:
        embeddings: [N, d], any float type; memory-mapped arrays are read in chunks.
        index: Indices of the samples kept [B], at least one.
        threshold: t, above 0. Samples closer than this are near-duplicates.
        metric: ``"euclidean"``, ``"cosine"`` or a :class:`~d2pyg.graph.Metric`.

    Returns:
        A fraction in 0 to 1; 0 if only one sample is kept.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [4.0], [9.0]])
        >>> near_duplicates(x, [0, 1, 2, 3], threshold=0.5)
        0.5
    """
    x = as_embedded(embeddings, metric)
    kept = _kept(index, len(x)).to(x.device)
    closer = as_real("threshold", threshold, "It is a distance, such as 0.05.")
    if closer <= 0:
        raise ValueError(
            f"Expected 'threshold' to be above 0 (got {closer:g}). No distance is below 0; for exact "
            f"duplicates pass a tiny number, such as 1e-12."
        )
    place = as_device(None, x.device)
    graph = build_graph(x, 1, metric, "auto", None, place, False, pool=kept.sort().values)
    return int((graph.edge_attr < closer).sum()) / len(kept)


def score_entropy(scores: ArrayLike, index: ArrayLike | None = None, bins: int = 50) -> float:
    r"""The entropy of the kept samples' scores, in nats; higher is a wider mix of easy and hard.

    .. math:: -\sum_{b} p_b \ln p_b

    where :math:`p_b` is the share of kept samples whose score lies in bin b. The bins have equal width
    and span the scores of all samples, lowest to highest. They do not depend on the coreset, so
    coresets of one data set can be compared. Each bin includes its lower edge; the last one also
    includes its upper edge. 50 bins are the strata of CCS (Zheng et al., ICLR 2023).

    Args:
        scores: [N], finite.
        index: Indices of the samples kept [B], at least one. Default: all samples.
        bins: Number of bins, 1 to a million.

    Returns:
        0 (all in one bin, or all scores equal) to ln(bins).

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> score_entropy([0.0, 1.0, 2.0, 3.0], bins=4)  # ln 4
        1.3862943611198906
        >>> score_entropy([0.0, 1.0, 2.0, 3.0], index=[2, 3], bins=2)
        0.0
    """
    total = num_values("scores", scores)
    if not total:
        raise ValueError("Expected 'scores' to have at least one sample (got none). Pass all scores.")
    score = as_scores(scores, total, signed=True)
    bins = as_count("bins", bins, 1, _MOST_BINS, "", "More bins than samples tell nothing.")
    kept = score if index is None else score[_kept(index, total).to(score.device)]
    low, high = score.min(), score.max()
    if low == high:
        return 0.0
    unit = power_of_two(largest_magnitude(score))  # so that nothing overflows
    place = (kept / unit - low / unit) * bins / (high / unit - low / unit)
    place = place.long().clamp(max=bins - 1)
    return _entropy(place.unique(return_counts=True)[1])


def class_counts(labels: ArrayLike, index: ArrayLike) -> dict[Any, int]:
    """The number of samples kept of each class.

    Args:
        labels: [N], integers >= 0, truth values or strings.
        index: Indices of the samples kept [B], at least one.

    Returns:
        The number kept by label, for all labels, ascending. A class without kept samples has 0.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> class_counts([3, 3, 7, 7, 9], index=[0, 1, 2])
        {3: 2, 7: 1, 9: 0}
        >>> class_counts(["dog", "cat", "cat"], index=[0, 1])
        {'cat': 1, 'dog': 1}
    """
    code, values = as_classes("labels", labels, num_values("labels", labels))
    kept = _kept(index, len(code)).to(code.device)
    count = code[kept].bincount(minlength=len(values))
    return dict(zip(values, count.tolist(), strict=True))


def class_balance(labels: ArrayLike, index: ArrayLike) -> float:
    r"""How evenly the kept samples spread over the classes: 1 for equal numbers, 0 for a single class.

    .. math:: \frac{-\sum_{c} p_c \ln p_c}{\ln C}

    where :math:`p_c` is the share of class c among the kept samples, and C the number of classes in
    the whole data set. So a class without kept samples lowers the balance. This is Shannon's entropy
    divided by its maximum, known as Pielou's evenness (1966). :func:`class_counts` has the counts.

    Args:
        labels: [N], integers >= 0, truth values or strings.
        index: Indices of the samples kept [B], at least one.

    Returns:
        0 to 1; 1 if the data set has one class.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> class_balance([0, 0, 0, 1, 1, 1], index=[0, 1, 3, 4])
        1.0
        >>> class_balance([0, 0, 0, 1, 1, 1], index=[0, 1])
        0.0
    """
    count = torch.tensor(list(class_counts(labels, index).values()))
    return _entropy(count) / math.log(len(count)) if len(count) > 1 else 1.0


def overlap(one: ArrayLike, two: ArrayLike) -> float:
    r"""The share of the smaller coreset that is in the other: 1 if nested or equal, 0 if disjoint.

    .. math:: \frac{|S \cap T|}{\min(|S|, |T|)}

    This is the overlap coefficient (Szymkiewicz 1934, Simpson 1943). For coresets of the same size it is
    the share of samples in common. Unlike Jaccard's index, it does not fall because one coreset is
    larger. Two random coresets that keep the fractions p and q overlap by about max(p, q).

    Args:
        one: Indices of the samples of one coreset, at least one.
        two: The same of another coreset of the same data set.

    Returns:
        0 to 1.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> overlap([0, 1, 2, 3], [3, 5])
        0.5
    """
    first, second = _kept(one, None, "one").cpu(), _kept(two, None, "two").cpu()
    return int(torch.isin(first, second).sum()) / min(len(first), len(second))


def _kept(index: ArrayLike, num_samples: int | None, name: str = "index") -> Tensor:
    kept = as_index(name, index, num_samples)
    if not len(kept):
        raise ValueError(
            f"Expected {name!r} to hold at least one sample (got none). Pass coreset.index."
        )
    return kept


def _entropy(count: Tensor) -> float:
    """The entropy of the shares, in nats."""
    share = count[count > 0].double() / count.sum()
    return abs(float((share * share.log()).sum()))  # a sum of what is at most 0
