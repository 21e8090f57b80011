"""Samples far from every prototype: difficulty without labels and without training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2pyg._base.checks import ArrayLike, check_choice
from d2pyg.baselines.common import method, num_clusters, of_all, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.kmeans import Directions, spherical_kmeans
from d2pyg.graph.knn import Embeddings, as_embedded

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


@method("prototypes")
def prototypes(
    embeddings: Embeddings,
    scores: ArrayLike | None = None,
    *,
    clusters: int | None = None,
    which_to_keep: str = "hard",
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    seed: int = 0,
    **common: Unpack[Common],
) -> Coreset:
    r"""The samples farthest from the nearest centroid of a clustering, or the nearest ones.

    This is the self-supervised metric of Sorscher et al., "Beyond Neural Scaling Laws: Beating Power Law
    Scaling via Data Pruning", NeurIPS 2022 (arXiv:2206.14486). It runs k-means on directions (spherical,
    at most 25 iterations, from random samples). Difficulty is the cosine distance to the nearest
    centroid,

    .. math:: 1 - \max_k \frac{x_i \cdot c_k}{\lVert x_i \rVert \lVert c_k \rVert} .

    The paper keeps hard samples of large data sets, and easy samples of small ones.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest. Devices may differ
    in the last bit of a centroid.

    Args:
        embeddings: [N, d]. A zero vector is a direction of its own.
        scores: Difficulty [N], only used by ``cutoff``.
        clusters: Number of clusters, 1 to the number of samples; default: their square root, rounded up.
            (The paper takes about as many as there are classes.)
        which_to_keep: Which samples to keep: ``"hard"`` (far from the centroid) or ``"easy"``; ties go
            to the lowest index.
        cutoff: Fraction of the hardest samples dropped first, before clustering.
        initial: Samples already chosen (indices, a mask or a coreset).
        seed: Seed for the samples that centroids start from.
        **common: See :func:`d2pyg.select`. Labels only give seats; clusters may span classes.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the distances.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.5, 0.5]])
        >>> prototypes(x, budget=1, clusters=1).index
        tensor([3])
    """
    check_choice("which_to_keep", which_to_keep, ("hard", "easy"))
    given = as_embedded(embeddings, "euclidean")
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    clusters = num_clusters(clusters, task)
    _, distance = spherical_kmeans(Directions(given, task.pool), clusters, seed)
    index = ranked(task, -distance if which_to_keep == "hard" else distance)
    settings = {
        "method": "prototypes",
        "clusters": clusters,
        "which_to_keep": which_to_keep,
        "seed": seed,
    }
    return task.coreset(index, of_all(task, distance)[index], task.score[task.pool], settings)
