"""Edges sorted by counting and rows merged, against sorting and PyG's to_undirected."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch_geometric.utils import to_undirected
from torch_geometric.utils.sparse import index2ptr

from d2pyg.graph import order
from d2pyg.graph.edges import Edges, SortedEdges
from d2pyg.graph.order import both_directions, by_target

NODES = 9
NODE = st.integers(0, NODES - 3)  # the last two are isolated
EDGE = st.tuples(NODE, NODE, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5]))  # parallel edges, self-loops
EDGES = st.lists(EDGE, max_size=60)


def edges_from(found, nodes=NODES, device="cpu"):
    source, target, distance = ([edge[part] for edge in found] for part in range(3))
    ends = torch.tensor([source, target], dtype=torch.int64, device=device)
    return Edges(*ends, torch.tensor(distance, dtype=torch.float64, device=device), nodes)


def assert_sorted(found, source, target, distance):
    assert isinstance(found, SortedEdges)
    assert found.source.equal(source)
    assert found.target.equal(target)
    assert found.distance.equal(distance)
    assert found.ptr.equal(index2ptr(target, found.num_nodes))


def assert_both(edges):
    (target, source), distance = to_undirected(
        edges.edge_index, edges.distance, num_nodes=edges.num_nodes, reduce="min"
    )
    found = both_directions(edges)
    assert_sorted(found, source, target, distance)
    assert found.symmetric


@settings(deadline=None)
@given(EDGES)
@example([])
@example([(0, 0, 1.0)])
@example([(1, 0, 2.0), (0, 1, 1.0), (1, 0, 0.5), (1, 0, 3.5)])
def test_both_directions_are_those_of_pyg(found):
    assert_both(edges_from(found))


@settings(deadline=None)
@given(EDGES)
@example([])
def test_by_target_keeps_the_order_within_a_target(found):
    edges = edges_from(found)
    at = edges.target.argsort(stable=True)
    assert_sorted(by_target(edges), edges.source[at], edges.target[at], edges.distance[at])
    turned = by_target(edges).turned()
    assert not isinstance(turned, SortedEdges)
    at = turned.target.argsort(stable=True)
    assert_sorted(by_target(turned), turned.source[at], turned.target[at], turned.distance[at])


@settings(deadline=None)
@given(EDGES)
def test_rows_that_are_sorted_all_at_once(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "_LONG", 1)
        assert_both(edges_from(found))


def test_a_hub_and_random_rows(rng, device):
    nodes = 700
    hub = [(node, 3, float(node)) for node in range(1, nodes, 2)] + [(3, 8, 0.0)]
    ends = rng.integers(0, nodes, (2, 4000)).tolist()
    found = hub + list(zip(*ends, rng.integers(0, 5, 4000).tolist(), strict=True))
    assert max(by_target(edges_from(found, nodes)).ptr.diff()) > order._LONG
    rng.shuffle(found)
    assert_both(edges_from([(int(i), int(j), d) for i, j, d in found], nodes, device))


def test_no_nodes():
    assert both_directions(edges_from([], nodes=0)).ptr.tolist() == [0]
    assert by_target(edges_from([], nodes=0)).ptr.tolist() == [0]


def test_what_is_sorted_is_not_sorted_again(rng):
    edges = by_target(edges_from([(1, 0, 2.0), (0, 1, 1.0)]))
    assert by_target(edges) is edges
    scaled = edges.in_units_of(2.0)
    assert isinstance(scaled, SortedEdges)
    assert scaled.distance.tolist() == [1.0, 0.5]
    assert edges.in_units_of(1) is edges


def test_inputs_stay_as_they_are(rng):
    ends = torch.as_tensor(rng.integers(0, 20, (2, 90)))
    edges = Edges(*ends, torch.as_tensor(rng.random(90)), 20)
    before = edges.edge_index.clone(), edges.distance.clone()
    both_directions(edges)
    by_target(edges)
    assert edges.edge_index.equal(before[0])
    assert edges.distance.equal(before[1])
