"""The built-in forward step along rows, against PyG's message passing: every bit is the same."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import d2pyg
from d2pyg.graph.edges import Edges
from d2pyg.graph.order import by_target
from d2pyg.nn import ExactSum, ForwardMessagePassing, Kernel, along_rows
from d2pyg.nn.spread import spread

NODES = 8
NODE = st.integers(0, NODES - 2)
SCORE = st.one_of(
    st.floats(0, 100),
    st.sampled_from([0.0, 1e-320, 1e-300, 1e300]),
)
EDGE = st.tuples(NODE, NODE, st.sampled_from([0.0, 0.1, 1.0, 5.0, 40.0]))


class Through(ForwardMessagePassing):
    """The same step, which as a subclass goes through PyG."""


def graph(found):
    ends = torch.tensor([edge[:2] for edge in found], dtype=torch.int64).reshape(-1, 2).T
    distance = torch.tensor([edge[2] for edge in found], dtype=torch.float64)
    return Edges(ends[0].contiguous(), ends[1].contiguous(), distance, NODES)


@settings(deadline=None)
@given(
    st.lists(EDGE, max_size=50),
    st.lists(SCORE, min_size=NODES, max_size=NODES),
    st.sampled_from(["sum", "product", "none"]),
    st.sampled_from(["rbf", "laplacian"]),
    st.booleans(),
)
@example([], [1.0] * NODES, "sum", "rbf", True)
@example([(0, 1, 0.0)] * 3, [1e300] * NODES, "sum", "rbf", True)
def test_the_bits_are_those_of_pyg(found, score, update, kernel, both):
    score = torch.tensor(score, dtype=torch.float64)
    knobs = {"gamma": 0.7, "kernel": kernel, "update": update}
    assert along_rows.sums_rows(ForwardMessagePassing(**knobs), score)
    assert not along_rows.sums_rows(Through(**knobs), score)

    def run(layer):
        try:
            return spread(score, graph(found), layer, "median", both).score
        except ValueError as error:
            return str(error).replace("Through", "ForwardMessagePassing")

    rows, pyg = run(ForwardMessagePassing(**knobs)), run(Through(**knobs))
    assert rows.equal(pyg) if isinstance(rows, torch.Tensor) else rows == pyg


def test_hops_and_exponents_far_apart(rng):
    ends = torch.as_tensor(rng.integers(0, 300, (2, 4000)))
    edges = Edges(*ends, torch.as_tensor(rng.exponential(size=4000)), 300)
    score = torch.as_tensor(rng.random(300) * 10.0 ** rng.integers(-30, 30, 300))
    for update in "sum", "product":
        rows, pyg = (layer(0.3, update=update, hops=3) for layer in (ForwardMessagePassing, Through))
        one, two = (spread(score, edges, layer, None, both=False) for layer in (rows, pyg))
        assert one.score.equal(two.score)
        assert one.edges is edges


def test_a_sum_that_overflows_is_refused_either_way():
    edges = graph([(0, 1, 0.0), (2, 1, 0.0)])
    for layer in ForwardMessagePassing(), Through():
        with pytest.raises(ValueError, match="after the forward pass to be finite"):
            spread(torch.full((NODES,), 1.7e308, dtype=torch.float64), edges, layer, None, both=False)


def changed(name):
    """A layer that has been given something else to do."""
    layer = ForwardMessagePassing()
    if name == "message":
        layer.message = lambda score_j, weight: 2 * weight * score_j
    elif name == "torch":
        layer.register_forward_hook(lambda *args: args[-1] * 2)
    elif name == "pyg":
        layer.register_message_forward_hook(lambda *args: args[-1] * 2)
    elif name == "explain":
        layer.explain = True
    elif name == "sum":
        layer = ForwardMessagePassing(aggr="sum")
    elif name == "flow":
        layer = ForwardMessagePassing(flow="target_to_source")
    return layer


@pytest.mark.parametrize("name", ["message", "torch", "pyg", "explain", "sum", "flow"])
def test_what_does_something_else_goes_through_pyg(name):
    one = torch.ones(3, dtype=torch.float64)
    assert not along_rows.sums_rows(changed(name), one)
    assert along_rows.sums_rows(changed(None), one)


def test_columns_go_through_pyg():
    assert not along_rows.sums_rows(ForwardMessagePassing(), torch.ones(3, 2, dtype=torch.float64))


@pytest.mark.parametrize("name", ["message", "torch", "pyg", "flow"])
def test_changes_are_heard(name, rng):
    x, scores = rng.normal(size=(40, 3)), rng.random(40)
    plain = d2pyg.select(x, scores, budget=10, k=3, flow="target_to_source")
    found = d2pyg.select(
        x, scores, budget=10, k=3, flow="target_to_source", forward=changed(name), kernel=None
    )
    assert not found.scores.equal(plain.scores)


class Same(Kernel):
    """One weight for all edges, which PyG repeats."""

    def weight(self, distance, gamma):
        return torch.tensor(0.5, dtype=distance.dtype)


def test_a_weight_of_another_shape_is_repeated_as_pyg_does(rng):
    edges = graph([(0, 1, 1.0), (2, 1, 2.0)])
    score = torch.as_tensor(rng.random(NODES))
    rows, pyg = (layer(kernel=Same()) for layer in (ForwardMessagePassing, Through))
    found = spread(score, edges, rows, None, both=True).score
    assert found.equal(spread(score, edges, pyg, None, both=True).score)
    assert float(found[1]) == pytest.approx(float(score[1] + 0.5 * (score[0] + score[2])))


def test_sums_are_those_of_exact_sum(rng, device):
    """At exponents where steps are subnormal or capped."""
    size = 10.0 ** rng.integers(-320, 305, 500).astype(float)
    weight = torch.as_tensor(rng.random(4000))
    score, source = torch.as_tensor(rng.random(500) * size), torch.as_tensor(rng.integers(0, 500, 4000))
    target = torch.as_tensor(rng.integers(0, 500, 4000)).sort().values
    rows = by_target(Edges(source.to(device), target.to(device), weight.to(device), 500))
    total = along_rows.weighted_sums(rows, rows.distance, score.to(device))
    assert total.cpu().equal(ExactSum()(weight * score[source], target, dim=0, dim_size=500))
