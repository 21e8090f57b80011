"""Mahalanobis distances do not hang on the last bit of a product."""

import numpy as np
import pytest
import torch
from perturbed import PerturbedProducts

import d2pyg
from d2pyg.graph import MahalanobisMetric


@pytest.mark.parametrize("seed", range(5))
def test_products_that_are_not_symmetric(seed, rng):
    """What a processor did whose products of a transpose and its matrix differ in the last bit."""
    x = torch.as_tensor(rng.normal(size=(300, 12)))
    centered = x - x.mean(dim=0)
    with PerturbedProducts(seed) as mode:
        plain = centered.T @ centered
        assert not plain.equal(plain.T)  # so a rule of bits would refuse it
        found = d2pyg.select(x, keep=0.3, metric="mahalanobis")
        assert mode.count > 1
    assert found.index.equal(d2pyg.select(x, keep=0.3, metric="mahalanobis").index)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_covariances_of_numpy(dtype, rng):
    x = rng.normal(size=(500, 20)).astype(dtype)
    covariance = np.cov(x, rowvar=False).astype(dtype)
    covariance[3, 7] = np.nextafter(covariance[3, 7], dtype(np.inf))
    given = d2pyg.knn_graph(x, 5, metric=MahalanobisMetric(covariance))
    estimated = d2pyg.knn_graph(x, 5, metric="mahalanobis")
    torch.testing.assert_close(given.edge_attr, estimated.edge_attr, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spoiled", ["constant", "few", "repeated"])
def test_the_advice_helps(spoiled, rng):
    x = rng.normal(size=(40, 6))
    if spoiled == "constant":
        x[:, 2] = 0.1
    elif spoiled == "few":
        x = x[:5]
    else:
        x[:, 4] = 2 * x[:, 1]
    with pytest.raises(ValueError, match=r"positive definite .*MahalanobisMetric\(shrinkage=0.1\)"):
        d2pyg.knn_graph(x, 2, metric="mahalanobis")
    graph = d2pyg.knn_graph(x, 2, metric=MahalanobisMetric(shrinkage=0.1))
    assert bool((graph.edge_attr > 0).all())
