"""Products as another processor could have rounded them: every entry off by one unit in the last place."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot"}


class PerturbedProducts(TorchDispatchMode):
    """Moves each entry of each floating-point product up or down, in a pattern that is drawn.

    No library promises the last bit of a product: it depends on the processor, on the number of threads and
    on the shape. So no result may depend on it.
    """

    def __init__(self, seed=0):
        super().__init__()
        self.draw = torch.Generator().manual_seed(seed)
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        is_product = func._schema.name.removeprefix("aten::").rstrip("_") in _PRODUCTS
        if is_product and isinstance(result, torch.Tensor) and result.is_floating_point():
            up = torch.randint(2, result.shape, generator=self.draw).to(result.device, torch.bool)
            away = torch.where(up, torch.inf, -torch.inf).to(result.dtype)
            result.copy_(torch.nextafter(result, away))
            self.count += 1
        return result
