"""Graph cut: samples that are similar to many others, but not to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_real
from d2pyg.baselines.common import method, task_of
from d2pyg.baselines.similarity import similarities
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.given import Given
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.greedy.problem import Problem
from d2pyg.greedy.run import run
from d2pyg.nn.kernel import Kernel
from d2pyg.nn.reverse import ReverseMessage

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


class Redundancy(ReverseMessage):
    """How much a pick lowers the gain of another sample: twice their similarity, times a trade-off."""

    monotone = True

    def __init__(self, tradeoff: float) -> None:
        super().__init__()
        self.tradeoff = tradeoff

    def message(self, pick_score: Tensor, neighbor_score: Tensor, distance: Tensor) -> Tensor:
        return 2 * self.tradeoff * distance  # the edges carry similarities


@method("graph_cut")
def graph_cut(
    embeddings: Embeddings | Data,
    scores: ArrayLike | None = None,
    *,
    tradeoff: float = 0.5,
    k: int | None = None,
    gamma: float = 1.0,
    kernel: str | Kernel = "rbf",
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    progress: bool = False,
    **common: Unpack[Common],
) -> Coreset:
    r"""Greedy maximization of the graph cut function, on the similarities of a kNN graph.

    .. math:: f(S) = \sum_{i} \sum_{j \in S} s_{ij} - \lambda \sum_{i, j \in S} s_{ij}

    (Iyer et al., "Submodular Combinatorial Information Measures with Applications in Machine Learning",
    ALT 2021.) For :math:`\lambda \le 1/2` it is monotone and submodular, and greedy reaches at least
    1 - 1/e of the optimum. Above 1/2, picks may lower f; selection goes on until the budget is spent.
    Similarities: :math:`s_{ii} = 1`; :math:`s_{ij} = e^{-\gamma (d_{ij} / \text{median})^2}` if i is one
    of the k nearest of j, or j of i; else 0. They are rounded to multiples of 2**-30.

    A pick k lowers the gain of each j by :math:`2 \lambda s_{kj}`. This is a reverse message that does
    not depend on the pick's score, so d2pyg's engines run it on any device.

    ``index[:b]`` is the coreset of size b, and ``initial=index[:b]`` gives the rest.

    Args:
        embeddings: [N, d]; or a graph from :func:`d2pyg.knn_graph`, to build it once for many runs.
        scores: Difficulty [N], only used by ``cutoff``.
        tradeoff: Weight :math:`\lambda` of redundancy, at least 0. It is ``lambdaVal`` in submodlib and
            1 / ``alpha`` in apricot.
        k: Neighbors per sample, 1 to N - 1; default 10, as in ``benchmarks/accuracy`` (N - 1 if that is
            less), or all that a given graph has.
        gamma: Decay of similarity with distance, >= 0.
        kernel: ``"rbf"``, ``"laplacian"`` or a :class:`d2pyg.nn.Kernel` with weights in 0 to 1.
        cutoff: Fraction of the hardest samples dropped first.
        initial: Samples already chosen (indices, a mask or a coreset), in S from the start.
        metric: ``"euclidean"`` (default) or another distance of :func:`d2pyg.knn_graph`. A graph has its
            own, so leave this out then.
        backend: See :func:`d2pyg.knn_graph`. Leave it out with a graph.
        progress: Show progress bars of rows and picks.
        **common: See :func:`d2pyg.select`. With labels, each class has its own graph; a given
            graph must not join samples of different labels.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the gains.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.
        ImportError: If the backend's package is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0]])
        >>> graph_cut(x, budget=2, k=1).index
        tensor([1, 0])
    """
    tradeoff = as_real("tradeoff", tradeoff, "Graph cuts are monotone for 0 to 0.5.")
    if tradeoff < 0:
        raise ValueError(
            f"Expected 'tradeoff' to be at least 0 (got {tradeoff:g}). Below 0 it would reward picks "
            f"that are alike."
        )
    given = Given.of(embeddings, metric, backend)
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    edges, settings = similarities(given, task, k, gamma, kernel, progress)
    gain = torch.ones(edges.num_nodes, dtype=torch.float64, device=task.place)
    gain = gain.index_add(0, edges.target, edges.distance) - tradeoff
    problem, node = Problem.build(
        score=gain,
        edges=edges,
        group=task.group[task.pool],
        count=task.count,
        first=task.first_in_pool,
        reverse=Redundancy(tradeoff),
        clamp=False,
    )
    picks, how = run(problem, "auto", progress)
    settings = {"method": "graph_cut", "tradeoff": tradeoff, **settings, **how}
    index = task.pool[node[picks.index]]
    return task.coreset(index, picks.score, task.score[task.pool], settings)
