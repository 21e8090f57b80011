"""Kernels: how the weight of a message falls with distance."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from d2pyg._base.pages import out_like
from d2pyg._base.registry import made, register


class Kernel(ABC):
    r"""Turns edge distances into edge weights :math:`e_{ij} = w(d_{ij}, \gamma)`.

    Subclass it and override :meth:`weight`; pass the object, or a registered name, as ``kernel``.
    d2pyg's own reverse messages expect weights of at least 0.
    """

    @abstractmethod
    def weight(self, distance: Tensor, gamma: float) -> Tensor:
        """Weights of the same shape, dtype and device as ``distance`` (which is >= 0)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


@register("kernel", "rbf")
class RBFKernel(Kernel):
    r"""The paper's kernel, :math:`e^{-\gamma d^2}` (arXiv:2310.07931, section 3).

    Example:
        >>> RBFKernel().weight(torch.tensor([0.0, 1.0]), gamma=1.0)
        tensor([1.0000, 0.3679])
    """

    def weight(self, distance: Tensor, gamma: float) -> Tensor:
        return torch.square(distance, out=out_like(distance)).mul_(-gamma).exp_()


@register("kernel", "laplacian")
class LaplacianKernel(Kernel):
    r"""The kernel of the authors' code, :math:`e^{-\gamma d}`.

    Example:
        >>> LaplacianKernel().weight(torch.tensor([0.0, 2.0]), gamma=0.5)
        tensor([1.0000, 0.3679])
    """

    def weight(self, distance: Tensor, gamma: float) -> Tensor:
        return torch.mul(distance, -gamma, out=out_like(distance)).exp_()


def as_kernel(kernel: str | Kernel) -> Kernel:
    """The kernel itself, or a registered one by name."""
    found = kernel if isinstance(kernel, Kernel) else made("kernel", kernel)
    if not isinstance(found, Kernel):
        raise TypeError(
            f"Expected 'kernel' to be a name or a d2pyg.nn.Kernel (got {type(found).__name__}). "
            f"Subclass it."
        )
    return found
