"""greedy_select: scores and a graph in, coreset out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike, as_count, as_flag, as_integers, as_scores
from d2pyg._base.labels import as_classes
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.settings import plain, versions
from d2pyg.graph.edges import Edges, edges_of, num_across
from d2pyg.graph.scale import check_scale, scaled
from d2pyg.greedy.problem import Problem
from d2pyg.greedy.run import check_engine, run
from d2pyg.greedy.trace import Trace
from d2pyg.nn.claims import check_claims
from d2pyg.nn.reverse import ReverseMessage, as_reverse
from d2pyg.selection.budget import check_available, num_kept
from d2pyg.selection.initial import as_initial


def greedy_select(
    scores: ArrayLike,
    graph: Data,
    budget: int | ArrayLike,
    reverse: str | ReverseMessage = "weighted",
    *,
    gamma_reverse: float | None = None,
    scale: str | float | None = None,
    clamp: bool = False,
    batch: ArrayLike | None = None,
    initial: ArrayLike | Coreset | None = None,
    engine: str = "auto",
    debug: bool = False,
    progress: bool = False,
) -> Coreset:
    r"""Picks ``budget`` nodes: always the highest score, which then lowers its neighbors' scores.

    .. math:: k = \arg\max_{i \text{ unpicked}} x_i, \qquad x_j \leftarrow x_j - e_{kj} x_k

    for each neighbor j of k, the sources of the edges into k (arXiv:2310.07931, equation 3). Ties
    go to the lowest index. Scores and messages are rounded to one power-of-two grid, about 1e-9 of
    the largest score, so that the picks are the same in every edge order.

    Args:
        scores: [N], finite; higher is picked earlier.
        graph: ``edge_index`` [2, E] and distances in ``edge_attr`` [E], as from
            :func:`d2pyg.knn_graph`, without self-loops. Edges are used as they are.
        budget: Number of picks. With ``batch``, the number for each group: one number for all, or a
            list in ascending order of the groups.
        reverse: ``"weighted"``, ``"absolute"`` or a :class:`~d2pyg.nn.ReverseMessage`.
        gamma_reverse: Decay of the message with squared distance, for ``"weighted"``; default 3.
        scale: What distances are divided by, as in :func:`d2pyg.select`; default: nothing.
        clamp: Picks at or below 0 send no message.
        batch: Group of each node [N], integers, as PyG's ``Batch.batch``. Every group is its own
            selection; all run at once. Edges must join nodes of the same group.
        initial: Nodes taken first, in the order given, whatever their scores. They are not in the
            result; ``initial=index[:b]`` gives the rest. Distinct indices, a mask [N] (in order of
            index), or a coreset (its own initial nodes, then its picks).
        engine: ``"heap"`` (a priority queue on the CPU, for ``linear`` messages), ``"rounds"`` (many
            picks at once on any device, for ``monotone`` messages), ``"sequential"`` (any message, an
            argmax over all nodes for every pick), or ``"auto"``: the fastest one that the message and
            the device allow. All make the same picks.
        debug: First test the claims of the message (:func:`d2pyg.nn.check_claims`). If a claim is
            false, engines would make different picks.
        progress: Show a progress bar of picks.

    Returns:
        A :class:`~d2pyg.Coreset` on the graph's device. With ``batch``, the picks of the first group
        come first, in their order, then those of the second. ``settings["engine"]`` is the engine used,
        and ``settings["engine_report"]`` holds its statistics, such as ``picks_per_round``.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [5.0]])
        >>> graph = d2pyg.knn_graph(x, k=1)
        >>> greedy_select([3.0, 2.9, 1.0], graph, budget=2).index  # 1 is close to 0, so 2 is next
        tensor([0, 2])
        >>> x, batch = torch.tensor([[0.0], [0.1], [5.0], [5.3]]), [0, 0, 1, 1]
        >>> graph = d2pyg.knn_graph(x, k=1, batch=batch)
        >>> greedy_select([3.0, 2.9, 1.0, 4.0], graph, budget=1, batch=batch).index
        tensor([0, 3])
    """
    edges = edges_of(graph)
    place = edges.distance.device
    score = as_scores(scores, edges.num_nodes, signed=True).to(place).clone()
    check_scale(scale)
    edges, unit = scaled(edges, scale)
    clamp, debug = as_flag("clamp", clamp), as_flag("debug", debug)
    check_engine(engine)
    first = as_initial(initial, edges.num_nodes).to(place)
    group, count = _groups(budget, batch, edges, first)
    message = as_reverse(reverse, gamma_reverse, None)
    if debug:
        check_claims(message, edges.distance)

    problem, node = Problem.build(
        score=score,
        edges=edges,
        group=group,
        count=count,
        first=first,
        reverse=message,
        clamp=clamp,
    )
    picks, how = run(problem, engine, progress)
    settings = plain(
        {
            "budget": count.tolist() if batch is not None else int(count),
            "reverse": reverse,
            "gamma_reverse": message.gamma if message.uses_distance else None,
            "scale": scale,
            "scale_value": unit,
            "clamp": clamp,
            "num_groups": None if batch is None else len(count),
            "initial": first.tolist(),
            **how,
            "device": str(place),
            "num_samples": edges.num_nodes,
            "versions": versions(),
        }
    )
    trace = Trace(score, problem, node)
    return Coreset(node[picks.index], picks.score, score, settings, trace=trace)


def _groups(
    budget: int | ArrayLike, batch: ArrayLike | None, edges: Edges, first: Tensor
) -> tuple[Tensor, Tensor]:
    """The group of each node, 0..G-1, and the number of picks of each group."""
    if batch is None:
        wanted = num_kept(edges.num_nodes, None, None, budget)
        taken = len(first)
        check_available(wanted, edges.num_nodes, edges.num_nodes - taken, taken)
        return first.new_zeros(edges.num_nodes), torch.tensor([wanted])
    group, values = as_classes("batch", batch, edges.num_nodes)
    group = group.to(first.device)
    if across := num_across(edges, group):
        raise ValueError(
            f"Expected edges to join nodes of one group of 'batch' (got {across} of "
            f"{len(edges.distance)} that do not). Build the graph with knn_graph(embeddings, k, "
            f"batch=batch)."
        )
    available = (group.bincount() - group[first].bincount(minlength=len(values))).cpu()
    if isinstance(budget, int) or getattr(budget, "ndim", None) == 0:
        remedy = "Pass one number for all groups, or one per group."
        one = as_count("budget", budget, 0, None, "", remedy)
        budget = [one] * len(values)
    count = as_integers("budget", budget, len(values), "groups").cpu()
    wrong = (count < 0) | (count > available)
    if bool(wrong.any()):
        at = int(wrong.nonzero()[0])
        raise ValueError(
            f"Expected 'budget' to be between 0 and {int(available[at])}, the nodes that can be "
            f"picked, for group {values[at]!r:.40} of 'batch' (got {int(count[at])}). Pass one budget "
            f"a group."
        )
    return group, count
