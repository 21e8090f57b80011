"""Extremes in one pass."""

import math

import pytest
import torch

from d2pyg._base.checks import check_finite, is_finite
from d2pyg._base.grid import largest_magnitude


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1,), (50,), (50, 3)])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_finite_is_what_torch_says(dtype, shape, value, device, rng):
    x = torch.as_tensor(rng.normal(size=shape)).to(device, dtype)
    assert is_finite(x)
    check_finite("x", x)
    x.view(-1)[int(rng.integers(x.numel()))] = value
    assert not is_finite(x)
    with pytest.raises(ValueError, match=r"'x' to be finite \(got NaN or infinity in 1 of"):
        check_finite("x", x)


def test_nothing_is_finite():
    assert is_finite(torch.empty(0))
    assert is_finite(torch.empty(3, 0))


@pytest.mark.parametrize("values", [[], [0.0], [-3.0, 2.0], [1.0, 2.5], [-0.5]])
def test_largest_magnitude(values, device):
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    assert largest_magnitude(tensor) == max(map(abs, values), default=0.0)


def test_largest_magnitude_of_what_is_no_number():
    assert math.isnan(largest_magnitude(torch.tensor([1.0, math.nan, math.inf])))
    assert largest_magnitude(torch.tensor([1.0, -math.inf])) == math.inf
