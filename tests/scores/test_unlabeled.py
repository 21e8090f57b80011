import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import baselines
from d2pyg.graph import Joined
from d2pyg.scores import neighbor_distance, ones, prototypicality, shuffled


def blobs(rng):
    """Directions close to three axes, of any length, and one sample that points elsewhere."""
    axis = np.eye(3)[rng.integers(0, 3, 90)]
    x = axis + 0.05 * rng.normal(size=(90, 3))
    return np.concatenate([x * rng.uniform(0.1, 10, (90, 1)), [[1.0, 1.0, 1.0]]]), axis


def test_prototypicality_is_the_angle_to_the_nearest_centre(rng):
    x, axis = blobs(rng)
    seed = min(range(8), key=lambda seed: float(prototypicality(x, 3, seed=seed).sum()))
    found = prototypicality(x, 3, seed=seed)
    direction = x / np.linalg.norm(x, axis=1, keepdims=True)
    which = np.append(axis.argmax(1), -1)
    cosine = np.full(91, -1.0)
    for cluster in range(3):
        members = which == cluster
        # the odd one out lies in the cluster that it is nearest to
        center = direction[members].mean(0) / np.linalg.norm(direction[members].mean(0))
        cosine = np.maximum(cosine, direction @ center)
    np.testing.assert_allclose(found[:90], 1 - cosine[:90], atol=0.02)
    assert found.argmax() == 90
    np.testing.assert_allclose(found, 1 - prototypicality(x, 3, seed=seed, raw=True))
    assert found.equal(prototypicality(torch.as_tensor(x), 3, seed=seed))
    assert float(found.min()) >= 0


def test_prototypicality_of_zero_vectors_and_joined_embeddings(rng):
    x, _ = blobs(rng)
    x[5] = 0  # no direction: as far as can be from centers of others
    assert prototypicality(x, 3, seed=0)[5] > 0.9
    assert len(prototypicality(Joined([x, x[:, :1]]), 3, seed=0)) == 91


def test_neighbor_distance(rng, device):
    x = rng.normal(size=(50, 3))
    distance = np.sqrt(np.square(x[:, None] - x).sum(-1))
    expected = np.sort(distance, axis=1)[:, 1:5].mean(1)
    found = neighbor_distance(torch.as_tensor(x, device=device), k=4)
    np.testing.assert_allclose(found.cpu(), expected)


def test_neighbor_distances_that_would_add_up_to_infinity():
    class Far(d2pyg.graph.PairwiseMetric):
        def pairwise(self, x, y):
            return torch.full((len(x), len(y)), 1.5e308, dtype=torch.float64)

    assert neighbor_distance(np.eye(5), 3, metric=Far()).tolist() == [1.5e308] * 5


def test_embeddings_of_any_size(rng):
    """The directions are the same; so they are of joined embeddings, each in its own scale."""
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    plain, both = prototypicality(x, 4, seed=0), prototypicality(Joined([x, y]), 4, seed=0)
    for exponent in 600, -600, 1000, -1000:
        assert prototypicality(x * 2.0**exponent, 4, seed=0).equal(plain)
        found = prototypicality(Joined([x * 2.0**exponent, y]), 4, seed=0)
        np.testing.assert_allclose(found, both, rtol=1e-9, atol=1e-12)
    with pytest.raises(
        ValueError, match=r"'embeddings' to be of a size that can be scaled \(got factors"
    ):
        Joined([x * 1e-312, y])


def test_shuffled_is_an_order_and_next_to_nothing_else():
    found = shuffled(5000, seed=3)
    assert found.dtype == torch.float64
    assert 1 <= float(found.min()) < float(found.max()) < 1 + 1 / 256
    assert len(found.unique()) == 5000
    assert torch.equal(found, shuffled(5000, seed=3))
    assert not torch.equal(found, shuffled(5000, seed=4))
    assert abs(float(np.corrcoef(found, np.arange(5000))[0, 1])) < 0.05  # nothing of the data's order


def test_errors():
    x = np.eye(4)
    with pytest.raises(ValueError, match="'num_samples' to be at least 1"):
        shuffled(0, seed=0)
    with pytest.raises(ValueError, match="'seed' to be between 0"):
        shuffled(3, seed=-1)
    with pytest.raises(ValueError, match="'num_prototypes' to be between 1 and 4, the samples"):
        prototypicality(x, 5, seed=0)
    with pytest.raises(ValueError, match="'num_samples' to be at least 1"):
        ones(0)
    with pytest.raises(
        ValueError, match=r"'num_samples' to fit into memory \(got 4611686018427387904\)"
    ):
        ones(2**62)
    with pytest.raises(
        ValueError, match=r"'num_samples' to fit into memory \(got 4611686018427387904\)"
    ):
        shuffled(2**62, seed=0)
    with pytest.raises(TypeError, match="'raw' to be True or False"):
        prototypicality(x, 2, seed=0, raw="yes")
    for seed in -1, 2**63, 10**30, True, 1.5, None:
        for made in lambda seed: shuffled(3, seed=seed), lambda seed: prototypicality(x, 2, seed=seed):
            with pytest.raises((ValueError, TypeError), match="'seed' to be "):
                made(seed)
    with pytest.raises(ValueError, match=r"'metric' to be a distance.*\(got InnerProductMetric"):
        neighbor_distance(x, 2, metric="inner_product")


def test_prototypicality_is_what_prototypes_goes_by(rng, device):
    x = rng.normal(size=(60, 3))
    found = prototypicality(torch.as_tensor(x, device=device), 7, seed=3)
    assert found.device.type == device.type
    hard = baselines.prototypes(x, budget=60, clusters=7, seed=3)
    np.testing.assert_allclose(hard.pick_scores, found.cpu()[hard.index], rtol=1e-9, atol=1e-12)


def test_neighbors_of_a_few_samples_are_all_others(rng):
    x = rng.normal(size=(6, 3))
    assert neighbor_distance(x).equal(neighbor_distance(x, 5))
    x = rng.normal(size=(30, 3))
    assert neighbor_distance(x).equal(neighbor_distance(x, 15))
