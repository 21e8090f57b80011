"""Scores without labels: from embeddings alone."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.chance import draws
from d2pyg._base.checks import as_count, as_device, as_flag
from d2pyg._base.defaults import K
from d2pyg._base.grid import largest_magnitude, power_of_two
from d2pyg._base.room import room_for
from d2pyg.graph.given import Given, k_of
from d2pyg.graph.kmeans import Directions, spherical_kmeans
from d2pyg.graph.knn import Embeddings, as_embedded, build_graph
from d2pyg.graph.metric import Metric, PairwiseMetric


def prototypicality(
    embeddings: Embeddings, num_prototypes: int = 100, *, seed: int, raw: bool = False
) -> Tensor:
    r"""Distance to the nearest prototype (Sorscher et al. 2022): untypical samples are hard.

    Prototypes are the centers of a spherical k-means from random samples, as in
    :func:`d2pyg.baselines.prototypes`. The score is one minus the largest cosine, in 0 to 2.

    Args:
        embeddings: [N, d], any float type.
        num_prototypes: Number of centers, 1 to N. The paper uses the number of classes or more; results
            hardly depend on it.
        seed: Seed for the first centers. It has no default, because another seed gives other scores.
        raw: Return the largest cosine itself; low is hard.

    Returns:
        float64 [N] on the device of the embeddings (on the CPU for MPS).

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 3.0]])
        >>> prototypicality(x, num_prototypes=1, seed=0).argmax()
        tensor(3)
    """
    given = as_embedded(embeddings, "euclidean")
    count = as_count(
        "num_prototypes",
        num_prototypes,
        1,
        len(given),
        ", the samples",
        "Sorscher et al. take the number of classes.",
    )
    raw = as_flag("raw", raw)
    pool = torch.arange(len(given), device=as_device(None, given.device))
    _, distance = spherical_kmeans(Directions(given, pool), count, seed)
    return 1 - distance if raw else distance


def neighbor_distance(
    embeddings: Embeddings,
    k: int | None = None,
    *,
    metric: str | Metric | PairwiseMetric = "euclidean",
    backend: str = "auto",
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Tensor:
    r"""Mean distance to the k nearest neighbors: isolated samples are hard. At least 0.

    Args:
        embeddings: [N, d], any float type.
        k: 1 to N - 1; default 15 (N - 1 if that is less).
        metric: A distance, as in :func:`d2pyg.knn_graph`.
        backend, device, progress: As in :func:`d2pyg.knn_graph`.

    Returns:
        float64 [N] on the device of the graph.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> neighbor_distance(torch.tensor([[0.0], [1.0], [5.0]]), k=1)
        tensor([1., 1., 4.], dtype=torch.float64)
    """
    given = as_embedded(embeddings, metric)
    k = k_of(k, len(given), K)
    place = as_device(device, given.device)
    graph = build_graph(given, k, metric, backend, None, place, progress)
    Given.of(graph, None)  # refuses values that are not distances
    distance: Tensor = graph.edge_attr.view(graph.num_nodes, k)
    unit = power_of_two(largest_magnitude(distance))
    return (distance / unit).mean(dim=1) * unit


def shuffled(num_samples: int, *, seed: int) -> Tensor:
    """Almost equal scores in random order, in 1 to 1 + 2^-8. float64 [N].

    With them and without a forward pass, D2 picks at random but avoids near-duplicates:
    ``select(x)`` is ``select(x, shuffled(N, seed=0), update="none", flow="source_to_target")``.
    With equal scores instead, ties go to the lowest index, so picks follow the order of the data set.

    Args:
        num_samples: Number of samples, N.
        seed: Seed for the order, a whole number >= 0.

    Example:
        >>> shuffled(3, seed=0)
        tensor([1.0038, 1.0028, 1.0018], dtype=torch.float64)
    """
    count = as_count("num_samples", num_samples, 1, None, "", "It is len(dataset).")
    with room_for("num_samples", count):
        return 1 + draws(seed, count) / 256


def without_scores(num_samples: int) -> Tensor:
    """The scores of :func:`d2pyg.select` if none are given: always the same order."""
    return shuffled(num_samples, seed=0)


def ones(num_samples: int) -> Tensor:
    """Equal scores: the paper's choice without labels. float64 [N].

    Example:
        >>> ones(2)
        tensor([1., 1.], dtype=torch.float64)
    """
    count = as_count("num_samples", num_samples, 1, None, "", "It is len(dataset).")
    with room_for("num_samples", count):
        return torch.ones(count, dtype=torch.float64)
