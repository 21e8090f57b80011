import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data

import d2pyg
from d2pyg.graph.edges import edges_of, induced, median_distance, nearest, num_across, own_k
from d2pyg.graph.order import both_directions


def edges(pairs, distances, num_nodes):
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    distance = torch.tensor(distances, dtype=torch.float64)
    return edges_of(Data(edge_index=index, edge_attr=distance, num_nodes=num_nodes))


def as_dict(e):
    pairs = map(tuple, e.edge_index.T.tolist())
    return dict(zip(pairs, e.distance.tolist(), strict=True))


def test_nearest_keeps_the_smallest_distances_ties_to_the_lowest_index():
    e = edges([[1, 0], [3, 0], [2, 0], [0, 1]], [2.0, 1.0, 1.0, 9.0], 4)
    assert as_dict(nearest(e, 1, 3)) == {(2, 0): 1.0, (0, 1): 9.0}
    assert as_dict(nearest(e, 2, 3)) == {(2, 0): 1.0, (3, 0): 1.0, (0, 1): 9.0}
    assert nearest(e, 3, 3) is e
    with pytest.raises(ValueError, match=r"'k' to be between 1 and 3, the graph's own k \(got 4\)"):
        nearest(e, 4, 3)


def test_a_graph_cut_to_fewer_neighbors_is_the_graph_of_fewer(rng):
    x = torch.as_tensor(rng.integers(0, 4, (80, 2))).double()
    fewer = nearest(edges_of(d2pyg.knn_graph(x, 12)), 5, 12)
    assert fewer.edge_index.equal(d2pyg.knn_graph(x, 5).edge_index)


def test_both_directions_join_once_at_the_smaller_distance():
    e = both_directions(edges([[0, 1], [1, 0], [2, 1]], [3.0, 2.0, 5.0], 4))
    assert as_dict(e) == {(0, 1): 2.0, (1, 0): 2.0, (1, 2): 5.0, (2, 1): 5.0}


def test_induced_renumbers():
    e = edges([[0, 1], [1, 3], [3, 1]], [1.0, 2.0, 3.0], 5)
    part = induced(e, torch.tensor([1, 3, 4]))
    assert as_dict(part) == {(0, 1): 2.0, (1, 0): 3.0}
    assert part.num_nodes == 3


def test_median_is_the_lower_one_of_what_is_positive():
    assert median_distance(edges([[0, 1]] * 5, [0.0, 4.0, 1.0, 2.0, 3.0], 2)) == 2.0
    assert median_distance(edges([[0, 1]], [0.0], 2)) == 1.0
    assert median_distance(edges([], [], 2)) == 1.0


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, 1.5, 2.0, 7.0]) | st.floats(0, 1e3), max_size=40))
def test_median_is_an_entry_of_the_sorted_positive_distances(distances):
    positive = sorted(d for d in distances if d > 0)
    expected = positive[(len(positive) - 1) // 2] if positive else 1.0
    assert median_distance(edges([[0, 1]] * len(distances), [*distances], 2)) == expected


def test_edges_across_groups_are_counted():
    e = edges([[0, 1], [1, 2], [2, 0], [2, 1]], [1.0] * 4, 3)
    assert num_across(e, torch.tensor([0, 0, 0])) == 0
    assert num_across(e, torch.tensor([0, 0, 1])) == 3
    assert num_across(edges([], [], 3), torch.tensor([0, 0, 1])) == 0


def test_edges_turned_and_moved(device):
    e = edges([[0, 1], [2, 1]], [1.0, 2.0], 3)
    assert e.turned().edge_index.tolist() == [[1, 1], [0, 2]]
    assert e.to(device).source.device.type == device.type
    assert e.to(device).edge_index.tolist() == [[0, 2], [1, 1]]


def test_own_k_of_a_graph_from_elsewhere():
    graph = Data(edge_index=torch.tensor([[0, 1, 2], [3, 3, 0]]), num_nodes=4)
    graph.edge_attr = torch.ones(3)
    assert own_k(graph, edges_of(graph)) == 2
    graph.k = 5
    assert own_k(graph, edges_of(graph)) == 5
    assert own_k(Data(num_nodes=3), edges([], [], 3)) == 0


@pytest.mark.parametrize("scores", [None, torch.ones(3)])
def test_more_nodes_than_memory(scores):
    graph = d2pyg.knn_graph(torch.eye(3), 1)
    graph.num_nodes = 10**12
    with pytest.raises(ValueError, match=r"free on cpu \(got 10{12} nodes, which take 64 TB or more\)"):
        d2pyg.select(graph, scores, budget=1)
