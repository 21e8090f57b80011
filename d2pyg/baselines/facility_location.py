"""Facility location: each sample is served by the most similar one that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from torch_geometric.data import Data

from d2pyg._base.chance import as_seed
from d2pyg._base.checks import ArrayLike, as_real, check_choice, shown
from d2pyg._base.progress import progress_bar
from d2pyg.baselines.common import method, task_of
from d2pyg.baselines.coverage import Coverage, lazy_greedy, stochastic_greedy
from d2pyg.baselines.similarity import similarities
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.given import Given
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.nn.kernel import Kernel

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common


class Chance(TypedDict, total=False):
    """The random settings of stochastic greedy."""

    epsilon: float
    seed: int


@method("facility_location")
def facility_location(
    embeddings: Embeddings | Data,
    scores: ArrayLike | None = None,
    *,
    k: int | None = None,
    gamma: float = 1.0,
    kernel: str | Kernel = "rbf",
    optimizer: str = "lazy",
    epsilon: float | None = None,
    seed: int | None = None,
    cutoff: float = 0.0,
    initial: ArrayLike | Coreset | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    progress: bool = False,
    **common: Unpack[Common],
) -> Coreset:
    r"""Greedy maximization of facility location, on the similarities of a kNN graph.

    .. math:: f(S) = \sum_{i} \max_{j \in S} s_{ij}

    (Iyer et al., "Submodular Combinatorial Information Measures with Applications in Machine Learning",
    ALT 2021.) Similarities: :math:`s_{ii} = 1`;
    :math:`s_{ij} = e^{-\gamma (d_{ij} / \text{median})^2}` if i is one of the k nearest of j, or j of i;
    else 0. They are rounded to multiples of 2**-30, which makes gains exact sums.

    ``optimizer="lazy"`` always picks the sample with the largest gain, ties to the lowest index. f is
    monotone and submodular, so this reaches at least 1 - 1/e of the optimum (Nemhauser, Wolsey, Fisher
    1978). Gains only fall, so an earlier gain is an upper bound, and most gains need not be computed
    again (Minoux 1978). The picks are the same as with all gains computed. ``index[:b]`` is the coreset
    of size b, and ``initial=index[:b]`` gives the rest.

    ``optimizer="stochastic"`` always picks the best of
    :math:`\lceil N_c / B_c \cdot \log(1 / \epsilon) \rceil` random samples of the class that are left,
    where the class has :math:`N_c` samples before its :math:`B_c` picks (Mirzasoleiman et al., "Lazier
    Than Lazy Greedy", AAAI 2015). It computes about :math:`N \log(1 / \epsilon)` gains for any budget,
    and in expectation reaches at least :math:`1 - 1/e - \epsilon` of the optimum. The draws depend on
    the budget, so ``index[:b]`` is not the coreset of size b.

    The graph is built on the device; the picks are made on the CPU.

    Args:
        embeddings: [N, d]; or a graph from :func:`d2pyg.knn_graph`, to build it once for many runs.
        scores: Difficulty [N], only used by ``cutoff``.
        k: Neighbors per sample, 1 to N - 1; default 10, as in ``benchmarks/accuracy`` (N - 1 if that is
            less), or all that a given graph has.
        gamma: Decay of similarity with distance, >= 0.
        kernel: ``"rbf"``, ``"laplacian"`` or a :class:`d2pyg.nn.Kernel` with weights in 0 to 1.
        optimizer: Greedy algorithm, ``"lazy"`` or ``"stochastic"``.
        epsilon: Tolerance :math:`\epsilon` of ``"stochastic"``, above 0 and below 1; default 0.1.
        seed: Seed of ``"stochastic"``, a whole number >= 0; default 0. Draws are made on the CPU.
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
        >>> facility_location(x, budget=2, k=1).index
        tensor([1, 3])
    """
    chance = _chance(optimizer, epsilon, seed)
    given = Given.of(embeddings, metric, backend)
    task = task_of(given, scores, common, cutoff=cutoff, initial=initial)
    edges, settings = similarities(given, task, k, gamma, kernel, progress)
    coverage = Coverage.of(edges, task)
    with progress_bar(task.kept, "facility location", "picks", progress) as bar:
        if chance:
            place, gain = stochastic_greedy(coverage, bar, **chance)
        else:
            place, gain = lazy_greedy(coverage, bar)
    place, gain = place.to(task.place), gain.to(task.place)
    by_class = task.group[task.pool][place].argsort(stable=True)
    return task.coreset(
        task.pool[place][by_class],
        gain[by_class],
        task.score[task.pool],
        {
            "method": "facility_location",
            "optimizer": optimizer,
            "nests": not chance,
            **chance,
            **settings,
        },
    )


def _chance(optimizer: str, epsilon: float | None, seed: int | None) -> Chance:
    """The checked random settings; empty for an optimizer without randomness."""
    check_choice("optimizer", optimizer, ("lazy", "stochastic"))
    if optimizer == "lazy":
        for name, value in (("epsilon", epsilon), ("seed", seed)):
            if value is not None:
                raise ValueError(
                    f"Expected {name!r} to be left out with optimizer 'lazy', which draws nothing (got "
                    f"{shown(value)}). Pass optimizer='stochastic'."
                )
        return {}
    share = as_real("epsilon", 0.1 if epsilon is None else epsilon, "It is a number such as 0.1.")
    if not 0 < share < 1:
        raise ValueError(
            f"Expected 'epsilon' to be above 0 and below 1 (got {share:g}). Smaller is closer to "
            f"the optimum and slower; 0.1 is usual."
        )
    return {"epsilon": share, "seed": as_seed(0 if seed is None else seed)}
