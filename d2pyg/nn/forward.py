"""Forward message passing: difficulty spreads over the graph."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.nn import MessagePassing

from d2pyg.checks import check_choice, check_gamma
from d2pyg.nn.kernel import Kernel, as_kernel

UPDATES = ("sum", "product")


class ForwardMessagePassing(MessagePassing):  # type: ignore[misc]  # PyG's base is untyped
    r"""Gives each sample its neighbours' difficulty, damped by distance.

    .. math::
        m_i = \sum_{j \in \mathcal{N}(i)} w(d_{ji}, \gamma)\, x_j, \qquad
        x'_i = x_i + m_i \;\text{ (sum)} \quad\text{or}\quad x'_i = x_i\, m_i \;\text{ (product)}

    The forward step of D2 Pruning (arXiv:2310.07931, equation 2). ``"sum"`` is the paper's update,
    ``"product"`` an option of the authors' code. With fixed weights it equals PyG's
    ``SimpleConv("sum", combine_root="sum")``.

    Args:
        gamma: Decay with distance, >= 0; 0 ignores distance.
        kernel: ``"rbf"`` (paper), ``"laplacian"`` (authors' code) or a :class:`~d2pyg.nn.Kernel`.
        update: ``"sum"`` or ``"product"``.
        **kwargs: Passed to PyG's ``MessagePassing``, such as ``aggr`` (default ``"sum"``).

    Shapes:
        score (N,), edge_index (2, E) from source j to target i, distance (E,) -> (N,)

    Raises:
        ValueError: If ``gamma`` is negative or not finite, or a name is unknown.

    Example:
        >>> edge_index = torch.tensor([[1], [0]])  # node 1 sends to node 0
        >>> layer = ForwardMessagePassing(gamma=1.0)
        >>> layer(torch.tensor([1.0, 2.0]), edge_index, torch.zeros(1))
        tensor([3., 2.])
    """

    def __init__(
        self,
        gamma: float = 1.0,
        kernel: str | Kernel = "rbf",
        update: str = "sum",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("aggr", "sum")
        super().__init__(node_dim=0, **kwargs)  # scores are one-dimensional
        self.gamma = check_gamma("gamma", gamma)
        self.kernel = as_kernel(kernel)
        self.combine = check_choice("update", update, UPDATES)

    def forward(self, score: Tensor, edge_index: Tensor, distance: Tensor) -> Tensor:
        """The scores after one step; dtype and device of ``score``."""
        weight = self.kernel.weight(distance, self.gamma).to(score.dtype)
        updated: Tensor = self.propagate(edge_index, score=score, weight=weight)
        return updated

    def message(self, score_j: Tensor, weight: Tensor) -> Tensor:
        """What neighbour j sends, (E,)."""
        return weight * score_j

    def update(self, inputs: Tensor, score: Tensor) -> Tensor:
        """Joins a node's score with the sum of what it was sent, (N,)."""
        return score + inputs if self.combine == "sum" else score * inputs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(gamma={self.gamma}, kernel={self.kernel}, update={self.combine!r})"
        )
