import pytest
import torch
from edge_cases import as_dict, edges
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

import d2pyg
from d2pyg.graph.edges import edges_of, median_distance, num_across, own_k
from d2pyg.graph.order import both_directions


def test_both_directions_join_once_at_the_smaller_distance():
    e = both_directions(edges([[0, 1], [1, 0], [2, 1]], [3.0, 2.0, 5.0], 4))
    assert as_dict(e) == {(0, 1): 2.0, (1, 0): 2.0, (1, 2): 5.0, (2, 1): 5.0}


def test_median_is_the_lower_one_of_what_is_positive():
    assert median_distance(edges([[0, 1]] * 5, [0.0, 4.0, 1.0, 2.0, 3.0], 2)) == 2.0
    assert median_distance(edges([[0, 1]], [0.0], 2)) == 1.0
    assert median_distance(edges([], [], 2)) == 1.0


@settings(deadline=None)
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
