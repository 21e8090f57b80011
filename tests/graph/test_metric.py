"""Metrics in the graph, against NumPy over all pairs."""

import numpy as np
import pytest
import torch
from perturbed import PerturbedProducts

import d2pyg
from d2pyg.graph import InnerProductMetric, Joined, PairwiseMetric
from d2pyg.graph.pairwise import lowest


def nearest(matrix, k):
    """The k lowest of each row but its own, by (value, index)."""
    matrix = matrix.copy()
    np.fill_diagonal(matrix, np.inf)
    order = np.argsort(matrix, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(matrix, order, axis=1)


def check(graph, matrix, k, **tolerance):
    order, value = nearest(matrix, k)
    np.testing.assert_allclose(graph.edge_attr.view(-1, k).cpu(), value, **tolerance)
    assert np.array_equal(graph.edge_index[0].view(-1, k).cpu(), order)


def euclidean(x):
    return np.sqrt(np.square(x[:, None] - x[None]).sum(-1))


@pytest.fixture
def x(rng):
    return rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)) + 3


def test_inner_product(x, device):
    graph = d2pyg.knn_graph(torch.as_tensor(x, device=device), 6, metric="inner_product")
    check(graph, -x @ x.T, 6, rtol=1e-9)
    assert graph.metric == "inner_product"


def test_an_inner_product_depends_on_its_two_rows_alone(rng):
    """Bit by bit, however many samples there are: it is no entry of a matrix product."""
    x = torch.as_tensor(rng.normal(size=(300, 33)))
    for rows in (2, 40, 57, 300):
        graph = d2pyg.knn_graph(x[:rows], min(4, rows - 1), metric="inner_product")
        source, target = x[graph.edge_index]
        assert graph.edge_attr.equal(-(source * target).sum(dim=1))
        everything = InnerProductMetric().pairwise(x[:rows], x[:rows])
        assert graph.edge_attr.equal(everything[graph.edge_index[1], graph.edge_index[0]])


@pytest.mark.parametrize("metric", ["inner_product", "euclidean", "cosine"])
def test_ties_are_ties_whatever_products_say(metric, rng):
    """Each sample three times, each direction twice as long once more, and zeros."""
    x = rng.integers(-2, 3, (60, 4)).astype(np.float32)
    x = np.concatenate([x, 2 * x[:20], x, np.zeros((3, 4)), x])[rng.permutation(203)]
    plain = d2pyg.knn_graph(x, 9, metric=metric)
    with PerturbedProducts(seed=1):
        other = d2pyg.knn_graph(x, 9, metric=metric)
    assert plain.edge_index.equal(other.edge_index)
    assert plain.edge_attr.equal(other.edge_attr)
    value, index = plain.edge_attr.view(203, 9), plain.edge_index[0].view(203, 9)
    tied = value[:, 1:] == value[:, :-1]
    assert (index[:, 1:] > index[:, :-1])[tied].all()
    assert tied.any()
    exact = -x @ x.T  # of whole numbers
    if metric == "inner_product":
        check(plain, exact.astype(np.float64), 9, rtol=0)


class Manhattan(PairwiseMetric):
    def pairwise(self, x, y):
        return (x.unsqueeze(1) - y).abs().sum(dim=2)


def test_pairwise_with_ties_in_tiles_and_groups(rng, monkeypatch, device):
    monkeypatch.setattr("d2pyg.graph.pairwise._TILE_ELEMENTS", 700)
    monkeypatch.setattr("d2pyg.graph.pairwise._ROWS_TOGETHER", 50)
    x = rng.integers(0, 3, (200, 3)).astype(np.float32)
    matrix = np.abs(x[:, None] - x[None]).sum(-1).astype(np.float64)
    there = torch.as_tensor(x, device=device)
    check(d2pyg.knn_graph(there, 7, metric=Manhattan()), matrix, 7)
    batch = np.arange(200) % 3
    graph = d2pyg.knn_graph(there, 7, metric=Manhattan(), batch=batch)
    for group in range(3):
        rows = np.arange(200)[batch == group]
        order, value = nearest(matrix[np.ix_(rows, rows)], 7)
        assert np.array_equal(graph.edge_index[0].view(-1, 7).cpu()[rows], rows[order])
        assert np.array_equal(graph.edge_attr.view(-1, 7).cpu()[rows], value)


def test_pairs_are_as_many_as_their_differences_have_room(rng, monkeypatch):
    """A function that makes them all needs float64 [C, M, d], and again for their absolute values."""
    asked = []

    class Watched(Manhattan):
        def pairwise(self, x, y):
            asked.append(2 * 8 * x.shape[1] * len(x) * len(y))
            return super().pairwise(x, y)

    monkeypatch.setattr("d2pyg.graph.plan._LEAST", 0)
    x = rng.normal(size=(90, 300))
    whole = d2pyg.knn_graph(x, 4, metric=Manhattan())
    tight = d2pyg.knn_graph(x, 4, metric=Watched(), memory=4e6)
    assert 1e6 < max(asked) <= 2e6
    assert tight.edge_index.equal(whole.edge_index)
    assert tight.edge_attr.equal(whole.edge_attr)


def test_lowest_breaks_ties_to_the_lowest_column(rng):
    values = rng.integers(0, 4, (50, 30)).astype(np.float64)
    for count in 1, 7, 30:
        expected = np.sort(np.argsort(values, axis=1, kind="stable")[:, :count], axis=1)
        assert np.array_equal(lowest(torch.as_tensor(values), count), expected)


def test_select_takes_distances_and_refuses_others(x):
    assert len(d2pyg.select(x, budget=5, metric=Manhattan())) == 5
    assert len(d2pyg.select(x, budget=5, metric="mahalanobis")) == 5
    match = "'metric' to be a distance, .* \\(got InnerProductMetric"
    for metric in "inner_product", InnerProductMetric():
        with pytest.raises(ValueError, match=match):
            d2pyg.select(x, budget=5, metric=metric)
    graph = d2pyg.knn_graph(x, 3, metric="inner_product")
    with pytest.raises(ValueError, match=match):
        d2pyg.select(graph, budget=5)


class TestJoined:
    @pytest.fixture
    def parts(self, rng):
        return [100 * rng.normal(size=(200, 4)), rng.normal(size=(200, 3)).astype(np.float16)]

    def test_is_the_weighed_sum_of_squares(self, parts, device):
        one, two = (euclidean(part.astype(np.float64)) for part in parts)
        others = 1 - np.eye(200)
        scales = [np.sqrt(np.square(d).sum() / 200**2) for d in (one, two)]
        expected = np.sqrt(np.square(one / scales[0]) + np.square(two / scales[1])) * others
        there = [torch.as_tensor(part, device=device) for part in parts]
        check(d2pyg.knn_graph(there, 5), expected, 5, rtol=1e-9)
        expected = np.sqrt(4 * np.square(one / 50) + 9 * np.square(two / 2))
        joined = Joined(there, weights=[4, 9], scale=[50, 2])
        check(d2pyg.knn_graph(joined, 5), expected, 5, rtol=1e-9)

    def test_concatenates_without_scales(self, parts):
        whole = np.concatenate([part.astype(np.float64) for part in parts], axis=1)
        for joined in Joined(parts, scale=None), Joined(parts, weights=[1, 1], scale=[1, 1]):
            graph, plain = d2pyg.knn_graph(joined, 5), d2pyg.knn_graph(whole, 5)
            assert graph.edge_index.equal(plain.edge_index)

    def test_each_with_its_metric(self, parts):
        direction = parts[0] / np.linalg.norm(parts[0], axis=1, keepdims=True)
        joined = Joined(parts, scale=None, metric=["cosine", "euclidean"])
        whole = np.concatenate([direction, parts[1].astype(np.float64)], axis=1)
        check(d2pyg.knn_graph(joined, 5), euclidean(whole), 5, rtol=1e-9)
        assert d2pyg.knn_graph(joined, 5).metric == (
            "JoinedMetric(1 * CosineMetric(), 1 * EuclideanMetric())"
        )

    @pytest.mark.parametrize("size", [1e-170, 1e170])
    def test_an_embedding_of_any_size_counts_as_much(self, size, parts):
        plain, scaled = (d2pyg.knn_graph([part, parts[1]], 5) for part in (parts[0], size * parts[0]))
        assert plain.edge_index.equal(scaled.edge_index)
        torch.testing.assert_close(plain.edge_attr, scaled.edge_attr, rtol=1e-12, atol=0)

    def test_an_embedding_of_more_than_a_float_is_refused(self, parts):
        parts[0][0], parts[0][1] = 1.5e308, -1.5e308
        with pytest.raises(ValueError, match=r"'embeddings' to differ by 1e-150 to 1e150.*\(got inf\)"):
            Joined(parts)

    def test_a_constant_embedding_has_scale_1(self, parts):
        graph = d2pyg.knn_graph([parts[0], np.ones((200, 2))], 5)
        assert graph.edge_index.equal(d2pyg.knn_graph(parts[0], 5).edge_index)

    def test_selects_with_groups_cutoff_and_backends(self, parts, rng):
        scores, labels = rng.exponential(size=200), np.arange(200) % 4
        options = {"labels": labels, "keep": 0.3, "cutoff": 0.1}
        coreset = d2pyg.select(parts, scores, **options)
        joined = Joined(parts)
        whole = joined.metric.embed(joined[:])
        assert coreset.index.equal(d2pyg.select(whole, scores, **options).index)
        pytest.importorskip("faiss")
        one, two = (d2pyg.knn_graph(parts, 5, backend=name) for name in ("torch", "faiss"))
        assert one.edge_index.equal(two.edge_index)

    def refused(self, match, *arguments, error=ValueError, **options):
        with pytest.raises(error, match=match):
            d2pyg.knn_graph(Joined(*arguments, **options), 2)

    def test_errors(self, parts):
        self.refused(
            r"one row for each sample in every array \(got \[200, 3\] rows", [parts[0], np.eye(3)]
        )
        self.refused(r"every array \(got \[\] rows", [])
        self.refused("'weights' to be a list, one for each of the 2", parts, weights=[1])
        self.refused("'weights' to be above 0", parts, weights=[1, 0])
        self.refused("'weights' to be a number", parts, weights=[1, "2"], error=TypeError)
        self.refused("'scale' to be 'rms', None or numbers", parts, scale="median")
        self.refused("'scale' to be a list", parts, scale=2.0)
        self.refused("'metric' to be a list", parts, metric=["cosine"])
        self.refused("map into a Euclidean space .*Manhattan", parts, metric=Manhattan())
        with pytest.raises(ValueError, match="'metric' to be left out with joined embeddings"):
            d2pyg.knn_graph(Joined(parts), 2, metric="cosine")

    def test_rows_in_a_list_are_one_matrix(self):
        graph = d2pyg.knn_graph([[1.0], [2.0], [4.0]], 1)
        assert graph.edge_index[0].tolist() == [1, 0, 1]


class TestErrors:
    def test_pairwise(self, x):
        class Wrong(PairwiseMetric):
            def pairwise(self, x, y):
                return torch.zeros(len(x), 1)

        class Nan(PairwiseMetric):
            def pairwise(self, x, y):
                return torch.full((len(x), len(y)), torch.nan, dtype=torch.float64)

        for metric in Wrong(), Nan():
            with pytest.raises(ValueError, match="pairwise to return finite float64"):
                d2pyg.knn_graph(x, 2, metric=metric)
        with pytest.raises(ValueError, match="'backend' to be 'torch' with a metric that compares"):
            d2pyg.knn_graph(x, 2, metric=Manhattan(), backend="faiss")


def test_what_is_no_metric():
    for function in (torch.cdist, lambda: d2pyg.graph.metric.EuclideanMetric()):
        with pytest.raises(TypeError, match=r"got function .*the method pairwise\(x, y\) of a Pairwise"):
            d2pyg.knn_graph(torch.eye(3), 1, metric=function)
    with pytest.raises(TypeError, match=r"'metric' to be complete \(got Metric without embed\)"):
        d2pyg.knn_graph(torch.eye(3), 1, metric=d2pyg.graph.Metric)


def test_a_registered_class_is_recorded_by_its_name():
    x = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.8, 0.3]])
    cosine = d2pyg.select(x, budget=2, k=1, metric=d2pyg.graph.CosineMetric)
    assert cosine.settings["metric"] == "cosine"
    assert d2pyg.repeat(cosine, x).index.equal(cosine.index)
    graph = d2pyg.knn_graph(-x * 0, 1, metric=InnerProductMetric)  # whose values are no distances
    with pytest.raises(ValueError, match="'metric' to be a distance"):
        d2pyg.select(graph, budget=1)
