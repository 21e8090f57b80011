"""Memory of numpy's for torch: the same values, shapes, types and errors."""

import pytest
import torch

from d2pyg._base.pages import _LARGE, out_like, picked, unwritten_like
from d2pyg.nn import LaplacianKernel, RBFKernel, WeightedReverse

MANY = _LARGE // 8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_unwritten_is_like_its_model(dtype, device):
    like = torch.ones(4, 3, device=device).to(dtype)
    found = unwritten_like(like)
    assert (found.shape, found.dtype, found.device) == (like.shape, like.dtype, like.device)
    assert found.is_contiguous()
    assert found.copy_(like).equal(like)
    assert found.data_ptr() != like.data_ptr()


def test_out_is_for_large_floats_without_gradients():
    large = torch.ones(MANY, dtype=torch.float64)
    assert out_like(large) is None
    with torch.no_grad():
        found = out_like(large)
        assert (found.shape, found.dtype) == (large.shape, large.dtype)
        assert out_like(large[1:]) is None
        assert out_like(torch.ones(MANY, dtype=torch.int64)) is None


@pytest.mark.parametrize("kernel", [RBFKernel(), LaplacianKernel()])
def test_weights_and_messages_are_the_same_in_any_memory(kernel, rng):
    distance, score = (torch.as_tensor(rng.exponential(size=MANY)) for _ in range(2))
    before = distance.clone()
    weight = kernel.weight(distance, 0.7)
    message = WeightedReverse(0.7, kernel).message(score, score, distance)
    with torch.no_grad():
        assert kernel.weight(distance, 0.7).equal(weight)
        assert kernel.weight(distance.view(2, -1).T, 0.7).equal(weight.view(2, -1).T)
        assert WeightedReverse(0.7, kernel).message(score, score, distance).equal(message)
    assert distance.equal(before)


def test_picked_is_indexing(device, rng):
    values = torch.as_tensor(rng.normal(size=50), device=device)
    index = torch.as_tensor(rng.integers(0, 50, 80), device=device)
    assert picked(values, index).equal(values[index])
    assert picked(values, values > 0).equal(values[values > 0])
    assert picked(values, index[:0]).equal(values[:0])
