"""The recall that is reported, and its interval."""

import numpy as np
import pytest
import torch

from d2pyg.graph.recall import estimate, share_of


def test_share_is_that_of_the_true_neighbors():
    found = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    true = torch.tensor([[3, 1, 2], [6, 0, 1], [0, 1, 2]])
    assert share_of(found, true).tolist() == [1, pytest.approx(1 / 3), 0]


def test_of_all_samples_nothing_is_estimated():
    found = estimate(torch.tensor([1.0, 0.5, 1.0, 0.5]), 4)
    assert (found.value, found.low, found.high, found.drawn) == (0.75, 0.75, 0.75, 4)


def test_independent_neighbors_have_wilsons_interval():
    """Of 100 samples with one neighbor each 90 found, in an infinite set: 0.826 to 0.945 (Wilson 1927)."""
    share = torch.tensor([1.0] * 90 + [0.0] * 10, dtype=torch.float64)
    found = estimate(share, 10**12)
    # The variance has 99 degrees of freedom.
    assert (found.low, found.high) == (pytest.approx(0.8256, abs=5e-4), pytest.approx(0.9448, abs=5e-4))


def test_nothing_missed_is_not_certainty():
    found = estimate(torch.ones(1000, dtype=torch.float64), 10**6)
    assert found.value == found.high == 1
    assert 0.99 < found.low < 0.999


@pytest.mark.parametrize("k", [1, 15])
@pytest.mark.parametrize("kind", ["alike", "clusters", "few are lost", "nearly all found"])
def test_the_interval_covers_the_true_recall(rng, kind, k):
    """In at least 90 of 100 drawn samples, whatever neighbors of one sample have in common."""
    total = 20_000
    chance = {
        "alike": np.full(total, 0.95),
        "clusters": np.where(rng.random(total) < 0.3, 0.6, 1.0),
        "few are lost": np.where(rng.random(total) < 0.02, 0.0, 0.999),
        "nearly all found": np.full(total, 0.9995),
    }[kind]
    share = torch.as_tensor(rng.binomial(k, chance) / k)
    true, covered = float(share.mean()), 0
    for _ in range(100):
        found = estimate(share[torch.as_tensor(rng.permutation(total)[:1000])], total)
        covered += found.low <= true <= found.high
    assert covered >= 90
