"""Reverse messages: how much a pick lowers the scores of its neighbors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from d2pyg._base.checks import check_gamma, shown
from d2pyg._base.defaults import GAMMA_REVERSE
from d2pyg._base.pages import out_like
from d2pyg._base.registry import made, register
from d2pyg.nn.kernel import Kernel, as_kernel


class ReverseMessage(ABC):
    r"""What each neighbor of a pick loses: :math:`x_j \leftarrow x_j - \text{message}`.

    Subclass it and override :meth:`message`. Two claims about the message allow faster engines to run
    it. Leave them ``False`` when in doubt. A subclass that overrides :meth:`message` does not inherit
    them:

    - ``monotone``: the message is >= 0 for a pick with a positive score, and does not depend on
      ``neighbor_score``.
    - ``linear``: the message is also proportional to ``pick_score``. Engines then compute it once per
      edge, for a pick score of 1.

    If ``uses_distance`` is False, ``gamma`` has no effect, and :func:`d2pyg.select` refuses it.

    Args:
        gamma: Decay with distance, >= 0.
        kernel: ``"rbf"``, ``"laplacian"`` or a :class:`~d2pyg.nn.Kernel`.

    Example:
        >>> class Capped(ReverseMessage):
        ...     monotone = True
        ...     def message(self, pick_score, neighbor_score, distance):
        ...         return (pick_score * self.weight(distance)).clamp(max=0.5)
        >>> Capped(gamma=0.0).message(torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([3.0]))
        tensor([0.5000])
    """

    monotone: ClassVar[bool] = False
    linear: ClassVar[bool] = False
    uses_distance: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "message" in cls.__dict__:  # a new message does not inherit the claims of the old one
            for claim, void in (("monotone", False), ("linear", False), ("uses_distance", True)):
                if claim not in cls.__dict__:
                    setattr(cls, claim, void)

    def __init__(self, gamma: float = GAMMA_REVERSE, kernel: str | Kernel = "rbf") -> None:
        self.gamma = check_gamma("gamma", gamma)
        self.kernel = as_kernel(kernel)

    def weight(self, distance: Tensor) -> Tensor:
        """The kernel's weights for these distances."""
        return self.kernel.weight(distance, self.gamma)

    @abstractmethod
    def message(self, pick_score: Tensor, neighbor_score: Tensor, distance: Tensor) -> Tensor:
        """What the neighbors lose. All arguments and the result are float64 of shape (E,)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(gamma={self.gamma}, kernel={self.kernel})"


@register("reverse", "weighted")
class WeightedReverse(ReverseMessage):
    r"""The paper's message, :math:`w(d_{kj}, \gamma)\, x_k` (arXiv:2310.07931, equation 3).

    Example:
        >>> one = torch.ones(2)
        >>> WeightedReverse(gamma=1.0).message(2 * one, one, torch.tensor([0.0, 1.0]))
        tensor([2.0000, 0.7358])
    """

    monotone = True
    linear = True

    def message(self, pick_score: Tensor, neighbor_score: Tensor, distance: Tensor) -> Tensor:
        return torch.mul(self.weight(distance), pick_score, out=out_like(pick_score))


@register("reverse", "absolute")
class AbsoluteReverse(ReverseMessage):
    r"""The pick's whole score :math:`x_k`, whatever the distance (an option of the authors' code).

    ``gamma`` and ``kernel`` have no effect.

    Example:
        >>> one = torch.ones(2)
        >>> AbsoluteReverse().message(2 * one, one, torch.tensor([0.0, 1.0]))
        tensor([2., 2.])
    """

    monotone = True
    linear = True
    uses_distance = False

    def message(self, pick_score: Tensor, neighbor_score: Tensor, distance: Tensor) -> Tensor:
        return pick_score.clone()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def as_reverse(
    reverse: str | ReverseMessage, gamma: float | None, kernel: str | Kernel | None
) -> ReverseMessage:
    """The message itself, or a registered one by name with this gamma and kernel."""
    if isinstance(reverse, ReverseMessage):
        if gamma is not None:
            raise ValueError(
                f"Expected 'gamma_reverse' to be None with a ReverseMessage object, which has its "
                f"own gamma (got gamma_reverse={shown(gamma)} and reverse={reverse}). Pass it to the "
                f"object."
            )
        return reverse
    message = made(
        "reverse",
        reverse,
        gamma=GAMMA_REVERSE if gamma is None else check_gamma("gamma_reverse", gamma),
        kernel="rbf" if kernel is None else kernel,
    )
    if not isinstance(message, ReverseMessage):
        raise TypeError(
            f"Expected 'reverse' to be a name or a d2pyg.nn.ReverseMessage (got "
            f"{type(message).__name__}). Subclass it."
        )
    if gamma is not None and not message.uses_distance:
        raise ValueError(
            f"Expected 'gamma_reverse' to be None with reverse {reverse!r}, whose messages are the same "
            f"at every distance (got {gamma}). Leave it out, or use 'weighted'."
        )
    return message
