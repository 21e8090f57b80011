"""The backend "cells": what it compares, what it finds among that, and what it says that it found."""

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.graph.cells import backend as cells_backend
from d2pyg.graph.cells import guide as guide_module
from d2pyg.graph.cells import tensors
from d2pyg.graph.cells.backend import CellSearch
from d2pyg.graph.cells.cells import Cells
from d2pyg.graph.cells.centroids import kmeans
from d2pyg.graph.cells.guide import Guide, nearest_centroids, ranks_of_centroids, squared
from d2pyg.graph.cells.plan import plan_visits
from d2pyg.graph.cells.rounds import Rounds
from d2pyg.graph.metric import EuclideanMetric
from d2pyg.graph.points import Points

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Cells where all pairs would be faster."""
    monkeypatch.setattr(cells_backend, "_FEWEST", 300)
    monkeypatch.setattr(cells_backend, "_FEWEST_CELLS", 4)


def clustered(rng, total=900, dim=6, clusters=30):
    return 3 * rng.normal(size=(clusters, dim))[rng.integers(0, clusters, total)] + rng.normal(
        size=(total, dim)
    )


def data(rng, kind):
    x = clustered(rng)
    if kind == "copies":
        x[:400] = x[rng.integers(400, 420, 400)]
    if kind == "integers":
        x = x.round()
    if kind == "outliers":
        x[7], x[8], x[100:150] = 1e8, -1e8, 1e4 * x[100:150]
    if kind == "columns":
        x[:, 0] *= 1e5
    if kind == "one place":
        x[:] = x[0]
    if kind == "few places":
        x = x[rng.integers(0, 5, len(x))]
    if kind == "bits":
        x = rng.integers(0, 2, (900, 9)).astype(float)
    return x


KINDS = ["clusters", "copies", "integers", "outliers", "columns", "one place", "few places", "bits"]


def points_of(x):
    return Points(torch.as_tensor(x), EuclideanMetric(), CPU, None, 1e9)


def table_of(graph, k):
    """Neighbors and distances [N, k]."""
    return graph.edge_index[0].view(-1, k), graph.edge_attr.view(-1, k)


def nearest_among(x, allowed, k):
    """By definition: the k nearest of those allowed [N, N], by (distance, index)."""
    difference = x[:, None] - x[None]
    distance = np.sqrt((difference**2).sum(axis=2))
    distance[~allowed] = np.inf
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distance, order, axis=1)


def same_graph(one, two):
    return torch.equal(one.edge_index, two.edge_index) and torch.equal(one.edge_attr, two.edge_attr)


class TestGuide:
    def test_rows_are_whole_numbers_whose_products_are_exact_in_float32(self, rng):
        x = clustered(rng, dim=40)
        x[3] *= 1e6
        guide = Guide(points_of(x))
        rows = guide.rows(slice(0, len(x)))
        assert rows.dtype == torch.float32
        assert torch.equal(rows, rows.round())
        length = rows.double().norm(dim=1)
        assert float(length.median()) > 100
        assert float(length.max()) < 2048 + np.sqrt(40) / 2
        assert torch.equal((rows @ rows.T).double(), rows.double() @ rows.double().T)

    def test_nearest_centroids_are_those_by_distance_then_number(self, rng):
        rows = torch.as_tensor(rng.integers(-3, 4, (200, 2))).float()
        centroid = torch.as_tensor(rng.integers(-3, 4, (30, 2))).float().unique(dim=0)
        exact = ((rows[:, None] - centroid[None]) ** 2).sum(dim=2)
        assert torch.equal(squared(rows, centroid), exact.double())
        order = exact.argsort(dim=1, stable=True)
        for count in (1, 2, 7, len(centroid)):
            assert torch.equal(nearest_centroids(rows, centroid, count).long(), order[:, :count])

    def test_ranks_count_the_nearer_centroids(self, rng):
        guide = Guide(points_of(clustered(rng)))
        centroid = kmeans(guide, 25)
        rows = torch.arange(40).unsqueeze(1)
        others = torch.as_tensor(rng.integers(0, 900, (40, 3)))
        order = nearest_centroids(guide.rows(slice(0, 900)), centroid, len(centroid))
        rank = ranks_of_centroids(guide, centroid, rows, others)
        assert torch.equal(order[rows, rank], order[others, 0])

    def test_the_setting_for_rounded_products_changes_nothing(self, rng):
        x = clustered(rng)
        before = d2pyg.knn_graph(x, 5, backend="cells")
        torch.set_float32_matmul_precision("medium")
        try:
            assert same_graph(d2pyg.knn_graph(x, 5, backend="cells"), before)
        finally:
            torch.set_float32_matmul_precision("highest")


class TestCells:
    def test_every_point_is_in_the_cell_of_its_nearest_centroid(self, rng):
        guide = Guide(points_of(clustered(rng)))
        centroid = kmeans(guide, 25)
        cells = Cells(guide, centroid, 3)
        nearest = nearest_centroids(guide.rows(cells.order), centroid, 3)
        assert torch.equal(cells.nearest, nearest)
        assert torch.equal(cells.order[cells.place], torch.arange(900))
        for cell in range(len(cells)):
            assert bool((nearest[cells.range(cell), 0] == cell).all())
            assert (
                cells.visits.to(cell).tolist()
                == (nearest == cell).any(dim=1).nonzero().flatten().tolist()
            )

    def test_centroids_are_different_and_the_same_every_time(self, rng):
        guide = Guide(points_of(data(rng, "few places")))
        centroid = kmeans(guide, 25)
        assert len(centroid) == 5
        assert torch.equal(kmeans(guide, 25), centroid)


class TestSearch:
    @pytest.mark.parametrize("kind", ["clusters", "integers", "outliers", "columns", "bits"])
    @pytest.mark.parametrize("visits", [1, 2])
    def test_finds_the_nearest_of_all_that_visit_or_are_visited(self, rng, monkeypatch, kind, visits):
        x = np.unique(data(rng, kind), axis=0)
        x = x[rng.permutation(len(x))]
        monkeypatch.setattr(cells_backend, "_MOST_ROUNDS", 0)
        seen = {}

        def plan(guide, centroid, k, recall):
            seen["cells"] = Cells(guide, centroid, visits)
            return made(guide, centroid, k, recall, visits)

        def made(guide, centroid, k, recall, visits):
            found = plan_visits(guide, centroid, k, recall)
            return type(found)(visits, found.drawn, found.true)

        monkeypatch.setattr(cells_backend, "plan_visits", plan)
        with pytest.warns(UserWarning, match=r"Expected to find 0\.999"):
            graph = d2pyg.knn_graph(x, 4, backend="cells", recall=0.999)
        cells = seen["cells"]
        visited = np.zeros((len(x), len(cells)), dtype=bool)
        visited[np.arange(len(x))[:, None], cells.nearest[cells.place].numpy()] = True
        allowed = visited[:, cells.nearest[cells.place][:, 0].numpy()]
        allowed |= allowed.T
        enough = allowed.sum(axis=1) > 4
        neighbor, distance = nearest_among(x, allowed, 4)
        found, how_far = table_of(graph, 4)
        assert enough.sum() > 100
        np.testing.assert_array_equal(found.numpy()[enough], neighbor[enough])
        np.testing.assert_allclose(how_far.numpy()[enough], distance[enough], rtol=1e-12)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("metric", ["euclidean", "cosine"])
    def test_with_recall_1_is_exact(self, rng, kind, metric):
        x = data(rng, kind)
        graph = d2pyg.knn_graph(x, 7, backend="cells", recall=1.0, metric=metric)
        assert same_graph(graph, d2pyg.knn_graph(x, 7, metric=metric))
        assert "recall" not in graph

    def test_with_recall_1_compares_few_where_there_are_clusters(self, rng):
        x = 50 * rng.normal(size=(40, 6))[rng.integers(0, 40, 900)] + rng.normal(size=(900, 6))
        _, _, pairs = CellSearch(1.0)(points_of(x), 5, NoBar())
        assert pairs < 900 * 899 / 2 / 4

    @pytest.mark.parametrize("kind", KINDS)
    def test_finds_what_it_was_asked_for(self, rng, kind):
        x = data(rng, kind)
        exact, graph = d2pyg.knn_graph(x, 7), d2pyg.knn_graph(x, 7, backend="cells", recall=0.9)
        found, true = (set(zip(*g.edge_index.tolist(), strict=True)) for g in (graph, exact))
        share = len(found & true) / len(true)
        # 900 samples: all of them are drawn.
        assert (
            graph.recall["value"] == pytest.approx(share) == graph.recall["low"] == graph.recall["high"]
        )
        assert share >= 0.9
        assert graph.recall["drawn"] == 900
        assert graph.recall["asked"] == 0.9

    def test_the_same_on_any_number_of_threads_and_with_any_memory(self, rng):
        x = data(rng, "integers")
        before = torch.get_num_threads()
        graphs = []
        try:
            for threads in (1, 2, 3):
                torch.set_num_threads(threads)
                graphs.append(d2pyg.knn_graph(x, 5, backend="cells", recall=0.99))
        finally:
            torch.set_num_threads(before)
        points = Points(torch.as_tensor(x), EuclideanMetric(), CPU, None, 20_000)
        assert not points.tables[0].keeps
        neighbor, distance, _ = CellSearch(0.99)(points, 5, NoBar())
        assert all(same_graph(graph, graphs[0]) for graph in graphs[1:])
        assert torch.equal(neighbor, table_of(graphs[0], 5)[0])
        assert torch.equal(distance, table_of(graphs[0], 5)[1])

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("recall", [0.9, 0.99, 1.0])
    @pytest.mark.filterwarnings("ignore:Expected to find")
    def test_torch_operations_find_the_same_as_the_loops(self, rng, monkeypatch, kind, recall):
        x = data(rng, kind)
        loops = d2pyg.knn_graph(x, 5, backend="cells", recall=recall)
        monkeypatch.setattr(tensors, "has_loops", lambda device: False)
        monkeypatch.setattr(guide_module, "has_loops", lambda device: False)
        graph = d2pyg.knn_graph(x, 5, backend="cells", recall=recall)
        assert same_graph(graph, loops)
        assert graph.get("recall") == loops.get("recall")

    def test_is_exact_for_few_samples(self, rng, monkeypatch):
        monkeypatch.setattr(cells_backend, "_FEWEST", 1000)
        x = clustered(rng)
        graph = d2pyg.knn_graph(x, 5, backend="cells")
        assert same_graph(graph, d2pyg.knn_graph(x, 5))
        assert graph.recall["value"] == graph.recall["products"] == 1

    def test_groups(self, rng):
        x, batch = clustered(rng, total=1200), np.repeat([0, 1, 2, 3], [500, 660, 39, 1])
        graph = d2pyg.knn_graph(x, 6, backend="cells", recall=0.9, batch=batch)
        exact = d2pyg.knn_graph(x, 6, batch=batch)
        found, true = (set(zip(*g.edge_index.tolist(), strict=True)) for g in (graph, exact))
        assert graph.num_edges == exact.num_edges
        assert (batch[graph.edge_index[0]] == batch[graph.edge_index[1]]).all()
        assert len(found & true) / len(true) > 0.9
        assert graph.recall["value"] > 0.9
        assert same_graph(d2pyg.knn_graph(x, 6, backend="cells", recall=1.0, batch=batch), exact)

    def test_says_what_it_cannot_find(self, rng):
        x = rng.normal(size=(900, 60))
        with pytest.warns(UserWarning, match=r"Expected to find 0\.999 .* backend='torch' finds all"):
            graph = d2pyg.knn_graph(x, 15, backend="cells", recall=0.999)
        assert graph.recall["high"] < 0.999


class NoBar:
    def update(self, count):
        pass


class TestRounds:
    def test_a_round_tries_all_neighbors_of_neighbors(self, rng):
        x = data(rng, "integers")
        points = points_of(x)
        guide = Guide(points)
        cells = Cells(guide, kmeans(guide, 25), 1)
        ordered, k = points.only(cells.order), 4
        place = x[cells.order.numpy()]
        start = torch.stack([torch.randperm(899)[:k] for _ in range(900)])
        start += (start >= torch.arange(900).unsqueeze(1)).long()
        far = np.sqrt(((place[:, None] - place[start.numpy()]) ** 2).sum(axis=2))
        order = np.lexsort((cells.order[start].numpy(), far), axis=1)
        start = torch.as_tensor(np.take_along_axis(start.numpy(), order, axis=1))
        state = Rounds(ordered.tables[0], cells, start.int(), torch.as_tensor(np.sort(far, axis=1)))
        state.run()
        # By definition: k own neighbors, the k nearest of those that have a point as theirs, two steps.
        joined = np.zeros((900, 900), dtype=bool)
        joined[np.arange(900)[:, None], start.numpy()] = True
        both = joined.copy()
        distance = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2))
        for row in range(900):
            incoming = np.flatnonzero(joined[:, row] & ~joined[row])
            nearest = np.lexsort((cells.order.numpy()[incoming], distance[row, incoming]))[:k]
            both[row, incoming[nearest]] = True
        allowed = both | ((both.astype(int) @ both.astype(int)) > 0)
        own = cells.nearest[:, 0].numpy()
        allowed &= own[:, None] != own[None]  # they were compared before
        point = cells.order.numpy()
        allowed = (allowed | joined)[np.ix_(cells.place.numpy(), cells.place.numpy())]
        neighbor, how_far = nearest_among(x, allowed, k)
        np.testing.assert_array_equal(point[state.neighbor.numpy()], neighbor[point])
        np.testing.assert_allclose(state.distance.numpy(), how_far[point], rtol=1e-12)
        pairs = zip(state.neighbor.tolist(), start.tolist(), strict=True)
        changed = torch.tensor([set(after) != set(before) for after, before in pairs])
        assert changed.any()
        assert torch.equal(state.fresh.any(dim=1), changed)


class TestArguments:
    @pytest.mark.parametrize("recall", [0, -0.1, 1.01, float("nan")])
    def test_recall_is_a_share(self, rng, recall):
        with pytest.raises(ValueError, match="'recall' to be"):
            d2pyg.knn_graph(clustered(rng), 5, backend="cells", recall=recall)

    @pytest.mark.parametrize("backend", ["auto", "torch", "pynndescent", CellSearch(0.9)])
    def test_recall_goes_with_cells(self, rng, backend):
        with pytest.raises(ValueError, match=r"'recall' to be left out .* Use backend='cells'"):
            d2pyg.knn_graph(clustered(rng), 5, backend=backend, recall=0.9)

    def test_an_object_is_the_same(self, rng):
        x = clustered(rng)
        graph = d2pyg.knn_graph(x, 5, backend=CellSearch(0.9))
        assert graph.backend == "CellSearch(recall=0.9)"
        assert same_graph(graph, d2pyg.knn_graph(x, 5, backend="cells", recall=0.9))

    def test_other_metrics_are_refused(self, rng):
        with pytest.raises(
            ValueError, match="'backend' to be 'torch' with a metric that compares pairs"
        ):
            d2pyg.knn_graph(clustered(rng), 5, backend="cells", metric="inner_product")
        with pytest.raises(ValueError, match="'backend' to be exact"):
            d2pyg.duplicates(clustered(rng), 0.1, backend="cells")

    def test_select_records_what_was_found(self, rng):
        x, scores = clustered(rng), rng.random(900)
        coreset = d2pyg.select(x, scores, keep=0.2, backend="cells", recall=0.9)
        graph = d2pyg.knn_graph(x, 15, backend="cells", recall=0.9)
        assert coreset.settings["recall"] == graph.recall
        assert d2pyg.repeat(coreset, x, scores).index.tolist() == coreset.index.tolist()
        assert d2pyg.select(graph, scores, keep=0.2).settings["recall"] == graph.recall
        with pytest.raises(ValueError, match="'recall' to be left out with a graph"):
            d2pyg.select(graph, scores, keep=0.2, recall=0.9)
        assert d2pyg.select(x, scores, keep=0.2).settings["recall"] is None

    def test_files_keep_what_was_found(self, rng, tmp_path):
        graph = d2pyg.knn_graph(clustered(rng), 5, backend="cells")
        d2pyg.save_graph(graph, tmp_path / "graph.pt")
        assert d2pyg.load_graph(tmp_path / "graph.pt").recall == graph.recall

    def test_sweeps_and_transforms_take_it(self, rng):
        x = clustered(rng)
        rows = d2pyg.sweep(x, rng.random(900), keep=[0.1, 0.2], backend="cells", recall=0.9)
        assert len(rows) == 2
        found = d2pyg.transforms.EmbeddingKNNGraph(5, backend="cells", recall=0.9)(
            torch_geometric_data(x)
        )
        assert torch.equal(
            found.edge_index, d2pyg.knn_graph(x, 5, backend="cells", recall=0.9).edge_index
        )


def torch_geometric_data(x):
    from torch_geometric.data import Data

    return Data(x=torch.as_tensor(x))
