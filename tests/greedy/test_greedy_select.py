import math

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

import d2pyg
from d2pyg.nn import AbsoluteReverse, ReverseMessage, WeightedReverse


def random_graph(rng, case, nodes=40, edges=150):
    """Directed, with distances that are not symmetric; self-loops left out."""
    pair = rng.integers(0, nodes - 5, (2, edges))  # the last five nodes are isolated
    pair = pair[:, pair[0] != pair[1]]
    if case == "parallel":
        pair = np.concatenate([pair, pair[:, :20]], axis=1)
    distance = rng.integers(0, 4, pair.shape[1]).astype(np.float64)
    score = rng.integers(-3, 9, nodes).astype(np.float64)
    if case == "floats":
        distance, score = rng.exponential(size=pair.shape[1]), rng.normal(size=nodes)
    graph = Data(edge_index=torch.as_tensor(pair), edge_attr=torch.as_tensor(distance), num_nodes=nodes)
    return score, graph


def neighbors(graph):
    """For each node the (neighbor, distance) pairs that lose when it is picked."""
    lists = [[] for _ in range(graph.num_nodes)]
    for (source, target), d in zip(graph.edge_index.T.tolist(), graph.edge_attr.tolist(), strict=True):
        lists[target].append((source, d))
    return lists


@pytest.mark.parametrize("case", ["integers", "floats", "parallel"])
@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("initial", [[], [3, 38, 0]])
def test_equals_the_slow_loop(case, gamma, clamp, initial, engine, device, rng):
    score, graph = random_graph(rng, case)
    lists = neighbors(graph)
    # One entry an edge, so that parallel edges send twice: number the edges of each node.
    sent = [list(enumerate(pairs)) for pairs in lists]

    def message(pick, value, edge, _):
        return math.exp(-gamma * lists[pick][edge][1] ** 2) * value

    expected = loop_over_edges(score, sent, message, 40 - len(initial), initial, clamp)
    coreset = d2pyg.greedy_select(
        torch.as_tensor(score, device=device),
        graph.to(device),
        40 - len(initial),
        WeightedReverse(gamma),
        clamp=clamp,
        initial=initial,
        engine=engine,
    )
    assert coreset.index.tolist() == [node for node, _ in expected]
    assert coreset.pick_scores.tolist() == [value for _, value in expected]


def loop_over_edges(score, sent, message, count, initial, clamp):
    """The slow loop, edge by edge."""
    step = oracle.grid(score)
    score = [oracle.snap(float(v), step) for v in score]
    left = set(range(len(score)))
    picks = []
    for turn in range(len(initial) + count):
        candidates = {initial[turn]} if turn < len(initial) else left
        best = max(candidates, key=lambda i: (score[i], -i))
        left.remove(best)
        if turn >= len(initial):
            picks.append((best, score[best]))
        if not (clamp and score[best] <= 0):
            for edge, (neighbor, _) in sent[best]:
                score[neighbor] -= oracle.snap(message(best, score[best], edge, None), step)
    return picks


def test_a_pick_by_hand():
    # 0 - 1 at distance 0, 1 - 2 at distance 0: picking 1 (5) takes 5 from both.
    graph = Data(
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        edge_attr=torch.zeros(4),
        num_nodes=4,
    )
    coreset = d2pyg.greedy_select([4.0, 5.0, 1.0, 2.0], graph, 4)
    assert coreset.index.tolist() == [1, 3, 0, 2]
    assert coreset.pick_scores.tolist() == [5.0, 2.0, -1.0, -4.0]
    assert coreset.scores.tolist() == [4.0, 5.0, 1.0, 2.0]


def test_below_zero_a_pick_raises_its_neighbors_unless_clamped():
    graph = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.zeros(2), num_nodes=2)
    assert d2pyg.greedy_select([-1.0, -3.0], graph, 2).pick_scores.tolist() == [-1.0, -2.0]
    clamped = d2pyg.greedy_select([-1.0, -3.0], graph, 2, clamp=True)
    assert clamped.pick_scores.tolist() == [-1.0, -3.0]


def test_directed_messages_go_to_the_picks_own_neighbors():
    graph = Data(edge_index=torch.tensor([[0], [1]]), edge_attr=torch.zeros(1), num_nodes=2)
    # 0 is a neighbor of 1: picking 1 lowers 0, picking 0 leaves 1 alone.
    assert d2pyg.greedy_select([1.0, 2.0], graph, 2).pick_scores.tolist() == [2.0, -1.0]
    assert d2pyg.greedy_select([2.0, 1.0], graph, 2).pick_scores.tolist() == [2.0, 1.0]


def test_edge_order_changes_nothing(engine, device, rng):
    score, graph = random_graph(rng, "floats", nodes=60, edges=800)
    one = d2pyg.greedy_select(score, graph.to(device), 60, engine=engine)
    order = torch.as_tensor(rng.permutation(graph.edge_index.shape[1]), device=device)
    shuffled = Data(
        edge_index=graph.edge_index[:, order], edge_attr=graph.edge_attr[order], num_nodes=60
    )
    two = d2pyg.greedy_select(score, shuffled, 60, engine=engine)
    assert two.index.equal(one.index)
    assert two.pick_scores.equal(one.pick_scores)


def test_a_message_that_depends_on_the_neighbors_score(rng):
    class Half(ReverseMessage):
        def message(self, pick_score, neighbor_score, distance):
            return (pick_score + neighbor_score) / 4

    score, graph = random_graph(rng, "integers")
    lists = [sorted({n for n, _ in pairs}) for pairs in neighbors(graph)]
    edges = torch.tensor([[n, i] for i, ns in enumerate(lists) for n in ns]).T
    simple = Data(edge_index=edges, edge_attr=torch.ones(edges.shape[1]), num_nodes=40)
    expected = oracle.greedy_loop(score, lists, lambda i, value, j, other: (value + other) / 4, {0: 40})
    coreset = d2pyg.greedy_select(score, simple, 40, Half())
    assert list(zip(coreset.index.tolist(), coreset.pick_scores.tolist(), strict=True)) == expected[0]


def test_scores_of_any_size(engine, rng):
    score, graph = random_graph(rng, "floats")
    expected = d2pyg.greedy_select(score, graph, 40, engine=engine).index.tolist()
    for factor in 2.0**-900, 2.0**900:
        scaled = d2pyg.greedy_select(score * factor, graph, 40, engine=engine)
        assert scaled.index.tolist() == expected


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_engines_agree_bit_by_bit(seed, data):
    rng = np.random.default_rng(seed)
    nodes = data.draw(st.integers(1, 40))
    batch = rng.integers(0, data.draw(st.integers(1, 6)), nodes)
    pair = rng.integers(0, nodes, (2, data.draw(st.integers(0, 5 * nodes))))
    pair = pair[:, (pair[0] != pair[1]) & (batch[pair[0]] == batch[pair[1]])]
    if data.draw(st.booleans()):
        pair = np.unique(np.concatenate([pair, pair[::-1]], axis=1), axis=1)
    graph = Data(
        edge_index=torch.as_tensor(pair),
        edge_attr=torch.as_tensor(rng.choice([0.0, 0.5, 1.0, 3.0, 1e9], pair.shape[1])),
        num_nodes=nodes,
    )
    score = rng.integers(-2, data.draw(st.sampled_from([1, 3, 100])), nodes)
    if data.draw(st.booleans()):
        score = rng.normal(size=nodes).astype(data.draw(st.sampled_from(["f4", "f8"])))
    initial = rng.permutation(nodes)[: data.draw(st.integers(0, nodes - 1))]
    left = np.delete(batch, initial)
    options = {
        "gamma_reverse": data.draw(st.sampled_from([0.0, 0.1, 1.0])),
        "clamp": data.draw(st.booleans()),
        "initial": initial,
    }
    if data.draw(st.booleans()):
        options["batch"] = batch
        options["budget"] = [rng.integers(0, (left == g).sum() + 1) for g in np.unique(batch)]
    else:
        options["budget"] = data.draw(st.integers(1, len(left)))
    one = d2pyg.greedy_select(score, graph, engine="sequential", **options)
    for engine in "heap", "rounds":
        two = d2pyg.greedy_select(score, graph, engine=engine, **options)
        assert one.index.equal(two.index)
        assert one.pick_scores.equal(two.pick_scores)


def test_groups_are_selections_of_their_own(engine, device, rng):
    """Against the slow loop, on groups of uneven sizes with ties, one of them without a budget."""
    nodes = 90
    batch = rng.choice([7, 2, 40, 11], nodes, p=[0.5, 0.2, 0.1, 0.2])
    pair = rng.integers(0, nodes, (2, 900))
    pair = np.unique(pair[:, (pair[0] != pair[1]) & (batch[pair[0]] == batch[pair[1]])], axis=1)
    graph = Data(edge_index=torch.as_tensor(pair), edge_attr=torch.ones(pair.shape[1]), num_nodes=nodes)
    score = rng.integers(0, 6, nodes)
    lists = [[n for n, _ in pairs] for pairs in neighbors(graph)]
    size = {int(g): int((batch == g).sum()) for g in np.unique(batch)}
    count = {g: 0 if g == 11 else n - 2 for g, n in size.items()}
    expected = oracle.greedy_loop(score, lists, lambda i, value, j, other: value, count, batch)
    options = {"batch": batch, "gamma_reverse": 0.0, "engine": engine}
    coreset = d2pyg.greedy_select(score, graph.to(device), list(count.values()), **options)
    found = list(zip(coreset.index.tolist(), coreset.pick_scores.tolist(), strict=True))
    assert found == [pick for g in count for pick in expected[g]]
    assert coreset.settings["num_groups"] == 4
    three = d2pyg.greedy_select(score, graph.to(device), 3, **options).index.tolist()
    expected = oracle.greedy_loop(
        score, lists, lambda i, value, j, other: value, dict.fromkeys(size, 3), batch
    )
    assert three == [node for g in size for node, _ in expected[g]]


@pytest.mark.parametrize("clamp", [False, True])
def test_a_thousand_groups_at_once(clamp, rng):
    batch = np.arange(1000).repeat(13)
    graph = d2pyg.knn_graph(rng.normal(size=(13_000, 2)), 3, batch=batch)
    score = rng.lognormal(size=13_000)
    options = {"budget": 4, "batch": batch, "clamp": clamp}
    rounds = d2pyg.greedy_select(score, graph, engine="rounds", **options)
    heap = d2pyg.greedy_select(score, graph, engine="heap", **options)
    assert rounds.index.equal(heap.index)
    assert len(rounds.settings["engine_report"]["picks_per_round"]) <= 12
    assert (np.bincount(batch[rounds.index]) == 4).all()
    assert rounds.settings["budget"] == [4] * 1000


def test_the_report_counts_what_rounds_did(rng):
    """On independent edges each round takes what is ahead; no row is read without need."""
    graph = Data(  # 0 - 1 - 2 - 3: 0 goes first, then 2, then 1 and 3 are below 0
        edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]),
        edge_attr=torch.zeros(6),
        num_nodes=4,
    )
    coreset = d2pyg.greedy_select([9.0, 8.0, 7.0, 6.0], graph, 4, engine="rounds")
    assert coreset.index.tolist() == [0, 2, 3, 1]
    assert coreset.settings["engine_report"] == {
        "picks_per_round": [1, 1],
        # rows of 0, 1, 2, 3; 0 sends; 1 lost the one it waited for, 2 waited for 1 that fell back
        "edges_read": 6 + 1 + 2 + 2,
        "left_to_heap": 2,
    }


@pytest.mark.parametrize("clamp", [False, True])
def test_rounds_hand_chains_over(clamp):
    """A smooth curve with smooth scores: each round can pick next to nothing."""
    nodes = 3000
    here = torch.arange(nodes - 1)
    edge_index = torch.stack([torch.cat([here, here + 1]), torch.cat([here + 1, here])])
    graph = Data(edge_index=edge_index, edge_attr=torch.ones(edge_index.shape[1]), num_nodes=nodes)
    score = 2 + torch.sin(torch.arange(nodes) / 500).double()
    options = {"gamma_reverse": 1.0, "clamp": clamp, "initial": [7, 1500]}
    expected = d2pyg.greedy_select(score, graph, 2500, engine="sequential", **options)
    found = d2pyg.greedy_select(score, graph, 2500, engine="rounds", **options)
    assert found.index.equal(expected.index)
    assert found.pick_scores.equal(expected.pick_scores)


@pytest.mark.parametrize("clamp", [False, True])
def test_monotone_messages_that_are_not_linear(clamp, rng):
    class Capped(WeightedReverse):
        monotone = True

        def message(self, pick_score, neighbor_score, distance):
            return super().message(pick_score, neighbor_score, distance).clamp(max=1.5)

    score, graph = random_graph(rng, "floats", nodes=200, edges=1000)
    expected = d2pyg.greedy_select(score, graph, 190, Capped(0.5), engine="sequential", clamp=clamp)
    found = d2pyg.greedy_select(score, graph, 190, Capped(0.5), clamp=clamp, initial=[])
    assert found.settings["engine"] == "rounds"
    assert found.index.equal(expected.index)
    assert found.pick_scores.equal(expected.pick_scores)


def test_the_result_is_no_view_of_the_input(rng):
    score, graph = random_graph(rng, "floats")
    coreset = d2pyg.greedy_select(score, graph, 5)
    before = score.copy()
    coreset.scores[0] = 99
    assert (score == before).all()


def test_names_and_settings(rng):
    score, graph = random_graph(rng, "integers")
    named = d2pyg.greedy_select(score, graph, 10, "absolute")
    made = d2pyg.greedy_select(score, graph, 10, AbsoluteReverse())
    assert named.index.tolist() == made.index.tolist()
    assert (named.settings["reverse"], made.settings["reverse"]) == ("absolute", "AbsoluteReverse()")
    assert named.settings["engine"] == "heap"
    decayed = d2pyg.greedy_select(score, graph, 40, gamma_reverse=2.0)
    assert decayed.index.equal(d2pyg.greedy_select(score, graph, 40, WeightedReverse(2.0)).index)


class TestErrors:
    @pytest.fixture
    def graph(self):
        return Data(edge_index=torch.tensor([[0, 1], [1, 2]]), edge_attr=torch.ones(2), num_nodes=3)

    def refused(self, match, graph, error=ValueError, scores=(1.0, 2.0, 3.0), budget=1, **options):
        with pytest.raises(error, match=match):
            d2pyg.greedy_select(list(scores), graph, budget, **options)

    def test_graph(self, graph):
        self.refused("'graph' to be a torch_geometric.data.Data", "graph", TypeError)
        self.refused("have at least one node", Data(num_nodes=0))
        self.refused(r"'edge_index' int64 of shape \(2, E\) \(got none\)", Data(num_nodes=3))
        bad = graph.clone()
        bad.edge_index = bad.edge_index.int()
        self.refused(r"\(got torch.int32 \(2, 2\)\)", bad)
        bad = graph.clone()
        bad.edge_attr = None
        self.refused(r"floating of shape \(2,\) \(got none\)", bad)
        bad.edge_attr = torch.ones(2, 1)
        self.refused(r"\(got torch.float32 \(2, 1\)\)", bad)
        bad.edge_attr = torch.tensor([1.0, -0.5])
        self.refused(r"distances of at least 0 \(got -0.5\)", bad)
        bad.edge_attr = torch.tensor([1.0, math.nan])
        self.refused("'edge_attr' to be finite .* in 1 of 2 rows, the first at row 1", bad)
        bad = graph.clone()
        bad.edge_index = torch.tensor([[0, 1], [1, 3]])
        self.refused(r"to lie in 0 to 2, the nodes \(got 3\)", bad)
        bad.edge_index = torch.tensor([[0, 1], [1, 1]])
        self.refused(r"no self-loops \(got 1, the first at node 1\)", bad)

    def test_tensors(self, graph):
        for name in "edge_index", "edge_attr":
            bad = graph.clone()
            bad[name] = bad[name].numpy()
            self.refused(rf"'{name}' of the graph to be a tensor \(got ndarray\)", bad, TypeError)
            bad[name] = np.ma.masked_equal(bad[name], bad[name].flat[0])
            self.refused(rf"'{name}' to have no masked values", bad, TypeError)
            bad[name] = graph[name].to_sparse()
            self.refused(rf"'{name}' to be a dense tensor", bad, TypeError)
            bad[name] = graph[name].to("meta")
            self.refused(rf"'{name}' to be a dense tensor .*Load its values first", bad, TypeError)
        bad = graph.clone()
        bad.edge_attr = bad.edge_attr.to(torch.float8_e4m3fn)
        self.refused(r"floating of shape \(2,\) \(got torch.float8_e4m3fn", bad)

    def test_numbers(self, graph):
        for name, value, error, rule in (
            ("num_nodes", 10**30, ValueError, r"'num_nodes' to be below 2\*\*63"),
            ("num_nodes", 3.0, TypeError, r"'num_nodes' to be a whole number \(got float 3.0\)"),
            ("num_nodes", -1, ValueError, r"'num_nodes' to be at least 0 \(got -1\)"),
            ("num_nodes", np.ones(3), TypeError, r"'num_nodes' to be a whole number"),
        ):
            bad = graph.clone()
            bad[name] = value
            self.refused(rule, bad, error)
        for k in "three", 2.5, [1, 2], torch.ones(2), -1:
            bad = graph.clone()
            bad.k = k
            with pytest.raises(
                (TypeError, ValueError), match=r"'k of the graph' to be .*del graph\['k'\]"
            ):
                d2pyg.graph.nearest_graph(bad, 1)

    def test_scores_and_budget(self, graph):
        self.refused("'scores' to be floats or integers", graph, TypeError, scores=[True] * 3)
        self.refused("'scores' to have one value for each of the 3", graph, scores=[1.0])
        self.refused("'scores' to be finite", graph, scores=[1.0, math.inf, 2.0])
        self.refused("'budget' to be between 1 and 3, the number of samples", graph, budget=4)
        self.refused("'budget' to be a whole number", graph, TypeError, budget=0.5)
        self.refused("budget to be at most 2", graph, budget=3, initial=[1])

    def test_groups(self, graph):
        self.refused(r"nodes of one group of 'batch' \(got 1 of 2 ", graph, batch=[0, 0, 1])
        self.refused("'batch' to be integers", graph, TypeError, batch=[0.0, 0.0, 0.0])
        self.refused("'batch' to have one value for each of the 3 samples", graph, batch=[0])
        rule = r"'budget' to be between 0 and 3, .* for group 5 of 'batch' \(got {}\)"
        self.refused(rule.format(4), graph, batch=[5, 5, 5], budget=4)
        self.refused(rule.format(-1), graph, batch=[5, 5, 5], budget=[-1])
        self.refused("'budget' to be between 0 and 2", graph, batch=[5, 5, 5], budget=[3], initial=[0])
        self.refused(
            "'budget' to have one value for each of the 1 groups",
            graph,
            batch=[5, 5, 5],
            budget=[1, 1],
        )
        self.refused("'budget' to be integers", graph, TypeError, batch=[5, 5, 5], budget=0.5)
        self.refused("'debug' to be True or False", graph, TypeError, debug=1)

    def test_names(self, graph):
        self.refused("'engine' to be one of heap, rounds, sequential", graph, engine="quick")
        self.refused("'reverse' to be one of absolute, weighted", graph, reverse="none")

    @pytest.mark.parametrize("linear", [False, True])
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_messages_that_are_not_finite(self, graph, linear, value):
        class Broken(ReverseMessage):
            def message(self, pick_score, neighbor_score, distance):
                return torch.full_like(distance, value)

        Broken.linear = linear
        match = r"messages of Broken\(.*\) to be finite"
        self.refused(match, graph, budget=3, reverse=Broken())

    @pytest.mark.parametrize("linear", [False, True])
    def test_messages_of_the_wrong_shape(self, graph, linear):
        class Broken(ReverseMessage):
            def message(self, pick_score, neighbor_score, distance):
                return distance.sum().float()

        Broken.linear = linear
        self.refused("one value for each neighbor", graph, reverse=Broken())

    def test_engines_refuse_messages_that_they_cannot_run(self, graph):
        class Fixed(ReverseMessage):
            def message(self, pick_score, neighbor_score, distance):
                return torch.ones_like(distance)

        self.refused(
            r"linear in the pick's score .*\(got Fixed\(", graph, reverse=Fixed(), engine="heap"
        )
        assert d2pyg.greedy_select([1, 2, 3], graph, 2, Fixed()).settings["engine"] == "sequential"

    def test_linear_messages_that_overflow(self, graph, engine):
        class Huge(WeightedReverse):
            linear = monotone = True

            def message(self, pick_score, neighbor_score, distance):
                return pick_score * 1e200

        self.refused(
            "to be finite", graph, scores=[0.0, 0.0, 1e150], budget=3, reverse=Huge(), engine=engine
        )


@pytest.mark.parametrize("budget", [np.array(2), torch.tensor(2), np.int64(2)])
def test_a_budget_of_every_group_is_any_integer(budget):
    batch = [0, 0, 0, 1, 1, 1]
    graph = d2pyg.knn_graph(torch.arange(6.0).unsqueeze(1), k=1, batch=batch)
    assert len(d2pyg.greedy_select([1.0] * 6, graph, budget, batch=batch)) == 4
    with pytest.raises(TypeError, match="'budget' to be a whole number"):
        d2pyg.greedy_select([1.0] * 6, graph, np.array(1.5), batch=batch)
