"""A table of neighbors in which some rows are open: only what that concerns is searched."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from d2pyg._base.progress import Progress
from d2pyg.graph.exact import nearest_of
from d2pyg.graph.groups import Search, by_group, dim_of, is_compared
from d2pyg.graph.grow import Neighbors, grown
from d2pyg.graph.metric import Metric
from d2pyg.graph.packed import packable
from d2pyg.graph.pairwise import pairwise_neighbors
from d2pyg.graph.stacked import Embedded


@dataclass(frozen=True)
class Draft:
    """A new graph in which some rows are open.

    The others have their k nearest: of all nodes, or where it grows, of those that are not open.
    """

    embeddings: Embedded
    pool: Tensor  # int64 [N], the rows of the embeddings that are nodes
    group: Tensor | None  # int64 [N]; None for one group
    neighbor: Tensor  # int64 [N, k]; -1 for none; k at most the N - 1 others
    distance: Tensor  # float64 [N, k]; infinite for none
    opened: Tensor  # bool [N], the rows whose neighbors are wanted
    grows: bool  # whether these are new nodes, the last ones, which others may be nearest to


def renew(search: Search, draft: Draft, bar: Progress) -> None:
    """Finds the neighbors of open rows in their groups, in place; the bar is told of nodes done."""
    neighbor, distance, opened, grows = draft.neighbor, draft.distance, draft.opened, draft.grows
    total, k = neighbor.shape
    order, sizes = by_group(draft.group, total, neighbor.device)
    number = torch.arange(len(sizes), device=order.device).repeat_interleave(sizes)
    fresh = torch.zeros_like(sizes).index_add_(0, number, opened[order].long())
    changed = fresh > 0
    # Anew: where that is less work, where the old ones have no k neighbors, and small groups together.
    anew = changed & (2 * fresh > sizes)
    if grows:
        anew |= changed & (sizes - fresh <= k)
    if isinstance(search.metric, Metric) and int(changed.sum()) > 1:
        dim = dim_of(search.embeddings, search.metric, search.pool.device)
        anew |= changed & packable(sizes, dim, search.memory / 2)
    bar.update(int(sizes[~changed].sum()))
    if bool(anew.any()):
        for nodes, inside, values in search.groups(order[anew[number]], sizes[anew], k, bar):
            neighbor[nodes], distance[nodes] = -1, torch.inf
            neighbor[nodes, : inside.shape[1]], distance[nodes, : inside.shape[1]] = inside, values
    part = changed & ~anew
    for nodes in order[part[number]].split(sizes[part].tolist()) if bool(part.any()) else ():
        local = torch.searchsorted(nodes, neighbor[nodes].clamp(min=0)), distance[nodes]
        rows = opened[nodes].nonzero().flatten()
        if grows:
            inside, distance[nodes] = _grown(search, nodes, len(nodes) - len(rows), local, bar)
            neighbor[nodes] = nodes[inside]
        else:
            here = nodes[rows]
            inside, distance[here] = _nearest(search, nodes, rows, k, bar)
            neighbor[here] = nodes[inside]
            bar.update(len(nodes) - len(rows))


def _grown(search: Search, nodes: Tensor, first: int, known: Neighbors, bar: Progress) -> Neighbors:
    """All rows of one group, of which the first are known among each other."""
    old = known[0][:first], known[1][:first]
    index = search.pool[nodes]
    if not is_compared(search.metric):
        return grown(search.points(index), old, bar)
    k, places = known[0].shape[1], torch.arange(len(nodes), device=nodes.device)
    given = (search.embeddings, search.metric, nodes.device, index, k, bar, search.memory)
    before = pairwise_neighbors(*given, places[:first], first, old)
    after = pairwise_neighbors(*given, places[first:])
    return torch.cat([before[0], after[0]]), torch.cat([before[1], after[1]])


def _nearest(search: Search, nodes: Tensor, rows: Tensor, k: int, bar: Progress) -> Neighbors:
    """Some rows of one group."""
    index = search.pool[nodes]
    if is_compared(search.metric):
        return pairwise_neighbors(
            search.embeddings, search.metric, nodes.device, index, k, bar, search.memory, rows
        )
    found = nearest_of(search.points(index), rows, k)
    bar.update(len(rows))
    return found
