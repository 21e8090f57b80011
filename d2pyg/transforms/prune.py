"""D2Prune: selects a coreset of the nodes, as a mask and an index."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.checks import as_count, as_flag, check_length
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.edges import Edges, own_k
from d2pyg.selection.select import select
from d2pyg.transforms.nodes import Nodes, NodeTransform, check_names

_OF_THE_DATA = ("embeddings", "scores", "labels", "initial", "ids")
_SETTINGS = [name for name in inspect.signature(select).parameters if name not in _OF_THE_DATA]


class D2Prune(NodeTransform):
    """Selects nodes that are hard and diverse: :func:`d2pyg.select` on attributes of the data.

    It writes ``coreset_mask``, bool [N], and ``coreset_index``, int64 [B], the picks in order (graph
    after graph in a Batch). ``HeteroData`` only gets the mask, because PyG's batching does not shift the
    indices of a node type. If you remove nodes later, as ``data.subgraph`` and the neighbor loaders do,
    the mask stays correct and the index does not.

    Every graph of a Batch has its own budget, scale, cutoff and classes.

    Args:
        keep: Fraction kept of each graph. Exactly one of ``keep``, ``prune``, ``budget`` is given.
        prune: Fraction removed.
        budget: Number of nodes kept of each graph.
        attr: The attribute with the embeddings [N, d], floating.
        scores: The attribute with the difficulty [N], >= 0, higher is harder; None for no scores.
        labels: The attribute with the classes [N], integers >= 0; each class has its own graph and
            budget. None for no classes.
        mask: A mask such as ``"train_mask"``. Only its nodes are considered, and fractions are fractions
            of them. The mask itself is reduced to the coreset; ``coreset_mask`` is not written. Graphs
            without such nodes are skipped.
        graph: Use the kNN graph that the data has, such as from :class:`EmbeddingKNNGraph`, instead of
            building one from ``attr``. Its edges need distances, so links such as citations do not work.
            With ``labels``, no edge may join two classes: pass the same ``labels`` to
            :class:`EmbeddingKNNGraph`.
        edge_index: The edges int64 [2, E] of that graph.
        edge_attr: Their distances [E].
        node_type: The node type, for ``HeteroData``; the edges of the graph are of type
            (``node_type``, ``"near"``, ``node_type``).
        **settings: Arguments of :func:`d2pyg.select`, such as ``k``, ``gamma_reverse``, ``cutoff``. If
            the transform builds the graph, k is min(k, n - 1) for n nodes. With an existing graph, it
            uses the k nearest neighbors that a node has among the nodes considered.

    Raises:
        ValueError, TypeError: If a setting or the data breaks its rule.

    Example:
        >>> from torch_geometric.data import Data
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
        >>> data = Data(x=x, score=torch.tensor([1, 9, 1, 1, 2, 1]))
        >>> D2Prune(budget=3, k=2, labels=None)(data).coreset_index
        tensor([1, 4, 3])
        >>> data.train_mask = torch.tensor([True, False, True, True, True, True])
        >>> D2Prune(keep=0.4, k=2, labels=None, mask="train_mask")(data).train_mask
        tensor([ True, False, False, False,  True, False])
    """

    def __init__(
        self,
        *,
        keep: float | None = None,
        prune: float | None = None,
        budget: int | None = None,
        attr: str = "x",
        scores: str | None = "score",
        labels: str | None = "y",
        mask: str | None = None,
        graph: bool = False,
        edge_index: str = "edge_index",
        edge_attr: str = "edge_attr",
        node_type: str | None = None,
        **settings: Any,
    ) -> None:
        unknown = [name for name in settings if name not in _SETTINGS]
        if unknown:
            raise TypeError(
                f"Expected settings of d2pyg.select that hold for any data (got {unknown[0]!r}). There "
                f"are {', '.join(_SETTINGS)}; 'scores' and 'labels' name attributes."
            )
        if settings.get("k") is not None:
            as_count("k", settings["k"], 1, None, "", "It is the number of neighbors of a node.")
        self.keep = keep
        self.prune = prune
        self.budget = budget
        self.attr = attr
        self.scores = scores
        self.labels = labels
        self.mask = mask
        self.graph = as_flag("graph", graph)
        self.edge_index = edge_index
        self.edge_attr = edge_attr
        self.node_type = node_type
        self.settings = settings
        optional = [name for name in ("scores", "labels", "mask") if getattr(self, name) is not None]
        check_names(self, "attr", "edge_index", "edge_attr", *optional)

    def forward(self, data: Any) -> Any:
        nodes = Nodes(data, self.node_type)
        given: Tensor | Edges
        if self.graph:
            given = nodes.edges(self.edge_index, self.edge_attr, nodes.num_nodes)
            total, place = given.num_nodes, given.distance.device
        else:
            given = nodes.values("attr", self.attr, "Name the embeddings.")
            total, place = len(given), given.device
        batch = nodes.batch(total, place)
        score = self._each(nodes, "scores", total, "Without a difficulty, pass scores=None.")
        label = self._each(nodes, "labels", total, "Without classes of the nodes, pass labels=None.")
        among = self._mask(nodes, total)

        picks = nodes.graphs(batch, among)
        parts: Sequence[Tensor | Edges] = (
            nodes.between(given, picks) if isinstance(given, Edges) else [given[one] for one in picks]
        )
        for i, (members, part) in enumerate(zip(picks, parts, strict=True)):
            if len(members) > 0:
                picks[i] = members[self._select(part, score, label, members).index.to(place)]

        index = torch.cat(picks)
        mask = torch.zeros(total, dtype=torch.bool, device=place).index_fill(0, index, True)
        sizes = nodes.count(batch)
        nodes.write(self.node_type, self.mask or "coreset_mask", mask, sizes)
        if self.node_type is None:
            nodes.write(None, "coreset_index", index, [len(part) for part in picks], sizes)
        return data

    def _select(
        self, part: Tensor | Edges, score: Tensor | None, label: Tensor | None, members: Tensor
    ) -> Coreset:
        """The coreset of some nodes (ascending), from their embeddings or the edges between them."""
        embeddings: Tensor | Data
        if isinstance(part, Tensor):
            embeddings, most = part, len(members) - 1
        else:
            embeddings = Data(
                edge_index=part.edge_index, edge_attr=part.distance, num_nodes=part.num_nodes
            )
            most = own_k(embeddings, part)
        settings = dict(self.settings)
        if settings.get("k") is not None:
            settings["k"] = min(settings["k"], most) or None
        return select(
            embeddings,
            None if score is None else score[members],
            labels=None if label is None else label[members],
            keep=self.keep,
            prune=self.prune,
            budget=self.budget,
            **settings,
        )

    def _each(self, nodes: Nodes, argument: str, total: int, remedy: str) -> Tensor | None:
        """The attribute that an argument names, one value per node."""
        name = getattr(self, argument)
        if name is None:
            return None
        values = nodes.values(argument, name, remedy)
        several = argument == "scores" and values.dim() == 2  # columns, for a layer that takes them
        check_length(name, values.sum(dim=1) if several else values, total, "nodes")
        return values

    def _mask(self, nodes: Nodes, total: int) -> Tensor | None:
        mask = self._each(nodes, "mask", total, "Without a mask, all nodes are considered.")
        if mask is not None and (mask.dtype != torch.bool or not bool(mask.any())):
            raise ValueError(
                f"Expected {self.mask!r} to be a bool mask with a node or more (got {mask.dtype}, "
                f"{int(mask.count_nonzero())} nonzero). Convert it, or leave 'mask' out."
            )
        return mask
