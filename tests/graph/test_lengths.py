"""Lengths against exact fractions, where squares under- and overflow."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from d2pyg.graph.lengths import check_range, in_range, length, row_sum


def exact_length(row):
    """The root of the sum of squares, to more digits than a float has."""
    total = sum(Fraction(x) ** 2 for x in row)
    digits = max(0, 400 - total.numerator.bit_length() - total.denominator.bit_length())
    digits += digits % 2
    root = math.isqrt((total.numerator * total.denominator) << digits)
    return float(Fraction(root, total.denominator) / 2 ** (digits // 2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_length_of_any_size(dtype, rng, device):
    lowest, highest = (-1070, 1020) if dtype == torch.float64 else (-145, 124)
    x = rng.normal(size=(300, 7)) * 2.0 ** rng.integers(lowest, highest, size=(300, 1))
    x = torch.as_tensor(x, device=device).to(dtype)
    expected = torch.tensor([exact_length(row) for row in x.tolist()], dtype=torch.float64)
    limits = torch.finfo(dtype)
    found = length(x).cpu().double()
    # Two units in the last place, or one step of what is too small to have all its digits.
    assert (
        (found - expected).abs() <= 2 * limits.eps * expected + limits.smallest_normal * limits.eps
    ).all()


def test_length_of_special_rows():
    inf, nan = math.inf, math.nan
    rows = [[0.0, 0.0], [inf, 1.0], [inf, -inf], [nan, 1e-200], [5e-324, 0.0]]
    x = torch.tensor(rows, dtype=torch.float64)
    assert length(x)[:3].tolist() == [0, inf, inf]
    assert length(x)[3].isnan()
    assert length(x)[4] == 5e-324
    assert length(torch.zeros(0, 3)).shape == (0,)
    assert length(torch.tensor([3.0, 4.0])) == 5


@pytest.mark.parametrize("columns", [3, 70_000])
def test_a_row_sums_to_the_same_alone_and_among_others(columns, rng):
    x = torch.as_tensor(rng.normal(size=(5, columns)))
    together = row_sum(x)
    for i in range(5):
        assert row_sum(x[i]) == row_sum(x[i : i + 1]) == together[i]


def test_range():
    values = [0.0, 1e-150, 1e150, 1e-151, 1e151, math.inf, math.nan]
    largest = torch.tensor(values, dtype=torch.float64)
    assert in_range(largest).tolist() == [True, True, True, False, False, False, False]
    check_range(largest[:3])
    with pytest.raises(ValueError, match=r"'embeddings' to differ by 1e-150 to 1e150.*\(got 1e-151\)"):
        check_range(largest)


def test_rows_are_numbers_of_their_own(rng):
    """Any share of a batch gives the same bits as the whole."""
    x = torch.as_tensor(rng.normal(size=(64, 33, 19)) * 2.0 ** rng.integers(-540, -480, (64, 33, 1)))
    whole = length(x)
    assert length(x[5:9, 3:4]).equal(whole[5:9, 3:4])
    assert length(x.reshape(-1, 19)).equal(whole.flatten())
    assert np.array_equal(length(-x), whole)
