"""Fewer neighbors and fewer nodes, against sorting and PyG's subgraph."""

import pytest
import torch
from edge_cases import as_dict, edges
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.utils import subgraph

import d2pyg
from d2pyg.graph.edges import edges_of
from d2pyg.graph.order import by_target
from d2pyg.graph.parts import _ranked, induced, nearest

NODES = 7
NODE = st.integers(0, NODES - 1)
EDGES = st.lists(st.tuples(NODE, NODE, st.sampled_from([0.0, 1.0, 1.5, 2.0])), max_size=60)


def made(found):
    """Parallel edges and isolated nodes, in any order."""
    found = [edge for edge in found if edge[0] != edge[1]]
    return edges([edge[:2] for edge in found], [edge[2] for edge in found], NODES)


def test_nearest_keeps_the_smallest_distances_ties_to_the_lowest_index(device):
    e = edges([[1, 0], [3, 0], [2, 0], [0, 1]], [2.0, 1.0, 1.0, 9.0], 4).to(device)
    assert as_dict(nearest(e, 1, 3)) == {(2, 0): 1.0, (0, 1): 9.0}
    assert as_dict(nearest(e, 2, 3)) == {(2, 0): 1.0, (3, 0): 1.0, (0, 1): 9.0}
    assert nearest(e, 3, 3) is e
    with pytest.raises(ValueError, match=r"'k' to be between 1 and 3, the graph's own k \(got 4\)"):
        nearest(e, 4, 3)


@settings(deadline=None)
@given(EDGES, st.integers(1, 5), st.booleans())
def test_nearest_is_what_sorting_finds_in_the_order_given(found, k, is_sorted):
    e = by_target(made(found)) if is_sorted else made(found)
    kept = _ranked(e, k)  # as on CUDA
    few = nearest(e, k, 100)
    assert few.edge_index.equal(e.edge_index[:, kept])
    assert few.distance.equal(e.distance[kept])


def test_a_graph_cut_to_fewer_neighbors_is_the_graph_of_fewer(rng):
    x = torch.as_tensor(rng.integers(0, 4, (80, 2))).double()
    fewer = nearest(edges_of(d2pyg.knn_graph(x, 12)), 5, 12)
    assert fewer.edge_index.equal(d2pyg.knn_graph(x, 5).edge_index)


@settings(deadline=None)
@given(EDGES, st.sets(NODE, min_size=1))
def test_induced_is_pygs_subgraph(found, nodes):
    e, nodes = made(found), torch.tensor(sorted(nodes))
    index, distance = subgraph(nodes, e.edge_index, e.distance, relabel_nodes=True, num_nodes=NODES)
    part = induced(e, nodes)
    assert part.edge_index.equal(index)
    assert part.distance.equal(distance)
    assert part.num_nodes == len(nodes)


def test_induced_renumbers(device):
    e = edges([[0, 1], [1, 3], [3, 1]], [1.0, 2.0, 3.0], 5).to(device)
    part = induced(e, torch.tensor([1, 3, 4], device=device))
    assert as_dict(part) == {(0, 1): 2.0, (1, 0): 3.0}
    assert part.num_nodes == 3
