"""The built-in forward step on sorted edges. Equals PyG's message passing bit by bit, but faster."""

from __future__ import annotations

from torch import Tensor

from d2pyg._base.pages import unwritten_like
from d2pyg.graph.edges import Edges, SortedEdges
from d2pyg.graph.order import by_target
from d2pyg.nn.exact_sum import ExactSum
from d2pyg.nn.forward import ForwardMessagePassing


def sums_rows(layer: ForwardMessagePassing, score: Tensor) -> bool:
    """Whether a layer only sums weighted scores exactly.

    A subclass may do something else. So may hooks, an explainer, and methods set on the object.
    """
    own = vars(layer)
    return (
        type(layer) is ForwardMessagePassing
        and type(layer.aggr_module) is ExactSum
        and layer.flow == "source_to_target"
        and layer.decomposed_layers == 1
        and not layer.explain
        and not any(own[name] for name in own if name.endswith("_hooks"))
        and not any(name in own for name in ("forward", "propagate", "message", "aggregate"))
        and score.dim() == 1
    )


def along_rows(layer: ForwardMessagePassing, score: Tensor, edges: Edges) -> Tensor:
    """The scores float64 [N] after all hops of such a layer."""
    if layer.combine == "none":
        return layer.scalarize(score)
    rows = by_target(edges)
    weight = layer.kernel.weight(rows.distance, layer.gamma).to(score.dtype)
    if weight.shape != rows.distance.shape:  # PyG broadcasts it, or raises an error
        return through_pyg(layer, score, edges)
    for _ in range(layer.hops):
        score = layer.update(weighted_sums(rows, weight, score), score)
    return layer.scalarize(score)


def through_pyg(layer: ForwardMessagePassing, score: Tensor, edges: Edges) -> Tensor:
    """The scores after any layer."""
    found: Tensor = layer(score, edges.edge_index, edges.distance)
    return found


def weighted_sums(rows: SortedEdges, weight: Tensor, score: Tensor) -> Tensor:
    """For each node the exact sum of ``weight * score`` over its neighbors, float64 [N].

    Args:
        rows: The edges.
        weight: float64 [E].
        score: float64 [N].
    """
    if score.device.type != "cpu":
        messages = weight * score[rows.source]
        summed: Tensor = ExactSum()(messages, rows.target, dim=0, dim_size=rows.num_nodes)
        return summed
    from d2pyg.nn import exact_loop  # compiles, so only when it is needed

    total = unwritten_like(score)
    exact_loop.weighted_sums(
        *(part.contiguous().numpy() for part in (rows.ptr, rows.source, weight, score, total))
    )
    return total
