"""Forward message passing: difficulty spreads over the graph."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from d2pyg._base.checks import as_count, check_choice, check_gamma, shown
from d2pyg._base.defaults import GAMMA_FORWARD
from d2pyg._base.options import UPDATES
from d2pyg._base.registry import made, register
from d2pyg.nn.exact_sum import ExactSum
from d2pyg.nn.inputs import check_edges
from d2pyg.nn.kernel import Kernel, as_kernel

_ALWAYS = ("score", "weight", "distance")


@register("forward", "weighted")
class ForwardMessagePassing(MessagePassing):  # type: ignore[misc]  # PyG's base is untyped
    r"""Adds to each sample the difficulty of its neighbors, damped by distance.

    .. math::
        m_i = \sum_{j \in \mathcal{N}(i)} w(d_{ji}, \gamma)\, x_j, \\
        x'_i = x_i + m_i \;\text{ (sum)} \\
        x'_i = x_i\, m_i \;\text{ (product)}

    This is the forward step of D2 Pruning (arXiv:2310.07931, equation 2). ``"sum"`` is the paper's
    update, ``"product"`` an option of the authors' code. With fixed weights, ``"sum"`` equals PyG's
    ``SimpleConv("sum", combine_root="sum")``.

    Subclass it for your own step, and pass an object or a registered name to :func:`d2pyg.select` as
    ``forward``. Override any of:

    - :meth:`message`: what a neighbor sends. Name the parameters that you need, as in any PyG layer:
      ``score_j`` (of the sender), ``score_i``, ``weight`` and ``distance`` of the edge; ``index``,
      ``ptr`` and ``size_i`` for :func:`torch_geometric.utils.softmax`; and any other argument that you
      pass to :meth:`forward` by name.
    - :meth:`update`: how a sample combines its score with the sum.
    - ``in_channels = F`` and :meth:`scalarize`: for F numbers per sample, such as difficulty and the
      probability of a wrong label. All of them spread. Then ``scalarize`` combines them into one.

    Args:
        gamma: Decay with distance, >= 0; 0 ignores distance.
        kernel: ``"rbf"`` (paper), ``"laplacian"`` (authors' code) or a :class:`~d2pyg.nn.Kernel`.
        update: ``"sum"``, ``"product"`` or ``"none"``, which leaves scores as they are.
        hops: Number of steps, >= 1. Difficulty travels one edge per step.
        **kwargs: Passed to PyG's ``MessagePassing``, such as ``aggr``. The default is
            :class:`~d2pyg.nn.ExactSum`, which in float64 does not depend on the order of the edges.
            PyG's own, such as ``"sum"`` (faster) and ``"mean"``, depend on it in the last bits.

    Shapes:
        score (N,) or (N, F), edge_index (2, E) from source j to target i, distance (E,) -> as score,
        or the result of :meth:`scalarize`

    Raises:
        ValueError, TypeError: If an argument breaks its rule, such as a ``gamma`` below 0, an unknown
            name, or integers as scores.

    Example:
        >>> edge_index = torch.tensor([[1], [0]])  # node 1 sends to node 0
        >>> layer = ForwardMessagePassing(gamma=1.0)
        >>> layer(torch.tensor([1.0, 2.0]), edge_index, torch.zeros(1))
        tensor([3., 2.])

        A sample is worth less where it or its neighbors may be mislabeled:

        >>> class Trusted(ForwardMessagePassing):
        ...     in_channels = 2
        ...     def scalarize(self, score):
        ...         difficulty, noise = score.unbind(1)
        ...         return difficulty / (1 + noise)
        >>> score = torch.tensor([[1.0, 0.0], [2.0, 0.5]])
        >>> Trusted()(score, edge_index, torch.zeros(1))
        tensor([2.0000, 1.3333])
        >>> d2pyg.select(torch.eye(2), score, budget=1, forward=Trusted(gamma=0)).scores
        tensor([2., 2.], dtype=torch.float64)
    """

    in_channels: ClassVar[int | None] = None

    def __init__(
        self,
        gamma: float = GAMMA_FORWARD,
        kernel: str | Kernel = "rbf",
        update: str = "sum",
        hops: int = 1,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("aggr", ExactSum())
        super().__init__(node_dim=0, **kwargs)  # scores are one-dimensional
        self.gamma = check_gamma("gamma", gamma)
        self.kernel = as_kernel(kernel)
        self.combine = check_choice("update", update, UPDATES)
        self.hops = as_count("hops", hops, 1, None, "", "One hop reaches the neighbors.")
        if self.in_channels is not None:
            as_count("in_channels", self.in_channels, 1, None, "", "It is the number of columns.")
        self._needs = self._features()

    def forward(self, score: Tensor, edge_index: Tensor, distance: Tensor, **features: Any) -> Tensor:
        """The scores after all hops; dtype and device of ``score``.

        Args:
            score: (N,), or (N, F) in columns; floating.
            edge_index: (2, E), dense.
            distance: (E,), >= 0.
            **features: Other arguments of :meth:`message` and :meth:`update`, by name. Tensors of edges
                are (E, ...). Tensors of nodes are (N, ...), and arrive as ``name_j`` and ``name_i``.
        """
        self._check(score, edge_index, distance, features)
        if self.combine == "none":
            return self.scalarize(score)
        weight = self.kernel.weight(distance, self.gamma).to(score.dtype)
        if score.dim() > 1:
            weight = weight.unsqueeze(1)
        for _ in range(self.hops):
            score = self.propagate(edge_index, score=score, weight=weight, distance=distance, **features)
        return self.scalarize(score)

    def message(self, score_j: Tensor, weight: Tensor) -> Tensor:
        """What neighbor j sends, (E,) or (E, F). ``weight`` is (E,), or (E, 1) for (E, F) scores."""
        return weight * score_j

    def update(self, inputs: Tensor, score: Tensor) -> Tensor:
        """Combines a node's score with the sum of its messages, in the shape of ``score``."""
        return score + inputs if self.combine == "sum" else score * inputs

    def scalarize(self, score: Tensor) -> Tensor:
        """The final scores, from those after the last hop. By default they are unchanged."""
        return score

    def extra_repr(self) -> str:
        """The arguments. Append those of a subclass, so that the settings of a coreset hold them."""
        hops = f", hops={self.hops}" if self.hops > 1 else ""
        return f"gamma={self.gamma}, kernel={self.kernel}, update={self.combine!r}{hops}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def _check(
        self, score: Tensor, edge_index: Tensor, distance: Tensor, features: dict[str, Any]
    ) -> None:
        check_edges(score, edge_index, distance)
        if self.in_channels is not None and score.shape[1:] != (self.in_channels,):
            raise ValueError(
                f"Expected 'score' to have {self.in_channels} columns, as the 'in_channels' of "
                f"{type(self).__name__} (got shape {tuple(score.shape)}). Pass [N, {self.in_channels}]."
            )
        for name in features:
            if name not in self._needs:
                raise TypeError(
                    f"Expected features that the message or update of {type(self).__name__} takes (got "
                    f"{name!r}). Name a parameter {name}, {name}_j or {name}_i."
                )
        for name, needed in self._needs.items():
            if needed and name not in features:
                raise TypeError(
                    f"Expected {name!r}, which the message or update of {type(self).__name__} takes "
                    f"(got none). Pass it to the layer by name, as layer(score, edge_index, distance, "
                    f"{name}={name}); d2pyg.select passes columns of scores alone."
                )

    def _features(self) -> dict[str, bool]:
        """The other parameters of message and update, and whether they are required."""
        taken = self.inspector.get_flat_params(["message", "update"], exclude=self.special_args)
        return {
            name: parameter.default is inspect.Parameter.empty
            for parameter in taken
            if (name := parameter.name.removesuffix("_i").removesuffix("_j")) not in _ALWAYS
        }


def as_forward(
    forward: str | ForwardMessagePassing,
    gamma: float | None,
    kernel: str | Kernel | None,
    update: str | None,
) -> ForwardMessagePassing:
    """The layer itself, or a registered one by name with this gamma, kernel and update."""
    if isinstance(forward, torch.nn.Module):
        layer = forward
        for name, value in (("gamma_forward", gamma), ("kernel", kernel), ("update", update)):
            if value is not None:
                raise ValueError(
                    f"Expected {name!r} to be None with a ForwardMessagePassing object, which has its "
                    f"own (got {name}={shown(value)} and forward={forward}). Pass it to the object."
                )
    else:
        if isinstance(update, str) and update == "none" and gamma is not None:
            raise ValueError(
                f"Expected 'gamma_forward' to be None with update 'none', which has no use for it (got "
                f"{gamma}). Leave one of them out."
            )
        layer = made(
            "forward",
            forward,
            gamma=GAMMA_FORWARD if gamma is None else check_gamma("gamma_forward", gamma),
            kernel="rbf" if kernel is None else kernel,
            update="sum" if update is None else update,
        )
    if not isinstance(layer, ForwardMessagePassing):
        raise TypeError(
            f"Expected 'forward' to be a name or a d2pyg.nn.ForwardMessagePassing (got "
            f"{type(layer).__name__}). Subclass it."
        )
    return layer
