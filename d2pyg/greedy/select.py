"""greedy_select: scores and a graph in, coreset out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg.budget import check_available, num_kept
from d2pyg.checks import ArrayLike, as_flag, as_index, as_scores
from d2pyg.coreset import Coreset, plain, versions
from d2pyg.graph.edges import edges_of
from d2pyg.greedy import heap, rounds, sequential  # noqa: F401  # they register themselves
from d2pyg.greedy.problem import Problem
from d2pyg.nn.reverse import ReverseMessage, as_reverse
from d2pyg.progress import progress_bar
from d2pyg.registry import look_up, name_of


def greedy_select(
    scores: ArrayLike,
    graph: Data,
    budget: int,
    reverse: str | ReverseMessage = "weighted",
    *,
    gamma_reverse: float | None = None,
    clamp: bool = False,
    initial: ArrayLike | None = None,
    engine: str = "auto",
    progress: bool = False,
) -> Coreset:
    r"""Picks ``budget`` nodes: always the highest score, which then lowers its neighbours'.

    .. math:: k = \arg\max_{i \text{ unpicked}} x_i, \qquad x_j \leftarrow x_j - e_{kj} x_k

    for each neighbour j of k, the sources of the edges into k (arXiv:2310.07931, equation 3). Ties
    go to the lowest index. Scores and messages are rounded to one power-of-two grid, about 1e-9 of
    the largest score (:mod:`d2pyg.grid`), so that the picks are the same in every edge order.

    Args:
        scores: [N], finite; higher is picked earlier.
        graph: ``edge_index`` [2, E] and distances in ``edge_attr`` [E], as from
            :func:`d2pyg.knn_graph`, without self-loops. Taken as it is: directed where it is.
        budget: Number of picks.
        reverse: ``"weighted"``, ``"absolute"`` or a :class:`~d2pyg.nn.ReverseMessage`.
        gamma_reverse: Decay of the message with squared distance, for a name; default 0.1.
        clamp: Picks at or below 0 send no message.
        initial: Nodes taken first, in greedy order among themselves; they are not in the result.
        engine: ``"heap"`` (a priority queue on the CPU, for messages that are ``linear``), ``"rounds"``
            (many picks at once on any device, for messages that are ``monotone``), ``"sequential"``
            (any message, an argmax over all nodes for every pick), or ``"auto"``: the heap on the CPU,
            rounds on CUDA, as far as the message allows. The picks are the same.
        progress: Show a bar of picks done.

    Returns:
        A :class:`~d2pyg.Coreset` on the graph's device.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [5.0]])
        >>> graph = d2pyg.knn_graph(x, k=1)
        >>> greedy_select([3.0, 2.9, 1.0], graph, budget=2).index  # 1 is close to 0, so 2 is next
        tensor([0, 2])
    """
    edges = edges_of(graph)
    place = edges.edge_index.device
    score = as_scores(scores, edges.num_nodes, signed=True).to(place).clone()
    clamp = as_flag("clamp", clamp)
    check_engine(engine)
    budget = num_kept(edges.num_nodes, None, None, budget)
    start = as_index("initial", [] if initial is None else initial, edges.num_nodes).to(place)
    check_available(budget, edges.num_nodes, edges.num_nodes - len(start), len(start))
    message = as_reverse(reverse, gamma_reverse, None)

    problem, node = Problem.build(
        score=score,
        edges=edges,
        group=torch.zeros(edges.num_nodes, dtype=torch.int64, device=place),
        count=torch.tensor([budget]),
        initial=torch.zeros(edges.num_nodes, dtype=torch.bool, device=place).index_fill(0, start, True),
        reverse=message,
        clamp=clamp,
    )
    index, pick_scores, engine = run(problem, engine, progress)
    settings = plain(
        {
            "budget": budget,
            "reverse": reverse,
            "gamma_reverse": message.gamma,
            "clamp": clamp,
            "initial": start.tolist(),
            "engine": engine,
            "device": str(place),
            "num_samples": edges.num_nodes,
            "versions": versions(),
        }
    )
    return Coreset(node[index], pick_scores, score, settings)


def run(problem: Problem, engine: str, progress: bool) -> tuple[Tensor, Tensor, str]:
    """The picks, group after group, their scores, and the engine that found them."""
    if engine == "auto":
        engine = _best_engine(problem)
    solve = look_up("engine", engine)
    with torch.no_grad(), progress_bar(sum(problem.count), "selection", "picks", progress) as bar:
        index, pick_scores = solve(problem, bar)
    return index, pick_scores, name_of(engine)


def check_engine(engine: str) -> None:
    """A name that is known; asked before the graph is built."""
    if engine != "auto":
        look_up("engine", engine)


def _best_engine(problem: Problem) -> str:
    """The fastest engine that runs this message on this device."""
    if problem.reverse.linear and problem.score.device.type == "cpu":
        return "heap"
    return "rounds" if problem.reverse.monotone else "sequential"
