"""select: the whole way, from embeddings and scores to the coreset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg.checks import ArrayLike, as_device, as_flag
from d2pyg.coreset import Coreset
from d2pyg.explanation import Trace
from d2pyg.graph.edges import Edges, edges_of, induced, nearest, own_k
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings, as_embedded, build_graph, check_k
from d2pyg.graph.metric import Metric, PairwiseMetric, as_metric
from d2pyg.greedy.problem import Problem
from d2pyg.greedy.select import check_engine, run
from d2pyg.nn.claims import check_claims
from d2pyg.nn.exact_sum import ExactSum
from d2pyg.nn.forward import ForwardMessagePassing
from d2pyg.nn.kernel import Kernel
from d2pyg.nn.reverse import ReverseMessage, as_reverse
from d2pyg.registry import choices, register
from d2pyg.spread import check_scale, spread
from d2pyg.task import Task


@register("method", "d2")
def select(
    embeddings: Embeddings | Data,
    scores: ArrayLike | None = None,
    *,
    keep: float | None = None,
    prune: float | None = None,
    budget: int | None = None,
    k: int | None = None,
    gamma_forward: float = 1.0,
    gamma_reverse: float | None = None,
    kernel: str | Kernel = "rbf",
    scale: str | float | None = "median",
    update: str = "sum",
    reverse: str | ReverseMessage = "weighted",
    clamp: bool = False,
    undirected: bool = True,
    labels: ArrayLike | None = None,
    balance: str = "proportional",
    min_per_class: int = 0,
    cutoff: float = 0.0,
    initial: ArrayLike | None = None,
    ids: Sequence[Any] | Tensor | np.ndarray[Any, Any] | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    engine: str = "auto",
    device: str | torch.device | None = None,
    debug: bool = False,
    progress: bool = False,
) -> Coreset:
    r"""Keeps the samples that are hard and diverse: D2 Pruning (arXiv:2310.07931).

    Samples become nodes of a kNN graph with edge weights
    :math:`e_{ij} = \exp(-\gamma\, (d_{ij} / s)^2)`. Forward messages spread difficulty,

    .. math:: x_i \leftarrow x_i + \sum_{j \in \mathcal{N}(i)} e_{ij}\, x_j ,

    and then, until the budget is spent, the highest score is picked and its reverse messages lower
    its neighbours', :math:`x_j \leftarrow x_j - e_{kj}\, x_k`, so that the next pick lies elsewhere.

    Args:
        embeddings: [N, d], a tensor or array of any float type, finite; or a graph from
            :func:`d2pyg.knn_graph`, to build it once for many settings. Several embeddings of the same
            samples, as a list or a :class:`d2pyg.graph.Joined`, count together.
        scores: Difficulty [N], >= 0, higher is harder; floats or integers. Default: all ones.
        keep: Fraction kept, floor(keep N + 0.5) samples. Exactly one of ``keep``, ``prune``,
            ``budget`` is given.
        prune: Fraction removed, floor(prune N + 0.5) samples.
        budget: Number of samples kept. ``initial`` samples do not count.
        k: Neighbours a sample, 1 to N - 1; default 5 (N - 1 if that is less), or all that a given
            graph has.
        gamma_forward: Decay of forward messages with distance, >= 0.
        gamma_reverse: Decay of reverse messages; default 0.1. Not with a ``reverse`` object.
        kernel: ``"rbf"`` (paper), ``"laplacian"`` (authors' code) or a :class:`d2pyg.nn.Kernel`.
        scale: What distances are divided by: ``"median"``, the lower median of the positive directed
            edge distances over all classes (1 if there is none); a number > 0; or None.
        update: ``"sum"`` (paper) or ``"product"``, :math:`x_i \sum_j e_{ij} x_j`.
        reverse: ``"weighted"`` (paper), ``"absolute"`` (neighbours lose :math:`x_k` itself) or a
            :class:`d2pyg.nn.ReverseMessage`.
        clamp: Picks at or below 0 send no message. Without it the formula holds to the letter, and
            picks below 0 raise their neighbours.
        undirected: An edge in either direction joins both samples; else i has its own k alone.
        labels: Classes [N], integers: a graph and a budget a class. A class with fewer than k + 1
            samples uses the neighbours it has.
        balance: Seats of the classes: ``"proportional"`` to their sizes (Sainte-Lague) or
            ``"uniform"`` (in turn). A class that runs out passes its seats on.
        min_per_class: Seats each class gets first. A budget too small for that is a warning.
        cutoff: Fraction of the hardest samples that is dropped first (mislabelled data), in 0 to 1.
            It ranks ``scores``; what it drops sends and receives nothing.
        initial: Indices already chosen, as in active learning. They are taken first, count as seats
            of their classes, and are not in the result.
        ids: Your own names of the samples [N], integers or strings, each once, carried into files.
        metric: ``"euclidean"`` (default) or another distance of :func:`d2pyg.knn_graph`; not with a
            graph, which has its own.
        backend: See :func:`d2pyg.knn_graph`; not with a graph.
        engine: See :func:`d2pyg.greedy_select`.
        device: Where to compute; default: where ``embeddings`` are. On MPS, which knows no float64,
            selection runs on the CPU.
        debug: Try first whether the reverse message keeps what it claims, as in
            :func:`d2pyg.greedy_select`.
        progress: Show bars of rows and picks done.

    Returns:
        A :class:`d2pyg.Coreset` on the device of ``embeddings`` (on the CPU for MPS). ``index[:b]`` is
        the coreset of size b, with classes too; ``initial=index[:b]`` gives the rest.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.
        ImportError: If the backend's package is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
        >>> coreset = select(x, scores=[1, 9, 1, 1, 2, 1], budget=3, k=2)
        >>> coreset.index
        tensor([1, 4, 3])
        >>> select(x, scores=[1, 9, 1, 1, 2, 1], budget=3, k=2, labels=[0, 0, 0, 1, 1, 1]).index
        tensor([1, 4, 0])
    """
    given = as_given(embeddings, metric)
    ready = edges_of(given) if isinstance(given, Data) else None
    num_samples = len(given) if ready is None else ready.num_nodes
    task = Task.of(
        num_samples,
        home=as_device(None, given.device if ready is None else ready.edge_index.device),
        scores=scores,
        keep=keep,
        prune=prune,
        budget=budget,
        labels=labels,
        balance=balance,
        min_per_class=min_per_class,
        cutoff=cutoff,
        initial=initial,
        ids=ids,
        device=device,
    )
    place, pool, group = task.place, task.pool, task.group
    clamp, undirected = as_flag("clamp", clamp), as_flag("undirected", undirected)
    debug = as_flag("debug", debug)
    check_scale(scale)
    check_engine(engine)
    layer = ForwardMessagePassing(gamma_forward, kernel, update, aggr=ExactSum())
    message = as_reverse(reverse, gamma_reverse, layer.kernel)

    with torch.no_grad():
        if ready is None:
            edges, source = _edges_built(given, pool, group, k, metric, backend, place, progress)
        else:
            edges, source = _edges_given(given, ready, pool, group, k, metric, backend, place)
        updated, edges, unit = spread(task.score[pool], edges, layer, scale, undirected)

    if debug:
        check_claims(message, edges.distance)
    problem, node = Problem.build(
        score=updated,
        edges=edges,
        group=group[pool],
        count=task.count,
        initial=task.start[pool],
        reverse=message,
        clamp=clamp,
    )
    picks, how = run(problem, engine, progress)

    return task.coreset(
        pool[node[picks.index]],
        picks.score,
        updated,
        {
            "gamma_forward": layer.gamma,
            "gamma_reverse": message.gamma,
            "kernel": kernel,
            "scale": scale,
            "scale_value": unit,
            "update": update,
            "reverse": reverse,
            "clamp": clamp,
            "undirected": undirected,
            **source,
            **how,
        },
        Trace(task.score, problem, pool[node]),
    )


def as_given(embeddings: Any, metric: str | Metric | PairwiseMetric | None) -> Data | Tensor | Joined:
    """A graph, or checked embeddings; kernels weigh distances, so no other metric will do."""
    if isinstance(embeddings, Data):
        measure = embeddings.get("metric")
        if isinstance(measure, str) and measure in choices("metric"):
            measure = as_metric(measure)
    else:
        measure = as_metric("euclidean" if metric is None else metric)
    if isinstance(measure, PairwiseMetric) and not measure.is_distance:
        raise ValueError(
            f"Expected 'metric' to be a distance, which kernels turn into weights (got {measure}). "
            f"Use 'cosine', or normalize the embeddings and use 'euclidean'."
        )
    if isinstance(embeddings, Data):
        return embeddings
    return as_embedded(embeddings, "euclidean" if metric is None else metric)


def k_of(k: int | None, num_samples: int) -> int:
    """The k asked for, or 5, or what there is if that is less."""
    return max(1, min(5, num_samples - 1)) if k is None else check_k(k, num_samples)


def _edges_built(
    embeddings: Tensor | Joined,
    pool: Tensor,
    group: Tensor,
    k: int | None,
    metric: str | Metric | PairwiseMetric | None,
    backend: str,
    place: torch.device,
    progress: bool,
) -> tuple[Edges, dict[str, Any]]:
    """The kNN graph of the pool, class by class."""
    k = k_of(k, len(embeddings))
    graph = build_graph(
        embeddings,
        k,
        "euclidean" if metric is None else metric,
        backend,
        group[pool],
        place,
        progress,
        pool=pool,
    )
    return edges_of(graph), {"k": k, "metric": graph.metric, "backend": graph.backend}


def _edges_given(
    graph: Data,
    edges: Edges,
    pool: Tensor,
    group: Tensor,
    k: int | None,
    metric: str | Metric | PairwiseMetric | None,
    backend: str,
    place: torch.device,
) -> tuple[Edges, dict[str, Any]]:
    """The pool's part of a graph that was built before."""
    for name, value in (("metric", metric), ("backend", None if backend == "auto" else backend)):
        if value is not None:
            raise ValueError(
                f"Expected {name!r} to be left out with a graph, which was built with its own "
                f"(got {value!r}). Pass it to knn_graph."
            )
    most = own_k(graph, edges)
    if k is not None:
        edges = nearest(edges, k, most)
    edges = Edges(edges.edge_index.to(place), edges.distance.to(place), edges.num_nodes)
    across = group[edges.source] != group[edges.target]
    if bool(across.any()):
        raise ValueError(
            f"Expected a graph without edges between samples of different labels (got "
            f"{int(across.sum())} of {len(across)} edges). Build it with "
            f"knn_graph(embeddings, k, batch=labels)."
        )
    if len(pool) < edges.num_nodes:
        edges = induced(edges, pool)
    source = {"metric": graph.get("metric"), "backend": graph.get("backend")}
    return edges, {"k": most if k is None else k, **source}
