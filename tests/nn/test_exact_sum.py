import math

import pytest
import torch

from d2pyg.nn import ExactSum


def test_every_order_gives_the_same_bits(device, rng):
    x = torch.as_tensor(rng.lognormal(sigma=6, size=5000) * rng.choice([-1, 1], 5000), device=device)
    index = torch.as_tensor(rng.integers(0, 40, 5000), device=device)
    total = ExactSum()(x, index, dim=0)
    for _ in range(5):
        order = torch.as_tensor(rng.permutation(5000), device=device)
        assert ExactSum()(x[order], index[order], dim=0).equal(total)


def test_is_the_sum_within_its_stated_rounding(rng):
    x = torch.as_tensor(rng.normal(size=3000))
    index = torch.as_tensor(rng.integers(0, 7, 3000)).sort().values
    most = int(index.bincount().max())
    error = most * float(x.abs().max()) * 2.0**-52 * most  # each term rounds by half a step
    ptr = torch.cat([torch.zeros(1, dtype=torch.int64), index.bincount().cumsum(0)])
    for total in ExactSum()(x, index, dim=0), ExactSum()(x, ptr=ptr, dim=0):
        for group in range(7):
            exact = math.fsum(x[index == group].tolist())
            assert float(total[group]) == pytest.approx(exact, abs=error, rel=0)


def test_small_sums_are_as_precise_as_large_ones(rng):
    """Each node has a grid of its own: a tiny sum beside a huge one keeps its digits."""
    size = 10.0 ** rng.integers(-200, 200, 50)
    x = torch.as_tensor(rng.random((50, 6)) * size[:, None])
    index = torch.arange(50).repeat_interleave(6)
    total = ExactSum()(x.flatten(), index, dim=0)
    torch.testing.assert_close(total, x.sum(dim=1), rtol=1e-14, atol=0)


def test_vectors(rng):
    x, index = torch.as_tensor(rng.normal(size=(40, 3))), torch.as_tensor(rng.integers(0, 4, 40))
    columns = [ExactSum()(x[:, i], index, dim=0) for i in range(3)]
    assert ExactSum()(x, index, dim=0).equal(torch.stack(columns, dim=1))


def test_empty():
    nothing = torch.empty(0, dtype=torch.int64)
    assert ExactSum()(torch.empty(0), nothing, dim=0, dim_size=2).tolist() == [0, 0]


def test_gradients_are_those_of_the_plain_sum(rng):
    x = torch.as_tensor(rng.normal(size=(20, 2))).requires_grad_()
    index = torch.as_tensor(rng.integers(0, 4, 20))
    assert torch.autograd.gradcheck(lambda x: ExactSum()(x, index, dim=0), [x])
    assert torch.autograd.gradgradcheck(lambda x: ExactSum()(x, index, dim=0), [x])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_types_are_summed_as_they_are(dtype, device):
    x = torch.tensor([1, 2, 4, 8, 3], dtype=dtype, device=device)
    index = torch.tensor([0, 0, 2, 2, 2], device=device)
    total = ExactSum()(x, index, dim=0, dim_size=4)
    assert (total.dtype, total.tolist()) == (dtype, [3, 0, 15, 0])
    assert ExactSum()(x, ptr=torch.tensor([0, 2, 2, 5]), dim=0).tolist() == [3, 0, 15]
