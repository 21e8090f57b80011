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


_INTEGER_BITS = 6  # of a factor's largest entry, above its unit


class PerturbedProducts(TorchDispatchMode):
    """Every float product of torch is off by one unit in the last place, up, down or not, at random.

    Products of integers that no sum of theirs rounds are exact on every processor, and stay as they are.
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
        is_product = name in _PRODUCTS and isinstance(result, Tensor) and result.is_floating_point()
        if is_product and not _is_exact(args):
            result.copy_(self._off_by_one(result))
        return result

    def _off_by_one(self, values: Tensor) -> Tensor:
        seed = zlib.crc32(repr((self._seed, values.shape)).encode())
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randint(-1, 2, values.shape, generator=generator).to(values.device)
        toward = torch.where(draw > 0, torch.inf, -torch.inf).to(values.dtype)
        return torch.where(draw == 0, values, values.nextafter(toward))


def _is_exact(factors: Any) -> bool:
    """Whether these are multiples of a power of two, so small that no sum of their products is rounded."""
    if any(
        not isinstance(factor, Tensor) or not factor.is_floating_point() or factor.numel() == 0
        for factor in factors
    ):
        return False
    digits = {torch.float32: 24, torch.float64: 53}.get(factors[0].dtype, 0)
    if len(factors) == 2 and all(f.dim() > 1 and torch.equal(f, f.round()) for f in factors):
        # No partial sum of whole numbers exceeds the product of the lengths.
        one, two = (f.double().norm(dim=dim).max() for f, dim in zip(factors, (-1, -2), strict=True))
        if float(one * two) < 2.0**digits:
            return True
    bits = 0.0
    for factor in factors:
        wide = factor.double()
        unit = 2.0 ** (float(wide.abs().max().clamp(min=1e-300).log2().floor()) - _INTEGER_BITS)
        if not bool((wide / unit == (wide / unit).round()).all()):
            return False
        bits += _INTEGER_BITS + 1 + 0.5 * float(torch.tensor(float(factor.shape[-1])).log2())
    return bits < digits
