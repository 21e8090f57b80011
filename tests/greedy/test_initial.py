"""Nodes that are taken first, in the order given: every engine against the slow loop."""

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

import d2pyg
from d2pyg.nn import AbsoluteReverse, ReverseMessage


class Halving(ReverseMessage):
    """Halves with every step of distance: without rounding, whatever exp's last bit."""

    monotone = linear = True

    def message(self, pick_score, neighbor_score, distance):
        return torch.ldexp(pick_score, -distance)


class Capped(ReverseMessage):
    monotone = True

    def message(self, pick_score, neighbor_score, distance):
        return torch.ldexp(pick_score, -distance).clamp(max=1.5)


class Mixed(ReverseMessage):
    def message(self, pick_score, neighbor_score, distance):
        return torch.ldexp(pick_score + neighbor_score, -1 - distance)


MESSAGES = {
    Halving: lambda value, other, d: value * 2.0**-d,
    Capped: lambda value, other, d: min(1.5, value * 2.0**-d),
    Mixed: lambda value, other, d: (value + other) * 2.0 ** (-1 - d),
}


def engines(reverse):
    return ["sequential"] + ["heap"] * reverse.linear + ["rounds"] * reverse.monotone


def directed(pairs, num_nodes, distance=0.0):
    edge_index = torch.tensor(pairs).T.reshape(2, -1)
    return Data(
        edge_index=edge_index,
        edge_attr=torch.full((edge_index.shape[1],), distance, dtype=torch.float64),
        num_nodes=num_nodes,
    )


def undirected(pairs, num_nodes):
    return directed([*pairs, *[(j, i) for i, j in pairs]], num_nodes)


def assert_same(one, two):
    assert one.index.tolist() == two.index.tolist()
    assert one.pick_scores.tolist() == two.pick_scores.tolist()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_engines_equal_the_slow_loop(seed, data):
    rng = np.random.default_rng(seed)
    nodes = data.draw(st.integers(1, 30))
    batch = rng.integers(0, data.draw(st.integers(1, 3)), nodes)
    pair = rng.integers(0, nodes, (2, data.draw(st.integers(0, 6 * nodes))))
    pair = pair[:, (pair[0] != pair[1]) & (batch[pair[0]] == batch[pair[1]])]
    if data.draw(st.booleans()):
        pair = np.concatenate([pair, pair[::-1]], axis=1)
    pair = np.unique(pair, axis=1)
    distance = rng.integers(0, 4, pair.shape[1])
    score = rng.integers(-2, data.draw(st.sampled_from([1, 3, 9])), nodes).astype(float)
    if data.draw(st.booleans()):
        score = rng.normal(size=nodes)
    first = rng.permutation(nodes)[: data.draw(st.integers(0, nodes - 1))].tolist()
    left = np.delete(batch, first)
    groups = np.unique(batch).tolist()
    count = {g: int(rng.integers(0, (left == g).sum() + 1)) for g in groups}
    reverse = data.draw(st.sampled_from(list(MESSAGES)))
    clamp = data.draw(st.booleans())

    far = {(int(i), int(j)): int(d) for (j, i), d in zip(pair.T, distance, strict=True)}
    expected = oracle.greedy_loop(
        score,
        [[j for i, j in far if i == node] for node in range(nodes)],
        lambda pick, value, j, other: MESSAGES[reverse](value, other, far[pick, j]),
        count,
        batch,
        first,
        clamp,
    )
    graph = Data(
        edge_index=torch.as_tensor(pair), edge_attr=torch.as_tensor(distance).double(), num_nodes=nodes
    )
    some = {g: int(rng.integers(0, count[g] + 1)) for g in groups}
    rest = [count[g] - some[g] for g in groups]
    for engine in engines(reverse):
        options = {"reverse": reverse(), "clamp": clamp, "batch": batch, "engine": engine}
        coreset = d2pyg.greedy_select(score, graph, list(count.values()), initial=first, **options)
        found = list(zip(coreset.index.tolist(), coreset.pick_scores.tolist(), strict=True))
        assert found == [pick for g in groups for pick in expected[g]]
        assert coreset.settings["initial"] == first

        one = d2pyg.greedy_select(score, graph, list(some.values()), initial=first, **options)
        two = d2pyg.greedy_select(score, graph, rest, initial=one, **options)
        found = [
            (picks.index.tolist(), picks.pick_scores.tolist()) for picks in (one, two)
        ]  # group after group in both
        index, value = ([*a, *b] for a, b in zip(*found, strict=True))
        order = np.argsort(batch[index], kind="stable") if index else []
        assert [(index[i], value[i]) for i in order] == [p for g in groups for p in expected[g]]


def test_by_hand(engine):
    """The path 0 - 1 - 2 - 3 at distance 0."""
    graph = undirected([(0, 1), (1, 2), (2, 3)], 4)

    def picks(initial, clamp=False):
        coreset = d2pyg.greedy_select(
            [4.0, 5.0, 1.0, 2.0], graph, 2, initial=initial, clamp=clamp, engine=engine
        )
        return list(zip(coreset.index.tolist(), coreset.pick_scores.tolist(), strict=True))

    # 2 at 1 takes 1 from its neighbors; 1 is then at 4 and takes that from 0.
    assert picks([2, 1]) == [(3, 1.0), (0, 0.0)]
    # 1 at 5 takes 5 from its neighbors; 2 is then at -4 and gives that to 3.
    assert picks([1, 2]) == [(3, 6.0), (0, -1.0)]
    assert picks([1, 2], clamp=True) == [(3, 2.0), (0, -1.0)]
    assert picks(torch.tensor([False, True, True, False])) == picks([1, 2])


def test_levels_follow_edges_of_either_direction():
    # 1 loses when 0 is taken, and 2 when 1 is; 3 is apart.
    graph = directed([(1, 0), (2, 1)], 5)
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    for initial, levels in ([0, 1, 2, 3], [2, 1, 1]), ([2, 3, 1, 0], [2, 1, 1]), ([0, 2, 3, 1], [3, 1]):
        found = d2pyg.greedy_select(scores, graph, 1, initial=initial, engine="rounds")
        assert found.settings["engine_report"]["initial_per_level"] == levels


def chain(nodes):
    return undirected([(i, i + 1) for i in range(nodes - 1)], nodes)


@pytest.mark.parametrize("order", [1, -1])
def test_long_chains_go_to_the_heap(order):
    nodes = 600
    score = 2 + torch.sin(torch.arange(nodes) / 50).double()
    options = {"reverse": Halving(), "initial": torch.arange(300)[::order] if order > 0 else None}
    if order < 0:
        options["initial"] = torch.arange(300).flip(0)
    expected = d2pyg.greedy_select(score, chain(nodes), 200, engine="sequential", **options)
    found = d2pyg.greedy_select(score, chain(nodes), 200, engine="rounds", **options)
    assert_same(found, expected)
    report = found.settings["engine_report"]
    assert report["initial_per_level"] == [1]
    assert report["picks_per_round"] == []
    assert report["left_to_heap"] == 200
    capped = {**options, "reverse": Capped()}  # which the heap cannot run
    expected = d2pyg.greedy_select(score, chain(nodes), 200, engine="sequential", **capped)
    found = d2pyg.greedy_select(score, chain(nodes), 200, engine="rounds", **capped)
    assert_same(found, expected)
    assert found.settings["engine_report"]["initial_per_level"] == [1] * 300


@pytest.mark.parametrize("reverse", [AbsoluteReverse(), Capped()])
def test_scores_that_initial_samples_raise_above_all_that_were_given(reverse):
    """Forty samples at -8 raise sample 0 far above the grid's largest score, 16; others are plain."""
    path = [(0, 41), (41, 42), (42, 43), (44, 45), (45, 46), (46, 47)]
    graph = undirected([(0, i) for i in range(1, 41)] + path, 48)
    scores = torch.tensor([8.0, *[-8.0] * 40, 5.0, 7.0, 6.0, 5.0, 1.0, 3.0, 2.0])
    options = {"initial": torch.arange(40, 0, -1), "batch": [0] * 44 + [1] * 4}
    expected = d2pyg.greedy_select(scores, graph, 2, reverse, engine="sequential", **options)
    assert expected.pick_scores.tolist() == [328.0, 7.0, 5.0, 3.0]
    found = d2pyg.greedy_select(scores, graph, 2, reverse, engine="rounds", **options)
    assert_same(found, expected)
    assert found.settings["engine_report"]["initial_per_level"] == [40]
    assert found.settings["engine_report"]["picks_per_round"] == [4]


def layers(width, depth):
    """Each layer's nodes are joined to all of the next."""
    return undirected(
        [
            (width * layer + i, width * (layer + 1) + j)
            for layer in range(depth - 1)
            for i in range(width)
            for j in range(width)
        ],
        width * depth,
    )


def test_sums_beyond_what_is_exact_in_any_order(rng):
    """A node gets fifteen times what one of the layer before got, from layer to layer."""
    width, depth = 15, 9
    scores = torch.as_tensor(rng.random(width * depth))
    order = torch.arange(width * (depth - 2)).view(-1, width).flip(1).flatten()
    options = {"reverse": AbsoluteReverse(), "initial": order}
    graph = layers(width, depth)
    expected = d2pyg.greedy_select(scores, graph, 2 * width, engine="sequential", **options)
    found = d2pyg.greedy_select(scores, graph, 2 * width, engine="rounds", **options)
    assert expected.pick_scores.abs().max() > 2.0**23  # 2**53 units
    assert_same(found, expected)
    assert found.settings["engine_report"]["left_to_heap"] == 2 * width
    assert_same(d2pyg.greedy_select(scores, graph, 2 * width, engine="heap", **options), expected)


@pytest.mark.parametrize("linear", [True, False])
def test_messages_too_large_to_be_exact_in_any_order(linear, rng):
    class Steep(ReverseMessage):
        monotone = True

        def message(self, pick_score, neighbor_score, distance):
            return pick_score * 3e7 * (1 + distance)

    Steep.linear = linear
    pair = rng.integers(0, 60, (2, 400))
    pair = np.unique(pair[:, pair[0] != pair[1]], axis=1)
    distance = torch.as_tensor(rng.random(pair.shape[1]))
    graph = Data(edge_index=torch.as_tensor(pair), edge_attr=distance, num_nodes=60)
    scores = rng.random(60)
    expected = d2pyg.greedy_select(scores, graph, 60, Steep(), engine="sequential")
    found = d2pyg.greedy_select(scores, graph, 60, Steep(), engine="rounds")
    assert_same(found, expected)
    other = "heap" if linear else "sequential"
    assert found.settings["engine_report"][f"left_to_{other}"] == 60


def test_a_chain_whose_later_messages_are_too_large():
    """Rounds pick the four beside node 600 ahead of node 1, whose message to it is beyond 2**53 units."""

    class Growing(ReverseMessage):
        monotone = linear = True

        def message(self, pick_score, neighbor_score, distance):
            return pick_score * (2**distance - 1)

    unit, others = 2.0**-29, [(600, i) for i in range(601, 605)]
    pairs = [*[(i, i + 1) for i in range(599)], (1, 600), *others]
    graph = undirected(pairs, 605)
    graph.edge_attr = torch.tensor([*[0.0] * 599, 26.0, *[1.0] * 4]).double().repeat(2)
    scores = [*torch.linspace(1, 0.6, 600).tolist(), unit, *[0.5 + unit] * 4]
    expected = d2pyg.greedy_select(scores, graph, 605, Growing(), engine="sequential")
    assert expected.pick_scores[-1] < -(2.0**24)
    for engine in "rounds", "heap":
        assert_same(d2pyg.greedy_select(scores, graph, 605, Growing(), engine=engine), expected)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_messages_of_initial_samples_that_are_not_finite(value, engine):
    class Broken(ReverseMessage):
        monotone = linear = True

        def message(self, pick_score, neighbor_score, distance):
            return pick_score * 1e300

    graph = chain(4)
    with pytest.raises(ValueError, match="to be finite"):
        d2pyg.greedy_select([1e200, 1, 1, 1], graph, 1, Broken(), initial=[0, 1], engine=engine)


def test_groups_that_want_nothing_are_not_run(engine):
    graph = chain(3)
    coreset = d2pyg.greedy_select([1.0, 2.0, 3.0], graph, 0, batch=[4, 4, 4], initial=[1], engine=engine)
    assert coreset.index.tolist() == []
    assert (coreset.settings["engine"], coreset.settings["engine_report"]) == (engine, {})
    assert coreset.explain(1).fate == "initial"
    assert coreset.explain(0).score_last == -1.0


def test_what_the_caller_does_later_to_its_list_changes_nothing():
    initial = torch.tensor([2, 1])
    coreset = d2pyg.greedy_select([4.0, 5.0, 1.0, 2.0], chain(4), 1, initial=initial)
    initial[:] = torch.tensor([1, 2])
    assert [m.sample for m in coreset.explain(3).messages] == [2]
    assert coreset.settings["initial"] == [2, 1]
