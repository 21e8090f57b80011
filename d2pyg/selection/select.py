"""select: from embeddings and scores to the coreset."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_columns, as_device, as_flag
from d2pyg._base.defaults import K
from d2pyg._base.registry import register
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.given import Given
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import Metric, PairwiseMetric
from d2pyg.graph.scale import check_scale
from d2pyg.greedy.problem import Problem
from d2pyg.greedy.run import check_engine, run
from d2pyg.greedy.trace import Trace
from d2pyg.nn.claims import check_claims
from d2pyg.nn.forward import ForwardMessagePassing, as_forward
from d2pyg.nn.kernel import Kernel
from d2pyg.nn.reverse import ReverseMessage, as_reverse
from d2pyg.nn.spread import spread
from d2pyg.scores.given import Scores
from d2pyg.selection.difficulty import difficulty_of
from d2pyg.selection.request import Task
from d2pyg.selection.sourced import sourced


@register("method", "d2")
@sourced
def select(
    embeddings: Embeddings | Data,
    scores: Scores = None,
    *,
    keep: float | None = None,
    prune: float | None = None,
    budget: int | None = None,
    k: int | None = None,
    gamma_forward: float | None = None,
    gamma_reverse: float | None = None,
    kernel: str | Kernel | None = None,
    scale: str | float | None = "median",
    update: str | None = None,
    forward: str | ForwardMessagePassing = "weighted",
    reverse: str | ReverseMessage = "weighted",
    clamp: bool = False,
    flow: str | None = None,
    labels: ArrayLike | None = None,
    balance: str = "proportional",
    min_per_class: int = 0,
    cutoff: float | str = 0.0,
    initial: ArrayLike | Coreset | None = None,
    ids: ArrayLike | None = None,
    metric: str | Metric | PairwiseMetric | None = None,
    backend: str = "auto",
    recall: float | None = None,
    engine: str = "auto",
    device: str | torch.device | None = None,
    debug: bool = False,
    progress: bool = False,
) -> Coreset:
    r"""Keeps the samples that are hard and diverse: D2 Pruning (arXiv:2310.07931).

    Samples become nodes of a kNN graph with edge weights
    :math:`e_{ij} = \exp(-\gamma\, (d_{ij} / s)^2)`. Forward messages spread difficulty:

    .. math:: x_i \leftarrow x_i + \sum_{j \in \mathcal{N}(i)} e_{ij}\, x_j .

    Then the sample k with the highest score is picked, and its reverse messages lower the scores of its
    neighbors, :math:`x_j \leftarrow x_j - e_{kj}\, x_k`, so that the next pick lies elsewhere. This
    repeats until the budget is spent.

    Args:
        embeddings: [N, d], finite: a tensor or array of any float type; a table of numbers or a column
            of vectors from pandas, polars, pyarrow or datasets; or a scipy.sparse matrix, which becomes
            dense in its own type (8 N d bytes for float64; float32 takes half). Integers of tables and
            sparse matrices become float32, or float64 if float32 is not exact. To build the graph once
            for many settings, pass a graph from :func:`d2pyg.knn_graph`. To combine several embeddings
            of the same samples, pass a list or a :class:`d2pyg.graph.Joined`. For files, pass what
            :func:`d2pyg.open` returns.
        scores: Difficulty [N], >= 0, higher is harder; floats or integers. If you pass a
            :class:`d2pyg.scores.TrainingDynamics`, its ``borderline()`` scores are used. If you pass a
            :class:`d2pyg.scores.LossDynamics`, its ``mean_loss()`` is used. Default: nearly equal scores
            in a fixed random order (:func:`d2pyg.scores.shuffled` with seed 0), with ``update="none"``
            and ``flow="source_to_target"``. For a ``forward`` layer with ``in_channels = F``: [N, F],
            finite, the difficulty in the first column. (``sweep``, the baselines and ``greedy_select``
            take one score per sample.)
        keep: Fraction kept, floor(keep N + 0.5) samples. Exactly one of ``keep``, ``prune``,
            ``budget`` is given.
        prune: Fraction removed, floor(prune N + 0.5) samples.
        budget: Number of samples kept. ``initial`` samples do not count.
        k: Neighbors per sample, 1 to N - 1; default 15 (N - 1 if that is less), or all that a given
            graph has.
        gamma_forward: Decay of forward messages with distance, >= 0; default 10. A ``forward`` object
            has its own, so leave this out then.
        gamma_reverse: Decay of reverse messages with distance, >= 0; default 3. Leave it out with
            ``reverse="absolute"``, and with a ``reverse`` object, which has its own.
        kernel: ``"rbf"`` (paper, the default), ``"laplacian"`` (authors' code) or a
            :class:`d2pyg.nn.Kernel`, for both messages. A ``forward`` object has its own, so leave this
            out then; a ``reverse`` given by name uses the kernel of the ``forward`` object.
        scale: What distances are divided by: ``"median"``, the lower median of the positive directed
            edge distances over all classes (1 if there is none); ``"local"``,
            :math:`\sqrt{s_i s_j}`, where :math:`s_i` is the distance of i to its k-th neighbor
            (Zelnik-Manor & Perona 2004; the median where it is 0); a number > 0; or None.
        update: ``"sum"`` (paper, the default), ``"product"``, :math:`x_i \sum_j e_{ij} x_j`, or
            ``"none"`` (the default without scores): no forward pass, scores stay as they are.
            A ``forward`` object has its own, so leave this out then.
        forward: ``"weighted"`` (the formula above) or your own
            :class:`d2pyg.nn.ForwardMessagePassing`. A copy of it runs in float64 and evaluation mode.
            Given its scores, every engine makes the same picks. The scores do not depend on the order
            of the edges if the layer sums by the default :class:`d2pyg.nn.ExactSum` and each message
            depends only on its own edge. Otherwise, as with a softmax over neighbors, their last bits
            may differ, on CUDA even from run to run.
        reverse: ``"weighted"`` (paper), ``"absolute"`` (neighbors lose :math:`x_k` itself) or a
            :class:`d2pyg.nn.ReverseMessage`.
        clamp: Picks at or below 0 send no message. Without it, picks below 0 raise their neighbors, as
            the formula says.
        flow: The direction of the messages. ``"both"`` (the default with scores): an edge in either
            direction joins both samples, in the forward pass too. ``"target_to_source"`` (authors' code
            for precomputed neighbors): a pick lowers its own k nearest neighbors. ``"source_to_target"``
            (the default without scores): a pick lowers the samples that have it among their k nearest.
            Every sample is then lowered by exactly k others, so outliers are not picked first.
        labels: Classes [N], integers >= 0, truth values or strings. Each class has its own graph and
            budget. A class with fewer than k + 1 samples uses the neighbors it has.
        balance: How classes share the budget: ``"proportional"`` to their sizes (Sainte-Lague) or
            ``"uniform"`` (in turn). A class that runs out of samples passes its seats on.
        min_per_class: Seats each class gets first. If the budget or the cutoff leaves a class fewer,
            there is a warning.
        cutoff: Fraction of the hardest samples that is dropped first (mislabeled data), at least 0
            and below 1. Samples are ranked by ``scores`` (the first column), or by the mean margins of a
            TrainingDynamics. With a TrainingDynamics, ``"auto"`` drops samples with a negative mean
            margin: on average the model preferred another class. A dropped sample sends and receives no
            message. If ``"auto"`` leaves fewer samples than the budget, the dropped ones follow, the
            largest margin first; their pick scores are NaN. If a class loses all of its samples, there
            is a warning.
        initial: Samples already chosen, as in active learning: distinct indices, a mask [N], names among
            ``ids``, or a :class:`d2pyg.Coreset`. A coreset stands for its own ``initial`` samples, then
            its picks, by name if both have ``ids``. A tensor holds indices. If ``ids`` are integers,
            other integers are names if one of them is no index; if they could be either, that is an
            error. Initial samples are taken first, in the order given (a mask: by index), whatever their
            scores. They count as seats of their classes and are not in the result.
        ids: Your own names of the samples [N], integers or strings, all different. They are written to
            files. Default: those of :func:`d2pyg.open`, if the embeddings are from there.
        metric: ``"euclidean"`` (default) or another distance of :func:`d2pyg.knn_graph`. A graph has its
            own, so leave this out then.
        backend, recall: See :func:`d2pyg.knn_graph`. Leave it out with a graph.
        engine: See :func:`d2pyg.greedy_select`.
        device: Where to compute; default: where ``embeddings`` are. MPS has no float64, so selection
            then runs on the CPU.
        debug: First test the claims of the reverse message, as in :func:`d2pyg.greedy_select`.
        progress: Show progress bars of rows and picks.

    Returns:
        A :class:`d2pyg.Coreset` on the device of ``embeddings`` (on the CPU for MPS). ``index[:b]`` is
        the coreset of size b, with classes too. ``initial=index[:b]`` gives the rest, in this order. If
        you passed ``initial`` yourself, pass it and ``index[:b]`` in one list.

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
    given = Given.of(embeddings, metric, backend, recall)
    found = difficulty_of(
        scores, len(given), gamma_forward=gamma_forward, update=update, forward=forward, flow=flow
    )
    flow = found.flow
    layer = as_forward(forward, gamma_forward, kernel, found.update)
    message = as_reverse(reverse, gamma_reverse, layer.kernel)
    columns = as_columns(None if scores is None else found.scores, len(given), layer.in_channels)
    task = Task.of(
        len(given),
        home=as_device(None, given.device),
        scores=found.scores if columns is None else columns[:, 0],
        keep=keep,
        prune=prune,
        budget=budget,
        labels=labels,
        balance=balance,
        min_per_class=min_per_class,
        cutoff=cutoff,
        hardness=None if found.margin is None else -found.margin,
        initial=initial,
        ids=ids,
        device=device,
    )
    place, pool, group = task.place, task.pool, task.group
    clamp, debug = as_flag("clamp", clamp), as_flag("debug", debug)
    check_scale(scale)
    check_engine(engine)

    with torch.no_grad():
        edges, source = given.edges(k, K, pool, group, place, progress)
        score = (task.score if columns is None else columns.to(place))[pool]
        updated, edges, unit = spread(score, edges, layer, scale, both=flow == "both")

    if debug:
        check_claims(message, edges.distance)
    problem, node = Problem.build(
        score=updated,
        edges=edges.turned() if flow == "source_to_target" else edges,
        group=group[pool],
        count=task.count,
        first=task.first_in_pool,
        reverse=message,
        clamp=clamp,
    )
    picks, how = run(problem, engine, progress)

    return task.coreset(
        pool[node[picks.index]],
        picks.score,
        updated,
        {
            "gamma_forward": None if layer.combine == "none" else layer.gamma,
            "gamma_reverse": message.gamma if message.uses_distance else None,
            "kernel": layer.kernel if layer is forward else "rbf" if kernel is None else kernel,
            "scale": scale,
            "scale_value": unit,
            "update": layer.combine,
            "forward": forward,
            "reverse": reverse,
            "clamp": clamp,
            "flow": flow,
            **source,
            **how,
        },
        Trace(task.score, problem, pool[node]),
    )
