"""Methods that go by scores, against hand-computed cases and slow loops."""

import numpy as np
import pytest
import torch

from d2pyg import baselines
from d2pyg.baselines.ccs import _strata


def test_hardest_and_easiest_by_hand():
    scores = [2, 5, 1, 5, 1, 3]
    assert baselines.hardest(scores=scores, budget=4).index.tolist() == [1, 3, 5, 0]
    assert baselines.easiest(scores=scores, budget=4).index.tolist() == [2, 4, 0, 5]
    hardest = baselines.hardest(scores=scores, budget=4)
    assert hardest.pick_scores.tolist() == [5, 5, 3, 2]
    assert hardest.scores.tolist() == scores
    labels = [0, 0, 0, 1, 1, 1]
    by_class = baselines.hardest(scores=scores, labels=labels, budget=4)
    assert by_class.index.tolist() == [1, 3, 0, 5]


def test_window_by_hand():
    scores = [2, 5, 1, 5, 1, 3]  # 1, 3, 5, 0, 2, 4 by difficulty
    coreset = baselines.window(scores=scores, start=0.25, budget=3)  # 1.5 rounds to 2
    assert coreset.index.tolist() == [5, 0, 2]
    assert coreset.scores.isnan().tolist() == [False, True, False, True, False, False]
    labels = [0, 0, 0, 1, 1, 1]
    by_class = baselines.window(scores=scores, start=0.3, labels=labels, budget=4)
    assert by_class.index.tolist() == [0, 5, 2, 4]
    one = baselines.window(scores=scores, start=0.5, budget=2)
    assert one.index.equal(baselines.hardest(scores=scores, cutoff=0.5, budget=2).index)


def ccs_budgets(sizes, budget):
    """Algorithm 1 of the paper: from the smallest stratum on, an equal share of what is left."""
    given = [0] * len(sizes)
    left = sorted((s for s in range(len(sizes)) if sizes[s]), key=lambda s: (sizes[s], s))
    for at, stratum in enumerate(left):
        given[stratum] = min(sizes[stratum], budget // (len(left) - at))
        budget -= given[stratum]
    return given


def test_ccs_budgets_by_hand():
    # Strata of 1, 2, 5 and 4 samples: 8 // 4, 7 // 3, 5 // 2, the rest.
    assert ccs_budgets([1, 2, 5, 4], 8) == [1, 2, 3, 2]
    scores = [0, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3]
    coreset = baselines.ccs(scores=scores, strata=4, budget=8)
    assert torch.as_tensor(scores)[coreset.index].bincount().tolist() == [1, 2, 3, 2]
    assert coreset.pick_scores.tolist() == torch.as_tensor(scores)[coreset.index].tolist()


@pytest.mark.parametrize("strata", [1, 3, 10, 50])
def test_every_prefix_has_the_budgets_of_its_size(strata, rng):
    scores = rng.lognormal(size=200).round(1)
    coreset = baselines.ccs(scores=scores, strata=strata, budget=200)
    low, high = scores.min(), scores.max()
    stratum = [min(strata - 1, int((s - low) / (high - low) * strata)) for s in scores]
    sizes = np.bincount(stratum, minlength=strata).tolist()
    for budget in range(1, 201):
        picked = np.bincount([stratum[i] for i in coreset.index[:budget]], minlength=strata)
        assert picked.tolist() == ccs_budgets(sizes, budget)


def test_strata_by_hand():
    score = torch.tensor([0.0, 1.0, 1.9, 2.0, 10.0, 7.0, 7.0], dtype=torch.float64)
    group = torch.tensor([0, 0, 0, 0, 0, 1, 1])
    assert _strata(score, group, 3, 5).tolist() == [0, 0, 0, 1, 4, 0, 0]


def test_ccs_takes_any_sample_of_a_stratum():
    first = {int(baselines.ccs(scores=[1] * 5, budget=1, seed=s).index) for s in range(50)}
    assert first == set(range(5))


def test_random_takes_any_sample():
    counts = np.zeros(6)
    for seed in range(600):
        counts[baselines.random(labels=[0] * 6, budget=2, seed=seed).index.numpy()] += 1
    assert counts.min() > 150  # 200 expected, standard deviation 11.5
    assert counts.max() < 250


def test_dual_weights_by_hand(rng):
    total, budget = 40, 10
    scores, confidence = rng.random(total), rng.random(total) * 0.9
    coreset = baselines.dual(scores=scores, confidence=confidence, budget=budget, c_d=3)
    anchor = confidence[np.argsort(-scores)[:10]].mean()
    beta = 15 * (1 - anchor) * (1 - 0.75**3)
    assert coreset.settings["beta"] == pytest.approx(beta)
    assert coreset.settings["alpha"] == pytest.approx(16 - beta)
    weight = scores * confidence ** (15 - beta) * (1 - confidence) ** (beta - 1)
    index = coreset.index.numpy()
    np.testing.assert_allclose(coreset.pick_scores, weight[index] / weight.max(), rtol=1e-9)


def test_dual_draws_in_proportion_to_the_weights():
    scores, confidence = [1.0, 2.0, 5.0], [0.5, 0.5, 0.5]  # equal densities
    counts = np.zeros((3, 3))
    for seed in range(2000):
        first, second = baselines.dual(
            scores=scores, confidence=confidence, budget=2, seed=seed
        ).index.tolist()
        counts[first, second] += 1
    share = counts / 2000
    np.testing.assert_allclose(share.sum(axis=1), [1 / 8, 2 / 8, 5 / 8], atol=0.035)
    np.testing.assert_allclose(share[2], [5 / 8 * 1 / 3, 5 / 8 * 2 / 3, 0], atol=0.035)


def test_dual_at_its_ends():
    # Confidences of 0 and 1, and scores of 0, which come last.
    scores, confidence = [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]
    coreset = baselines.dual(scores=scores, confidence=confidence, budget=4)
    assert sorted(coreset.index[:2].tolist()) == [0, 2]
    assert coreset.index[2:].tolist() == [1, 3]
    assert coreset.pick_scores.isfinite().all()
    nothing = baselines.dual(scores=[0.0] * 3, confidence=[0.5] * 3, budget=2)
    assert nothing.index.tolist() == [0, 1]
    assert nothing.pick_scores.tolist() == [0, 0]


def test_as_many_strata_as_can_be_counted():
    """Each score is a stratum of its own then, and none takes memory that is empty."""
    scores = [5.0, 1.0, 1.0, 1.0, 3.0, 3.0]
    many = baselines.ccs(scores=scores, strata=2**62, budget=6, labels=[0, 0, 0, 0, 1, 1])
    few = baselines.ccs(scores=scores, strata=3, budget=6, labels=[0, 0, 0, 0, 1, 1])
    assert many.index.tolist() == few.index.tolist()
    for strata in 2**63, 10**30, True, 1.5, None:
        with pytest.raises((ValueError, TypeError), match="'strata' to be "):
            baselines.ccs(scores=scores, strata=strata, budget=3)


@pytest.mark.parametrize("method", [baselines.ccs, baselines.dual, baselines.random])
@pytest.mark.parametrize("seed", [-1, 2**63, 10**30, True, 1.5, None])
def test_seeds(method, seed):
    options = {"confidence": [0.5, 0.6, 0.7]} if method is baselines.dual else {}
    with pytest.raises((ValueError, TypeError), match="'seed' to be "):
        method(scores=[1, 2, 3], budget=2, seed=seed, **options)


def test_a_confidence_is_real():
    with pytest.raises(TypeError, match=r"'confidence' to be real numbers .got torch\.complex64"):
        baselines.dual(scores=[1, 2, 3], confidence=torch.zeros(3, dtype=torch.complex64), budget=2)


@pytest.mark.parametrize("scale", [1e308, 2.0**-1000])
def test_scores_of_any_size(scale, rng):
    scores = rng.uniform(0.5, 1, 40)
    options = {"confidence": rng.random(40)}
    for method in baselines.hardest, baselines.easiest, baselines.window, baselines.ccs, baselines.dual:
        given = options if method is baselines.dual else {}
        large = method(scores=scores * scale, budget=15, **given)
        assert large.index.tolist() == method(scores=scores, budget=15, **given).index.tolist()
        assert large.pick_scores.isfinite().all()
