"""Products that are wrong in their last bit: what another processor may give, and no test may notice."""

import zlib
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_PRODUCTS = {
    "_euclidean_dist", "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "convolution", "dot", "linear", "mm", "mv",
    "vdot",
}  # fmt: skip


class PerturbedProducts(TorchDispatchMode):
    """Every float product of torch is off by one unit in the last place, up, down or not, at random.

    The pattern is not symmetric, even where the product is. It depends on the shape of the product alone:
    the same product is the same every time, but not as a part of a larger one. Matrix products,
    convolutions, and what is made of them (``@``, einsum, linear layers, cdist) come by here.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name in _PRODUCTS and isinstance(result, Tensor) and result.is_floating_point():
            result.copy_(self._off_by_one(result))
        return result

    def _off_by_one(self, values: Tensor) -> Tensor:
        seed = zlib.crc32(repr((self._seed, values.shape)).encode())
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randint(-1, 2, values.shape, generator=generator).to(values.device)
        toward = torch.where(draw > 0, torch.inf, -torch.inf).to(values.dtype)
        return torch.where(draw == 0, values, values.nextafter(toward))
