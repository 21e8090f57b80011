"""Facility location: each sample is served by the most similar one that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils.sparse import index2ptr

from d2pyg.baselines.common import method, task_of
from d2pyg.baselines.similarity import similarities
from d2pyg.checks import ArrayLike
from d2pyg.coreset import Coreset
from d2pyg.graph.edges import Edges
from d2pyg.graph.given import Given
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.nn.kernel import Kernel
from d2pyg.progress import Progress, progress_bar
from d2pyg.task import Task

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common

_PICKS_TOGETHER = 1 << 14  # between looks at the progress bar, and at Ctrl-C


@method("facility_location")
def facility_location(
    embeddings: Embeddings | Data,
    scores: ArrayLike | None = None,
    *,
    k: int | None = None,
    gamma: float = 1.0,
    kernel: str | Kernel = "rbf",
    cutoff: float = 0.0,
    initial: ArrayLike | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    progress: bool = False,
    **common: Unpack[Common],
) -> Coreset:
    r"""Greedy maximisation of facility location, on the similarities of a kNN graph.

    .. math:: f(S) = \sum_{i} \max_{j \in S} s_{ij}

    (Iyer et al., "Submodular Combinatorial Information Measures with Applications in Machine Learning",
    ALT 2021; monotone and submodular, so greedy reaches at least 1 - 1/e of the optimum.) Always the
    sample with the largest gain is picked, ties to the lowest index. Gains only fall, so a gain computed
    earlier is a bound, and most are never computed again (Minoux's lazy greedy); the picks are those
    of computing all. Similarities: :math:`s_{ii} = 1`;
    :math:`s_{ij} = e^{-\gamma (d_{ij} / \text{median})^2}` if i is one of the k nearest of j, or j of i;
    else 0. They are rounded to multiples of 2**-30, which makes gains exact sums.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest. The graph is built
    on the device; the picks are made on the CPU.

    Args:
        embeddings: [N, d]; or a graph from :func:`d2pyg.knn_graph`, to build it once for many runs.
        scores: Difficulty [N], for ``cutoff`` alone.
        k: Neighbours a sample, 1 to N - 1; default 10 (N - 1 if that is less), or all that a given
            graph has.
        gamma: Decay of similarity with distance, >= 0.
        kernel: ``"rbf"``, ``"laplacian"`` or a :class:`d2pyg.nn.Kernel` with weights in 0 to 1.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Indices already chosen, in S from the start.
        metric: ``"euclidean"`` (default) or another distance of :func:`d2pyg.knn_graph`; not with a
            graph, which has its own.
        backend: See :func:`d2pyg.knn_graph`; not with a graph.
        progress: Show bars of rows and picks done.
        **common: See :func:`d2pyg.select`. With labels there is a graph a class; a given one joins no
            samples of different labels.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the gains.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.
        ImportError: If the backend's package is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0]])
        >>> facility_location(x, budget=2, k=1).index
        tensor([1, 3])
    """
    given = Given.of(embeddings, metric, backend)
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    edges, settings = similarities(given, task, k, gamma, kernel, progress)
    with progress_bar(task.kept, "facility location", "picks", progress) as bar:
        place, gain = _lazy_greedy(edges, task, bar)
    by_class = task.group[task.pool][place].argsort(stable=True)
    return task.coreset(
        task.pool[place][by_class],
        gain[by_class],
        task.score[task.pool],
        {"method": "facility_location", **settings},
    )


def _lazy_greedy(edges: Edges, task: Task, bar: Progress) -> tuple[Tensor, Tensor]:
    """The picks, of all classes together as they come, and their gains."""
    from d2pyg.baselines import lazy_loop  # compiles, so only when it is needed

    order = edges.target.argsort(stable=True)
    graph = (
        index2ptr(edges.target[order], edges.num_nodes).cpu().numpy(),
        edges.source[order].cpu().numpy(),
        edges.distance[order].cpu().numpy(),
    )
    served = np.zeros(edges.num_nodes)
    start = task.start[task.pool].cpu().numpy()
    for node in start.nonzero()[0]:
        lazy_loop.serve(int(node), *graph, served)
    heap = (~start).nonzero()[0].astype(np.int32)
    gain = np.array([lazy_loop.gain(int(node), *graph, served) for node in heap])
    group, left = task.group[task.pool].cpu().numpy(), task.count.cpu().numpy().copy()
    size, room = np.array([len(heap)]), np.full(edges.num_nodes, -1, dtype=np.int32)
    lazy_loop.heapify(heap, gain, room, len(heap))
    index, value = np.empty(task.kept, dtype=np.int64), np.empty(task.kept)
    for first in range(0, task.kept, _PICKS_TOGETHER):
        block = slice(first, first + _PICKS_TOGETHER)
        bar.update(
            lazy_loop.take(
                *graph, served, group, left, heap, gain, room, size, index[block], value[block]
            )
        )
    return torch.from_numpy(index).to(task.place), torch.from_numpy(value).to(task.place)
