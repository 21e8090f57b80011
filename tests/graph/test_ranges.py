"""Distances whose squares are 0 or infinite."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.graph.lengths import length


@pytest.mark.parametrize("size", [1.0, 2.0**-300, 2.0**-520, 2.0**-1000, 2.0**300, 2.0**510])
def test_lengths_against_exact_arithmetic(size, rng):
    x = rng.normal(size=(20, 7)) * size
    for row, found in zip(x, length(torch.as_tensor(x)).tolist(), strict=True):
        exact = sum(Fraction(v) ** 2 for v in row.tolist())
        assert abs(Fraction(found) ** 2 / exact - 1) < Fraction(1, 2**48)


@pytest.mark.parametrize("batch", [None, [0, 0, 0, 0, 0]])
def test_tiny_distances_beside_large_ones(batch):
    x = np.array([[0, 0], [9, 0], [1, 0], [8, 0], [0, 0]]) * 1e-170
    x[4] = 1.0  # so that the data as a whole are of an ordinary size
    graph = d2pyg.knn_graph(x, 1, batch=batch)
    assert graph.edge_index[0].tolist() == [2, 3, 0, 1, 0] or graph.edge_index[0, :4].tolist() == [
        2,
        3,
        0,
        1,
    ]
    assert graph.edge_attr[:4].tolist() == pytest.approx([1e-170] * 4)
    assert float(graph.edge_attr[4]) == pytest.approx(math.sqrt(2))


def test_inner_products_out_of_range_are_refused(rng):
    y = rng.normal(size=(50, 4))
    whole = d2pyg.knn_graph(y, 3, metric="inner_product")
    tiny = d2pyg.knn_graph(y * 2.0**-400, 3, metric="inner_product")
    assert tiny.edge_index.equal(whole.edge_index)
    for factor in 1e-200, 1e200:
        with pytest.raises(ValueError, match="1e-150"):
            d2pyg.knn_graph(y * factor, 3, metric="inner_product")


def test_the_product_of_a_pair_depends_on_its_rows_alone(rng):
    x = torch.as_tensor(rng.normal(size=(300, 33)))
    whole = d2pyg.knn_graph(x, 4, metric="inner_product")
    for rows in (40, 57, 299):
        part = d2pyg.knn_graph(x[:rows], 4, metric="inner_product")
        known = dict(zip(map(tuple, whole.edge_index.T.tolist()), whole.edge_attr.tolist(), strict=True))
        for pair, value in zip(
            map(tuple, part.edge_index.T.tolist()), part.edge_attr.tolist(), strict=True
        ):
            assert known.get(pair, value) == value
