"""Facility location by stochastic greedy: the same draws in a slow loop, the bound, and lazy greedy."""

import math
import sys
from itertools import combinations

import numpy as np
import pytest
import torch
from test_submodular import facility_location, similarity

from d2pyg import baselines


def run(x, epsilon, seed, **options):
    return baselines.facility_location(x, optimizer="stochastic", epsilon=epsilon, seed=seed, **options)


def slow(s, draws, initial=()):
    """The picks of these draws and their gains, from the value of every set."""
    chosen, picks, gains = list(initial), [], []
    free = [i for i in range(len(s)) if i not in initial]
    for row in draws.tolist():
        for at, draw in enumerate(row[: len(free)]):
            other = at + int(draw * (len(free) - at))
            free[at], free[other] = free[other], free[at]
        now = facility_location(s, chosen, None)
        gain = {i: facility_location(s, [*chosen, i], None) - now for i in free[: len(row)]}
        pick = max(gain, key=lambda i: (gain[i], -i))
        at = free.index(pick)
        free[at], free[-1] = free[-1], free[at]
        free.pop()
        chosen.append(pick)
        picks.append(pick)
        gains.append(gain[pick])
    return picks, gains


def sample(candidates, budget, epsilon):
    return min(candidates, math.ceil(candidates / budget * math.log(1 / epsilon)))


@pytest.mark.parametrize("together", [1 << 14, 7])
@pytest.mark.parametrize("epsilon", [0.5, 0.1, 1e-9])
def test_equals_the_same_draws_in_a_loop(epsilon, together, rng, monkeypatch):
    monkeypatch.setattr(sys.modules["d2pyg.baselines.coverage"], "_PICKS_TOGETHER", together)
    for seed, (budget, initial) in enumerate(
        [(5, ()), (20, ()), (45, ()), (20, (3, 17)), (43, (0, 44))]
    ):
        x = rng.normal(size=(45, 2)) if seed % 2 else rng.integers(0, 3, (45, 2)).astype(float)
        drawn = sample(45 - len(initial), budget, epsilon)
        generator = torch.Generator().manual_seed(seed)
        draws = torch.rand(budget, drawn, generator=generator, dtype=torch.float64)
        picks, gains = slow(similarity(x, 6), draws, initial)
        coreset = run(x, epsilon, seed, budget=budget, k=6, initial=initial)
        assert coreset.index.tolist() == picks
        assert coreset.pick_scores.tolist() == gains
        assert coreset.settings["optimizer"] == "stochastic"
        assert (coreset.settings["epsilon"], coreset.settings["seed"]) == (epsilon, seed)


def test_a_sample_of_all_is_lazy_greedy(rng):
    for x in rng.normal(size=(80, 3)), rng.integers(0, 3, (80, 2)).astype(float):
        lazy = baselines.facility_location(x, budget=50)
        everything = run(x, math.exp(-50), 7, budget=50)
        assert everything.index.equal(lazy.index)
        assert everything.pick_scores.equal(lazy.pick_scores)
    labels = rng.integers(0, 3, 80)
    lazy = baselines.facility_location(x, labels=labels, budget=40)
    assert run(x, math.exp(-50), 7, labels=labels, budget=40).index.equal(lazy.index)


@pytest.mark.parametrize("epsilon", [0.3, 0.1])
def test_in_expectation_near_the_optimum(epsilon, rng):
    for budget in (2, 3, 4):
        x = rng.normal(size=(12, 2))
        s = similarity(x, 4)
        best = max(facility_location(s, chosen, None) for chosen in combinations(range(12), budget))
        values = [
            facility_location(s, run(x, epsilon, seed, budget=budget, k=4).index.tolist(), None)
            for seed in range(40)
        ]
        assert (1 - 1 / np.e - epsilon) * best <= np.mean(values) <= best + 1e-9


def test_any_sample_may_be_drawn():
    x = 10.0 * np.arange(6)[:, None] ** 2  # far apart: gains hardly differ from 1
    counts = np.zeros(6)
    for seed in range(300):
        counts[run(x, 0.8, seed, budget=4, k=1, gamma=99).index] += 1  # a sample of one
    assert counts.sum() == 1200
    assert counts.min() > 150  # 200 expected, standard deviation 11.5
    assert counts.max() < 250


def test_classes_are_drawn_from_one_after_the_other(rng):
    x, labels = rng.normal(size=(60, 2)), np.repeat([2, 0, 1], [30, 20, 10])
    coreset = run(x, 0.2, 4, labels=labels, budget=20, k=5, gamma=0)  # similarities of 1 and 0
    generator = torch.Generator().manual_seed(4)
    for c in (0, 1, 2):
        members = np.flatnonzero(labels == c)
        mine = coreset.index[torch.as_tensor(labels)[coreset.index] == c]
        drawn = sample(len(members), len(mine), 0.2)
        draws = torch.rand(len(mine), drawn, generator=generator, dtype=torch.float64)
        picks, _ = slow(similarity(x[members], 5, gamma=0), draws)
        assert mine.tolist() == members[picks].tolist()


def test_progress(capsys, rng):
    run(rng.normal(size=(30, 2)), 0.1, 0, budget=12, progress=True)
    assert "12.0/12.0" in capsys.readouterr().err


def test_the_least_epsilon_draws_all(rng):
    x = rng.normal(size=(30, 3))
    lazy = baselines.facility_location(x, budget=8, k=4)
    assert run(x, 5e-324, 0, budget=8, k=4).index.tolist() == lazy.index.tolist()
    for seed in -1, 2**63, 10**30, True, 1.5:
        with pytest.raises((ValueError, TypeError), match="'seed' to be "):
            run(x, 0.1, seed, budget=8, k=4)
