"""Mahalanobis distance against NumPy, on whatever processor; and covariances that are none."""

import numpy as np
import pytest
import torch
from perturbed import PerturbedProducts

import d2pyg
from d2pyg.graph import Joined, MahalanobisMetric
from d2pyg.graph.points import Points


@pytest.fixture
def x(rng):
    return rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + 3


def expected(x, covariance):
    difference = x[:, None] - x[None]
    inverse = np.linalg.inv(covariance)
    return np.sqrt(np.einsum("ijd,de,ije->ij", difference, inverse, difference))


def check(graph, distance, k):
    distance = distance.copy()
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    assert np.array_equal(graph.edge_index[0].view(-1, k).cpu(), order)
    nearest = np.take_along_axis(distance, order, axis=1)
    np.testing.assert_allclose(graph.edge_attr.view(-1, k).cpu(), nearest, rtol=1e-9)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("batch", [None, np.zeros(300, dtype=int)])
def test_against_numpy(given, batch, x, device):
    covariance = np.cov(x, rowvar=False)
    metric = MahalanobisMetric(covariance) if given else "mahalanobis"
    graph = d2pyg.knn_graph(torch.as_tensor(x, device=device), 6, metric=metric, batch=batch)
    check(graph, expected(x, covariance), 6)
    assert graph.metric == ("MahalanobisMetric(shrinkage=0.0)" if given else "mahalanobis")


def test_shrunk_all_the_way_is_euclidean_in_units_of_the_spread(x):
    graph = d2pyg.knn_graph(x, 4, metric=MahalanobisMetric(shrinkage=1.0))
    check(graph, expected(x, x.var(axis=0, ddof=1).mean() * np.eye(5)), 4)


def test_groups_backends_and_joined_embeddings(x, rng):
    batch = rng.integers(0, 9, 300)
    graph = d2pyg.knn_graph(x, 3, metric="mahalanobis", batch=batch)
    distance = expected(x, np.cov(x, rowvar=False))
    check(graph, np.where(batch[:, None] == batch, distance, np.inf), 3)
    joined = Joined([x, np.zeros((300, 1))], scale=None, metric=["mahalanobis", "euclidean"])
    check(d2pyg.knn_graph(joined, 3), distance, 3)
    pytest.importorskip("faiss")
    check(d2pyg.knn_graph(x, 3, metric="mahalanobis", backend="faiss"), distance, 3)


def test_places_are_kept_only_where_they_fit(x, monkeypatch):
    """And whether they are changes nothing."""
    monkeypatch.setattr("d2pyg.graph.plan._LEAST", 0)
    metric, fits = MahalanobisMetric(np.cov(x, rowvar=False)), 2 * 8 * x.size
    kept, made = (
        Points(torch.as_tensor(x), metric, torch.device("cpu"), memory=m) for m in (fits, fits - 1)
    )
    assert kept._places.equal(made._mapped(slice(0, 300)))
    assert made._places is None
    one, two = (d2pyg.knn_graph(x, 6, metric=metric, memory=m) for m in (fits, fits - 1))
    assert one.edge_index.equal(two.edge_index)
    assert one.edge_attr.equal(two.edge_attr)


def test_far_from_the_origin(x):
    graph = d2pyg.knn_graph(1e6 + 2.0**-12 * x, 6, metric="mahalanobis")
    moved = (1e6 + 2.0**-12 * x - 1e6) * 2.0**12
    check(graph, expected(moved, np.cov(moved, rowvar=False)), 6)


def test_a_sample_is_the_same_place_alone_and_among_others(x):
    metric = MahalanobisMetric(np.cov(x, rowvar=False))
    places = metric.embed(torch.as_tensor(x))
    assert metric.embed(torch.as_tensor(x[:1])).equal(places[:1])
    assert metric.embed(torch.as_tensor(x).view(20, 15, 5)).view(300, 5).equal(places)


@pytest.mark.parametrize("dim", [2, 3, 17, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_gaussian_has_a_covariance(dim, dtype, rng):
    x = torch.as_tensor(rng.normal(size=(100 + dim, dim)).astype(dtype))
    fitted = MahalanobisMetric().fit(x, torch.device("cpu"))
    assert fitted.covariance.equal(fitted.covariance.T)
    np.testing.assert_allclose(fitted.covariance, np.cov(x, rowvar=False), rtol=1e-6, atol=1e-6)


def test_where_the_product_of_a_transpose_and_its_matrix_is_not_symmetric(x):
    """As on some processors. A covariance that has to equal its transpose bit by bit refuses them all."""
    whole = d2pyg.knn_graph(x, 6, metric="mahalanobis")
    with PerturbedProducts(seed=0):
        there = torch.as_tensor(x)
        scatter = there.T @ there
        assert not scatter.equal(scatter.T)
        graph = d2pyg.knn_graph(x, 6, metric="mahalanobis")
        given = d2pyg.knn_graph(x, 6, metric=MahalanobisMetric(torch.cov(there.T)))
    for found in graph, given:
        assert found.edge_index.equal(whole.edge_index)
        torch.testing.assert_close(found.edge_attr, whole.edge_attr, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "made",
    [
        lambda x: np.cov(x.astype(np.float32), rowvar=False),
        lambda x: np.cov(x.astype(np.float32), rowvar=False, dtype=np.float32),
        lambda x: torch.cov(torch.as_tensor(x).float().T),
        lambda x: torch.cov(torch.as_tensor(x).half().T),
        lambda x: np.cov(x, rowvar=False).tolist(),
        lambda x: np.ma.masked_array(np.cov(x, rowvar=False)),
        lambda x: np.cov(x, rowvar=False) + 1e-6 * np.tri(5),
    ],
)
def test_covariances_of_all_kinds(made, x):
    """Of arrays, lists and other precisions, with their rounding errors."""
    metric = MahalanobisMetric(made(x))
    distance = metric.distance(torch.as_tensor(x[:40]), torch.as_tensor(x[40:80]))
    exact = expected(x[:80], np.cov(x, rowvar=False))[np.arange(40), np.arange(40, 80)]
    np.testing.assert_allclose(distance, exact, rtol=0.05)


class TestErrors:
    @pytest.mark.parametrize(
        ("covariance", "rule"),
        [
            (np.ones((2, 3)), r"a matrix \[d, d\] \(got shape \(2, 3\)\)"),
            (np.ones(4), r"a matrix \[d, d\] \(got shape \(4,\)\)"),
            (np.ones((0, 0)), r"a matrix \[d, d\] \(got shape \(0, 0\)\)"),
            (np.diag([1.0, np.nan]), r"finite \(got nan at \[1, 1\]\)\. Estimate it"),
            ([[1.0, np.inf], [0.0, 1.0]], r"finite \(got inf at \[0, 1\] and 0 at \[1, 0\]\)"),
            (np.diag([1.0, -2.0]), r"at least 0 on its diagonal \(got -2 at \[1, 1\]\)"),
            ([[1.0, 0.5], [0.4, 1.0]], r"symmetric \(got 0.5 at \[0, 1\] and 0.4 at \[1, 0\]\)"),
            # Judged by the size of its own coordinates, however large others are.
            (1e-9 * np.array([[1e20, 0, 0], [0, 1, 0.5], [0, 0.4, 1]]), r"symmetric .* at \[1, 2\]"),
            (
                [[1.0, 2.0], [2.0, 1.0]],
                r"positive definite \(got coordinate 1, which .*\. Pass numpy\.cov",
            ),
            (np.zeros((2, 2)), r"positive definite .* constant: 0, 1\)\. Use metric='euclidean'"),
        ],
    )
    def test_no_covariance(self, covariance, rule):
        with pytest.raises(ValueError, match=f"Expected 'covariance' to be {rule}"):
            MahalanobisMetric(covariance)

    def test_complex(self):
        with pytest.raises(
            TypeError, match=r"'covariance' to hold real numbers \(got torch.complex64\)"
        ):
            MahalanobisMetric(torch.eye(2) * 1j)

    @pytest.mark.parametrize(
        ("covariance", "got"),
        [
            (np.diag([1.0, 0.0, 2.0, 0.0]), "2 of 4 coordinates that are constant: 1, 3"),
            (np.diag([1.0, *np.zeros(9)]), "9 of 10 .* constant: 1, 2, 3, 4, 5, ..."),
            (np.ones((2, 2)), "coordinate 1, which depends on those before it"),
        ],
    )
    def test_the_shrinkage_that_is_advised_works(self, covariance, got):
        with pytest.raises(ValueError, match=rf"\(got {got}\)\. Pass shrinkage=0\.1, or leave"):
            MahalanobisMetric(covariance)
        MahalanobisMetric(covariance, shrinkage=0.1)

    @pytest.mark.parametrize(
        ("change", "got"),
        [
            (lambda x: x * [1, 1, 0, 1, 0] + 0.1, "2 of 5 coordinates that are constant: 2, 4"),
            (lambda x: x[:5], "5 samples of 5 coordinates"),
            (lambda x: np.c_[x, x[:, 1] - x[:, 3]], "coordinate 5, which depends on those before it"),
        ],
    )
    def test_so_does_that_for_embeddings(self, change, got, x):
        made = change(x)
        rule = rf"covariance of 'embeddings' to be positive definite \(got {got}\)\. Pass metric="
        with pytest.raises(ValueError, match=rule) as refused:
            d2pyg.knn_graph(made, 2, metric="mahalanobis")
        advised = str(refused.value).partition("metric=")[2].partition(",")[0]
        assert d2pyg.knn_graph(made, 2, metric=eval(advised)).k == 2

    def test_embeddings_without_spread(self, x):
        same = np.full((20, 3), 0.1)
        for metric in "mahalanobis", MahalanobisMetric(shrinkage=0.1):
            with pytest.raises(
                ValueError, match=r"3 of 3 .* constant: 0, 1, 2.* Use metric='euclidean'"
            ):
                d2pyg.knn_graph(same, 2, metric=metric)
        for scale in 1e-170, 1e170:
            match = (
                r"coordinate of 'embeddings' to be constant or to differ by 1e-150 .* at coordinate 3"
            )
            with pytest.raises(ValueError, match=match):
                d2pyg.knn_graph(x * [1, 1, 1, scale, 1], 2, metric="mahalanobis")

    def test_others(self, x):
        with pytest.raises(ValueError, match=r"have the 5 coordinates .* \(got 3\)"):
            d2pyg.knn_graph(x, 2, metric=MahalanobisMetric(torch.eye(3)))
        with pytest.raises(ValueError, match="'shrinkage' to be in 0 to 1"):
            MahalanobisMetric(shrinkage=2)
        for call in (
            lambda m: m.embed(torch.ones(3)),
            lambda m: m.distance(torch.ones(3), torch.ones(3)),
        ):
            with pytest.raises(RuntimeError, match="Call fit"):
                call(MahalanobisMetric())
