"""Samples that are the same bit by bit are searched once."""

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.graph.copies import first_copies, with_copies
from d2pyg.graph.metric import as_metric
from d2pyg.graph.points import Points

CPU = torch.device("cpu")


def points_of(x, metric="euclidean"):
    return Points(torch.as_tensor(x), as_metric(metric), CPU)


def test_each_has_the_lowest_that_is_the_same(rng):
    x = rng.normal(size=(200, 5))
    x[50:] = x[rng.integers(0, 60, 150)]
    expected = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in x]
    assert first_copies(points_of(x)).tolist() == expected
    assert first_copies(points_of(x.astype(np.float16))).tolist() == [
        int(np.flatnonzero((x.astype(np.float16) == row).all(axis=1))[0]) for row in x.astype(np.float16)
    ]


def test_zero_vectors_have_no_direction_in_common():
    x = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [1.0, 2.0]])
    assert first_copies(points_of(x, "cosine")).tolist() == [0, 1, 2, 1]
    assert first_copies(points_of(x)).tolist() == [0, 1, 0, 1]


def test_the_same_hash_is_not_enough(monkeypatch):
    import d2pyg.graph.copies as copies

    monkeypatch.setattr(copies, "_hashes", lambda points: torch.zeros(len(points), dtype=torch.int64))
    x = np.array([[1.0], [2.0], [1.0], [2.0], [3.0]])
    assert first_copies(points_of(x)).tolist() == [0, 1, 0, 3, 4]


@pytest.mark.parametrize("k", [1, 3, 11, 59])
@pytest.mark.parametrize("places", [2, 3, 7, 40])
def test_copies_get_the_graph_of_all(rng, places, k):
    x = rng.integers(0, 3, (places, 2))[rng.integers(0, places, 60)].astype(float)
    first = first_copies(points_of(x))
    kept = first.unique()
    exact = d2pyg.knn_graph(x, k)
    most = min(k, len(kept) - 1)
    near = d2pyg.knn_graph(x[kept.numpy()], most) if most else None
    neighbor = (
        torch.empty(1, 0, dtype=torch.int64) if near is None else near.edge_index[0].view(-1, most)
    )
    far = torch.empty(1, 0, dtype=torch.float64) if near is None else near.edge_attr.view(-1, most)
    found, distance = with_copies(first, kept, neighbor, far, k)
    assert torch.equal(found.flatten(), exact.edge_index[0])
    assert torch.equal(distance.flatten(), exact.edge_attr)
