"""Scores without labels: from embeddings alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from d2pyg.checks import as_count
from d2pyg.extras import require
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded, knn_graph
from d2pyg.graph.metric import CosineMetric, Metric, PairwiseMetric

_ROWS_TOGETHER = 1 << 14


def prototypicality(
    embeddings: Embeddings, num_prototypes: int = 100, *, seed: int, raw: bool = False
) -> Tensor:
    r"""Distance to the nearest prototype (Sorscher et al. 2022): the untypical are hard.

    Prototypes are the centres of a spherical k-means: scikit-learn's KMeans on directions, centres put
    back on the sphere. The score is one minus the largest cosine, in 0 to 2.

    Args:
        embeddings: [N, d], any float type.
        num_prototypes: Centres, 1 to N. The paper takes the number of classes or more; results hardly
            depend on it.
        seed: Of the first centres. There is no default: another seed gives other scores.
        raw: The largest cosine itself, low is hard.

    Returns:
        float64 [N].

    Raises:
        ImportError: If scikit-learn is not installed.

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
    cluster = require("sklearn.cluster", "scikit-learn")
    direction = torch.cat([_directions(part).float() for part in _parts(given)])
    means = cluster.KMeans(count, random_state=seed, n_init=1).fit(direction.numpy())
    centre = nn.functional.normalize(torch.as_tensor(means.cluster_centers_).double(), dim=1)
    found = [(_directions(part) @ centre.T).amax(dim=1) for part in _parts(given)]
    cosine = torch.cat(found).clamp_(-1, 1)
    return cosine if raw else 1 - cosine


def neighbour_distance(
    embeddings: Embeddings,
    k: int = 5,
    *,
    metric: str | Metric | PairwiseMetric = "euclidean",
    backend: str = "auto",
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Tensor:
    r"""Mean distance to the k nearest others: the isolated are hard. At least 0.

    Args:
        embeddings: [N, d], any float type.
        k: 1 to N - 1.
        metric, backend, device, progress: As in :func:`d2pyg.knn_graph`.

    Returns:
        float64 [N] on the device of the graph.

    Example:
        >>> neighbour_distance(torch.tensor([[0.0], [1.0], [5.0]]), k=1)
        tensor([1., 1., 4.], dtype=torch.float64)
    """
    graph = knn_graph(embeddings, k, metric=metric, backend=backend, device=device, progress=progress)
    distance: Tensor = graph.edge_attr.view(graph.num_nodes, k).mean(dim=1)
    return distance


def ones(num_samples: int) -> Tensor:
    """All equally hard: selection by diversity alone. float64 [N].

    Example:
        >>> ones(2)
        tensor([1., 1.], dtype=torch.float64)
    """
    count = as_count("num_samples", num_samples, 1, None, "", "It is len(dataset).")
    return torch.ones(count, dtype=torch.float64)


def _parts(embeddings: Tensor | Joined) -> list[Tensor]:
    """Chunks in float64 on the CPU, of joined embeddings as their metric maps them."""
    parts = []
    for start in range(0, len(embeddings), _ROWS_TOGETHER):
        part = embeddings[start : start + _ROWS_TOGETHER].cpu().double()
        parts.append(embeddings.metric.embed(part) if isinstance(embeddings, Joined) else part)
    return parts


def _directions(x: Tensor) -> Tensor:
    """Unit vectors, with one more coordinate for zero vectors, which have no direction."""
    return CosineMetric().embed(x)
