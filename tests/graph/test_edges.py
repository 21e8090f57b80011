import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg.graph.edges import edges_of, induced, median_distance, nearest, own_k
from d2pyg.graph.order import both_directions


def edges(pairs, distances, num_nodes):
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return edges_of(Data(edge_index=index, edge_attr=torch.tensor(distances), num_nodes=num_nodes))


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
