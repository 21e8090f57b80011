import math

import pytest
import torch

from d2pyg.nn import LaplacianKernel, RBFKernel


@pytest.mark.parametrize("gamma", [0.0, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("distance", [0.0, 0.3, 2.0])
def test_formulas(gamma, distance):
    d = torch.tensor([distance], dtype=torch.float64)
    assert RBFKernel().weight(d, gamma).item() == pytest.approx(math.exp(-gamma * distance**2))
    assert LaplacianKernel().weight(d, gamma).item() == pytest.approx(math.exp(-gamma * distance))
