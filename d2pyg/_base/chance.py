"""Random numbers: from a seed that the user passes, drawn on the CPU, alike on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import as_count


def as_seed(seed: int) -> int:
    """A number for a generator."""
    return as_count("seed", seed, 0, 2**63 - 1, "", "The same seed gives the same result.")


def draws(seed: int, num_samples: int) -> Tensor:
    """Uniform numbers in 0 to 1, float64 [N], from a local generator on the CPU."""
    generator = torch.Generator().manual_seed(as_seed(seed))
    return torch.rand(num_samples, generator=generator, dtype=torch.float64)
