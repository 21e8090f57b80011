"""Methods that go by embeddings, against the definitions as they read."""

import sys

import numpy as np
import pytest
import torch
from kmeans_cases import kmeans, unit

import d2pyg
from d2pyg import baselines


def test_moderate_by_definition(rng):
    x, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    coreset = baselines.moderate(x, labels=labels, budget=31)
    for c in range(3):
        members = np.flatnonzero(labels == c)
        away = np.linalg.norm(x[members] - x[members].mean(axis=0), axis=1)
        gap = abs(away - sorted(away)[(len(away) - 1) // 2])
        mine = coreset.index[torch.as_tensor(labels)[coreset.index] == c].numpy()
        assert mine.tolist() == members[np.argsort(gap)][: len(mine)].tolist()
        of_mine = coreset.pick_scores[torch.as_tensor(labels)[coreset.index] == c]
        np.testing.assert_allclose(of_mine, np.sort(gap)[: len(mine)], atol=1e-12)


def test_prototypes_by_definition(rng):
    x = rng.normal(size=(100, 3))
    cluster, _ = kmeans(x, 10)
    u = unit(x)
    centroid = unit(np.stack([u[cluster == c].sum(axis=0) for c in range(10)]))
    distance = 1 - (u @ centroid.T).max(axis=1)
    hard = baselines.prototypes(x, budget=30)
    assert hard.settings["clusters"] == 10  # the square root
    assert hard.index.tolist() == np.argsort(-distance)[:30].tolist()
    np.testing.assert_allclose(hard.pick_scores, -np.sort(-distance)[:30], atol=1e-12)
    easy = baselines.prototypes(x, budget=30, which_to_keep="easy")
    assert easy.index.tolist() == np.argsort(distance)[:30].tolist()


@pytest.mark.parametrize("side", [1024, 5])
@pytest.mark.parametrize("which", ["hard", "easy"])
def test_semdedup_by_definition(which, side, rng, monkeypatch):
    monkeypatch.setattr(sys.modules["d2pyg.baselines.semdedup"], "_SIDE", side)
    x = rng.normal(size=(80, 3))
    x[40:50] = x[:10]
    cluster, distance = kmeans(x, 5)
    u = unit(x)
    most = np.full(80, -1.0)
    for c in range(5):
        sign = -1 if which == "hard" else 1
        order = sorted(np.flatnonzero(cluster == c), key=lambda i: (sign * float(distance[i]), i))
        for at, i in enumerate(order[1:], start=1):
            most[i] = max(u[i] @ u[j] for j in order[:at])
    most = np.round(most * 2**30) / 2**30
    coreset = baselines.semdedup(x, budget=80, clusters=5, which_to_keep=which)
    np.testing.assert_allclose(coreset.pick_scores, np.sort(most), atol=3e-9)
    assert coreset.index[:60].tolist() == np.argsort(most, kind="stable")[:60].tolist()
    # Of each pair of duplicates the second in its cluster's order comes last.
    assert set(coreset.index[70:].tolist()) <= {*range(10), *range(40, 50)}


def test_directions_of_joined_embeddings(rng):
    x = rng.normal(size=(30, 4))
    for options, alike in [
        ({"scale": None}, x),
        ({"scale": [2.0, 0.5], "weights": [1, 9]}, x * [0.5, 0.5, 6, 6]),
        ({"scale": None, "metric": "cosine"}, np.hstack([unit(x[:, :2]), unit(x[:, 2:])])),
    ]:
        joined = d2pyg.graph.Joined([x[:, :2], x[:, 2:]], **options)
        for method in baselines.prototypes, baselines.semdedup:
            one, two = method(joined, budget=9), method(alike, budget=9)
            assert one.index.equal(two.index)


METHODS = {
    "prototypes": lambda x, **kw: baselines.prototypes(x, budget=15, seed=0, **kw),
    "semdedup": lambda x, **kw: baselines.semdedup(x, budget=15, seed=0, **kw),
    "moderate": lambda x, **kw: baselines.moderate(x, budget=15, **kw),
    "k_center": lambda x, **kw: baselines.k_center(x, budget=15, **kw),
    "facility_location": lambda x, **kw: baselines.facility_location(x, budget=15, **kw),
    "graph_cut": lambda x, **kw: baselines.graph_cut(x, budget=15, **kw),
}


@pytest.mark.parametrize("scale", [2.0**480, 2.0**-480, 2.0**600, 2.0**-600])
@pytest.mark.parametrize("name", METHODS)
def test_embeddings_of_any_size(name, scale, rng):
    """The same picks, or an error: never others."""
    x, pick = rng.normal(size=(40, 3)), METHODS[name]
    plain = pick(x)
    if 2.0**-500 < scale < 2.0**500 or name in ("prototypes", "semdedup"):
        found = pick(x * scale)
        assert found.index.tolist() == plain.index.tolist()
        unit = scale if name in ("moderate", "k_center") else 1
        np.testing.assert_allclose(found.pick_scores, plain.pick_scores * unit, rtol=1e-12)
    else:
        with pytest.raises(ValueError, match="'embeddings' to differ by 1e-150 to 1e150"):
            pick(x * scale)


@pytest.mark.parametrize("scale", [2.0**450, 2.0**-450, 2.0**900, 2.0**-900])
@pytest.mark.parametrize("name", METHODS)
def test_joined_embeddings_of_any_size(name, scale, rng):
    """Each is measured in its own scale."""
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    plain = METHODS[name](d2pyg.graph.Joined([x, y]))
    found = METHODS[name](d2pyg.graph.Joined([x * scale, y]))
    assert found.index.tolist() == plain.index.tolist()
    np.testing.assert_allclose(found.pick_scores, plain.pick_scores, rtol=1e-9)
