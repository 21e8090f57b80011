"""Spherical k-means: what holds where it ends, and what scikit-learn finds."""

import numpy as np
import pytest
import torch
from kmeans_cases import kmeans, unit
from perturbed import PerturbedProducts

from d2pyg.graph.kmeans import Directions, _nearest, spherical_kmeans


def test_kmeans_ends_where_centroids_and_clusters_agree(rng):
    x = unit(np.repeat(3 * rng.normal(size=(4, 5)), 30, axis=0) + rng.normal(size=(120, 5)))
    cluster, distance = kmeans(x, 4)
    centroid = unit(np.stack([x[cluster == c].sum(axis=0) for c in range(4)]))
    assert (x @ centroid.T).argmax(axis=1).tolist() == cluster.tolist()
    np.testing.assert_allclose(distance, 1 - (x @ centroid.T).max(axis=1), atol=1e-8)


def test_kmeans_finds_clusters_that_lie_apart(rng):
    x = np.repeat(np.eye(3), 40, axis=0) + 0.01 * rng.normal(size=(120, 3))
    found = min((kmeans(x, 3, seed) for seed in range(8)), key=lambda both: float(both[1].sum()))
    assert [len(set(part.tolist())) for part in found[0].split(40)] == [1, 1, 1]
    assert len(set(found[0].tolist())) == 3


def test_kmeans_with_empty_clusters_and_zero_vectors():
    cluster, distance = kmeans(np.zeros((5, 2)), 3)
    assert cluster.tolist() == [0] * 5
    assert distance.tolist() == [0] * 5


def test_kmeans_in_chunks(rng, monkeypatch):
    x = rng.normal(size=(90, 4))
    whole = kmeans(x, 7)
    monkeypatch.setattr("d2pyg.graph.kmeans._ELEMENTS", 60)
    part = kmeans(x, 7)
    assert part[0].equal(whole[0])
    np.testing.assert_allclose(part[1], whole[1], atol=1e-12)


def test_every_sample_is_with_its_nearest_centroid_even_if_stopped_early(rng, monkeypatch):
    monkeypatch.setattr("d2pyg.graph.kmeans._ITERATIONS", 1)
    x = unit(rng.normal(size=(300, 4)))
    first = torch.rand(300, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    start = x[first.argsort()[:9].numpy()]
    nearest = (x @ start.T).argmax(axis=1)
    centroid = unit(np.stack([x[nearest == c].sum(axis=0) for c in range(9)]))
    cluster, distance = kmeans(x, 9, seed=5)
    assert cluster.tolist() == (x @ centroid.T).argmax(axis=1).tolist() != nearest.tolist()
    np.testing.assert_allclose(distance, 1 - (x @ centroid.T).max(axis=1), atol=1e-8)


def test_the_order_of_samples_changes_no_bit(rng, device):
    x = torch.as_tensor(rng.normal(size=(2000, 4)))
    order = torch.as_tensor(rng.permutation(2000), device=device)
    one = spherical_kmeans(Directions(x, torch.arange(2000, device=device)), 1, 0)[1]
    other = spherical_kmeans(Directions(x, order), 1, 0)[1]
    assert other.equal(one[order])


def test_no_bit_of_a_product_decides(rng):
    """Samples as near to one centroid as to another, and centroids twice over."""
    x = np.concatenate([np.eye(6), np.eye(6)[:3], rng.integers(-1, 2, (80, 6))])
    for seed in range(5):
        cluster, distance = kmeans(x, 12, seed)
        with PerturbedProducts(seed):
            other = kmeans(x, 12, seed)
            # As near as a number that lies halfway between two of a coarser grid.
            equal = torch.tensor([[2.0**-31, 0.25]]).double().repeat(20, 1)
            assert not _nearest(torch.eye(2).double(), equal).any()
        assert other[0].equal(cluster)
        assert other[1].equal(distance)


def test_as_good_as_scikit_learn(rng):
    cluster = pytest.importorskip("sklearn.cluster")
    x = unit(np.repeat(3 * rng.normal(size=(5, 6)), 40, axis=0) + rng.normal(size=(200, 6)))
    best = min(float(kmeans(x, 5, seed)[1].sum()) for seed in range(10))
    theirs = cluster.KMeans(5, n_init=10, random_state=0).fit(x).cluster_centers_
    assert best <= (1 - (x @ unit(theirs).T).max(axis=1)).sum() * 1.0001
