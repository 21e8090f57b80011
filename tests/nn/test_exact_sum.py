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
