"""k_center against the rule as it reads, and against the optimum of small cases."""

import sys
from itertools import combinations

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.baselines import k_center


def slow(x, count, initial=(), metric=None):
    """Farthest first, from all pairwise distances."""
    x = np.asarray(x, dtype=np.float64)
    if metric == "cosine":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    if metric == "cosine":
        distance = distance**2 / 2
    chosen, picks, values = list(initial), [], []
    while len(picks) < count:
        if chosen:
            nearest = distance[:, chosen].min(axis=1)
            nearest[chosen] = -1
            pick = int(nearest.argmax())
            values.append(nearest[pick])
        else:
            away = np.linalg.norm(x - x.mean(axis=0), axis=1)
            pick = int(away.argmin())
            values.append(away[pick] ** 2 / 2 if metric == "cosine" else away[pick])
        chosen.append(pick)
        picks.append(pick)
    return picks, values


CASES = ["gauss", "integers", "duplicates", "constant", "far from the origin", "a line"]


def make(case, rng, total=300):
    x = rng.normal(size=(total, 4))
    if case == "integers":
        x = rng.integers(0, 4, (total, 4)).astype(float)
        x[0] = 1.5  # the mean of none: the first pick is not a matter of rounding
    elif case == "duplicates":
        x[total // 2 :] = x[: total - total // 2]
    elif case == "constant":
        x[:] = 3
    elif case == "far from the origin":
        x += 1e6
    elif case == "a line":
        x = np.arange(total)[:, None] ** 2.0
    return x


@pytest.mark.parametrize("farthest", [(1, 1), (2, 7), (16, 512), (512, 512)])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_rule_as_it_reads(case, farthest, rng, monkeypatch):
    module = sys.modules["d2pyg.baselines.k_center"]  # the name in the package is the function
    monkeypatch.setattr(module, "_FEWEST", farthest[0])
    monkeypatch.setattr(module, "_MOST", farthest[1])
    x = make(case, rng)
    initial = [5, 2] if case in ("integers", "duplicates") else []
    index, values = slow(x, 120, initial)
    coreset = k_center(torch.as_tensor(x), budget=120, initial=initial)
    assert coreset.index.tolist() == index
    np.testing.assert_allclose(coreset.pick_scores.numpy(), values, rtol=1e-9, atol=1e-9)


def test_cosine(rng):
    x = rng.normal(size=(100, 3))
    index, values = slow(x, 40, metric="cosine")
    coreset = k_center(x, budget=40, metric="cosine")
    assert coreset.index.tolist() == index
    np.testing.assert_allclose(coreset.pick_scores.numpy(), values, rtol=1e-9)


def test_at_most_twice_the_optimum(rng):
    for budget in (2, 3, 4):
        for _ in range(5):
            x = rng.normal(size=(12, 2))
            distance = np.linalg.norm(x[:, None] - x[None], axis=2)
            best = min(distance[:, list(s)].min(1).max() for s in combinations(range(12), budget))
            picked = k_center(x, budget=budget).index.tolist()
            assert best <= distance[:, picked].min(1).max() <= 2 * best


def test_classes_and_cutoff(rng):
    x, scores = rng.normal(size=(90, 3)), rng.random(90)
    labels = np.repeat([4, 1, 2], [50, 30, 10])
    coreset = k_center(x, scores, labels=labels, budget=45, cutoff=0.1)
    left = np.setdiff1d(np.arange(90), np.argsort(-scores)[:9])
    for c in (1, 2, 4):
        members = left[labels[left] == c]
        mine = coreset.index[torch.as_tensor(labels)[coreset.index] == c]
        assert mine.tolist() == members[slow(x[members], len(mine))[0]].tolist()
    assert np.isnan(coreset.scores.numpy()).sum() == 9


def test_other_embeddings_and_devices(device, rng):
    image, text = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    joined = d2pyg.graph.Joined([image, text], scale=None)
    both = k_center(np.hstack([image, text]), budget=20).index.tolist()
    assert k_center(joined, budget=20).index.tolist() == both
    x = torch.as_tensor(image, device=device)
    there = k_center(x, budget=20)
    assert there.index.device.type == device.type
    assert there.index.tolist() == k_center(image, budget=20).index.tolist()


def test_progress(capsys, rng):
    k_center(rng.normal(size=(30, 2)), budget=12, progress=True)
    shown = capsys.readouterr().err
    assert "k-center: 100%" in shown
    assert "12.0/12.0" in shown
