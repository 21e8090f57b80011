"""PropagateDifficulty: spreads the difficulty of the nodes with the forward step."""

from __future__ import annotations

from typing import Any

import torch

from d2pyg._base.checks import as_columns, as_scores, check_choice
from d2pyg._base.options import FLOWS
from d2pyg.graph.scale import check_scale
from d2pyg.nn.forward import ForwardMessagePassing, as_forward
from d2pyg.nn.kernel import Kernel
from d2pyg.nn.spread import spread
from d2pyg.transforms.nodes import Nodes, NodeTransform, check_names


class PropagateDifficulty(NodeTransform):
    r"""Spreads difficulty over a kNN graph: the forward step of :func:`d2pyg.select`.

    .. math:: x'_i = x_i + \sum_{j \in \mathcal{N}(i)} w(d_{ij} / s, \gamma)\, x_j

    The result equals ``coreset.scores`` of ``select`` with the same graph and settings, bit by bit.
    :class:`D2Prune` takes this step itself, so pass it the original scores.

    Args:
        gamma_forward: Decay with distance, >= 0; default 10. A ``forward`` object has its own; leave
            this, ``kernel`` and ``update`` out then.
        kernel: ``"rbf"`` (default), ``"laplacian"`` or a :class:`d2pyg.nn.Kernel`.
        scale: What distances are divided by: ``"median"`` of each graph, ``"local"``, a number > 0, or
            None, as in :func:`d2pyg.select`.
        update: ``"sum"`` (default), ``"product"`` or ``"none"``.
        forward: ``"weighted"`` (the formula above) or a :class:`d2pyg.nn.ForwardMessagePassing`.
        flow: With ``"both"``, an edge in either direction joins both nodes. Otherwise sources send to
            targets.
        scores: The attribute with the difficulty [N], >= 0, higher is harder.
        out: The attribute to write the result to, float64 [N].
        edge_index: The edges int64 [2, E], such as of :class:`EmbeddingKNNGraph`.
        edge_attr: Their distances [E].
        node_type: The node type, for ``HeteroData``; its edges are of type (``node_type``,
            ``"near"``, ``node_type``).

    Raises:
        ValueError, TypeError: If a setting or the data breaks its rule.

    Example:
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.transforms import Compose
        >>> data = Data(x=torch.tensor([[0.0], [1.0], [3.0]]), score=torch.tensor([1.0, 0.0, 4.0]))
        >>> near = d2pyg.transforms.EmbeddingKNNGraph(k=1)
        >>> Compose([near, PropagateDifficulty(gamma_forward=0.0)])(data).difficulty
        tensor([1., 5., 4.], dtype=torch.float64)
    """

    def __init__(
        self,
        gamma_forward: float | None = None,
        *,
        kernel: str | Kernel | None = None,
        scale: str | float | None = "median",
        update: str | None = None,
        forward: str | ForwardMessagePassing = "weighted",
        flow: str = "both",
        scores: str = "score",
        out: str = "difficulty",
        edge_index: str = "edge_index",
        edge_attr: str = "edge_attr",
        node_type: str | None = None,
    ) -> None:
        check_scale(scale)
        self.gamma_forward = gamma_forward
        self.kernel = kernel
        self.scale = scale
        self.update = update
        self.layer = forward
        self.flow = check_choice("flow", flow, FLOWS)
        self.scores = scores
        self.out = out
        self.edge_index = edge_index
        self.edge_attr = edge_attr
        self.node_type = node_type
        check_names(self, "scores", "out", "edge_index", "edge_attr")
        self._layer()  # checks the arguments

    def _layer(self) -> ForwardMessagePassing:
        return as_forward(self.layer, self.gamma_forward, self.kernel, self.update)

    def forward(self, data: Any) -> Any:
        nodes = Nodes(data, self.node_type)
        given = nodes.values("scores", self.scores, "Name the difficulty, higher is harder.")
        layer = self._layer()
        columns = as_columns(given, len(given), layer.in_channels)
        score = as_scores(given, len(given)) if columns is None else columns
        edges = nodes.edges(self.edge_index, self.edge_attr, len(score))
        batch = nodes.batch(len(score), score.device)
        after = torch.zeros(len(score), dtype=torch.float64, device=score.device)
        graphs = nodes.graphs(batch)
        for graph, part in zip(graphs, nodes.between(edges, graphs), strict=True):
            after[graph] = spread(score[graph], part, layer, self.scale, self.flow == "both").score
        nodes.write(self.node_type, self.out, after, nodes.count(batch))
        return data
