"""A forward layer of the user's own on its way through select."""

import numpy as np
import oracle
import pytest
import torch

import d2pyg
from d2pyg.nn import ForwardMessagePassing
from d2pyg.selection.repeat import repeat

TOTAL = 50


class Loudest(ForwardMessagePassing):
    """Squares."""

    def message(self, score_j, weight):
        return weight * score_j.square()


class Trusted(ForwardMessagePassing):
    """Two numbers a sample."""

    in_channels = 2

    def scalarize(self, score):
        difficulty, noise = score.unbind(1)
        return difficulty / (1 + noise)


@pytest.fixture
def data(rng):
    return rng.normal(size=(TOTAL, 3)), rng.lognormal(size=TOTAL), rng.random(TOTAL)


def neighborhood(x, k=15):
    """Distances over their median, and who is joined to whom, by loops."""
    distance = oracle.distances(x)
    lists = oracle.neighbors(distance, k, [0] * len(x))
    unit = oracle.lower_median([distance[i][j] for i, js in enumerate(lists) for j in js])
    joined = {(i, j) for i, js in enumerate(lists) for j in js}
    joined |= {(j, i) for i, j in joined}
    return distance / unit, [[j for j in range(len(x)) if (i, j) in joined] for i in range(len(x))]


@pytest.mark.parametrize("as_object", [True, False])
def test_its_scores_and_the_picks_from_them_on_every_engine(as_object, engine, data):
    x, scores, _ = data
    d2pyg.register("forward", "test-loudest")(Loudest)
    knobs = {"gamma": 0.5, "kernel": "laplacian", "update": "product"}
    if as_object:
        options = {"forward": Loudest(**knobs)}
    else:
        options = {"forward": "test-loudest", "gamma_forward": 0.5} | {
            name: knobs[name] for name in ("kernel", "update")
        }
    coreset = d2pyg.select(x, scores, budget=20, engine=engine, gamma_reverse=0.3, **options)
    distance, near = neighborhood(x)
    after = [
        scores[i] * sum(np.exp(-0.5 * distance[i][j]) * scores[j] ** 2 for j in near[i])
        for i in range(TOTAL)
    ]
    np.testing.assert_allclose(coreset.scores, after, rtol=1e-9)

    def message(i, value, j, _):  # by name, it has the layer's kernel
        return np.exp(-0.3 * distance[i][j]) * value

    picks = oracle.greedy_loop(coreset.scores.tolist(), near, message, {0: 20})[0]
    assert coreset.index.tolist() == [i for i, _ in picks]
    assert coreset.settings["gamma_forward"] == 0.5
    assert coreset.settings["update"] == "product"
    if as_object:
        assert coreset.settings["kernel"] == "LaplacianKernel()"
        assert coreset.settings["forward"] == (
            "Loudest(gamma=0.5, kernel=LaplacianKernel(), update='product')"
        )
    else:
        assert (coreset.settings["kernel"], coreset.settings["forward"]) == ("laplacian", "test-loudest")


def test_the_default_is_the_layer_of_the_paper(data):
    x, scores, _ = data
    default = d2pyg.select(x, scores, budget=20)
    same = d2pyg.select(x, scores, budget=20, forward=ForwardMessagePassing())
    assert same.index.tolist() == default.index.tolist()
    assert same.scores.equal(default.scores)
    assert default.settings["forward"] == "weighted"
    twice = d2pyg.select(x, scores, budget=20, forward=ForwardMessagePassing(hops=2))
    distance, near = neighborhood(x)
    once = default.scores.tolist()
    after = [
        once[i] + sum(np.exp(-10 * distance[i][j] ** 2) * once[j] for j in near[i]) for i in range(TOTAL)
    ]
    np.testing.assert_allclose(twice.scores, after, rtol=1e-9)
    assert twice.settings["forward"].endswith("hops=2)")


@pytest.mark.parametrize(
    ("name", "value"), [("gamma_forward", 1.0), ("kernel", "rbf"), ("update", "sum")]
)
def test_what_an_object_fixes_is_an_error_beside_it(name, value, data):
    with pytest.raises(ValueError, match=rf"'{name}' to be None with a ForwardMessagePassing object"):
        d2pyg.select(data[0], budget=3, forward=Loudest(), **{name: value})


class Wrong(ForwardMessagePassing):
    def __init__(self, result, **kwargs):
        super().__init__(**kwargs)
        self.result = result

    def scalarize(self, score):
        return self.result(score)


@pytest.mark.parametrize(
    ("forward", "error", "match"),
    [
        ("loud", ValueError, r"'forward' to be one of weighted \(got 'loud'\)"),
        (3, TypeError, r"'forward' to be a name or an object of that kind \(got int\)"),
        (torch.nn.Linear(1, 1), TypeError, r"d2pyg.nn.ForwardMessagePassing \(got Linear\)"),
        (Wrong(lambda score: score[1:]), ValueError, r"one number per sample, \[50\] .*shape \(49,\)"),
        (Wrong(lambda score: score[:, None]), ValueError, r"shape \(50, 1\)\).*override scalarize"),
        (Wrong(lambda score: score > 0), ValueError, r"got torch.bool of shape \(50,\)"),
        (Wrong(lambda score: score / 0), ValueError, "scores after the forward pass to be finite"),
        (Trusted(), ValueError, r"'scores' to have shape \(50, 2\), as the 'in_channels' .*got none"),
    ],
    ids=str,
)
def test_bad_layers(forward, error, match, data):
    with pytest.raises(error, match=match):
        d2pyg.select(data[0], budget=3, forward=forward)


def test_a_layer_of_no_columns():
    class Empty(ForwardMessagePassing):
        in_channels = 0

    with pytest.raises(ValueError, match=r"'in_channels' to be at least 1 \(got 0\)"):
        Empty()


def test_a_factory_has_to_make_a_layer(data):
    d2pyg.register("forward", "test-none")(lambda **_: None)
    with pytest.raises(TypeError, match=r"d2pyg.nn.ForwardMessagePassing \(got NoneType\)"):
        d2pyg.select(data[0], budget=3, forward="test-none")


def test_the_layer_stays_as_it_is_and_runs_in_float64_without_dropout(data):
    class Learned(ForwardMessagePassing):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(1, 1)
            self.dropout = torch.nn.Dropout(0.9)

        def message(self, score_j, weight):
            assert not torch.is_grad_enabled()
            return self.dropout(weight * self.linear(score_j.unsqueeze(1)).squeeze(1).abs())

    x, scores, _ = data
    layer = Learned()
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    one, two = (d2pyg.select(x, scores, budget=20, forward=layer) for _ in range(2))
    assert one.scores.equal(two.scores)
    assert layer.training
    assert layer.linear.weight.dtype == torch.float32
    assert all(value.equal(state[name]) for name, value in layer.state_dict().items())
    a, b = (value.item() for value in state.values())
    distance, near = neighborhood(x)
    after = [
        scores[i] + sum(np.exp(-10 * distance[i][j] ** 2) * abs(a * scores[j] + b) for j in near[i])
        for i in range(TOTAL)
    ]
    np.testing.assert_allclose(one.scores, after, rtol=1e-9)


def test_several_scores_a_sample(data, engine, device):
    x, scores, noise = data
    both = torch.as_tensor(np.stack([scores, noise - 0.2], axis=1), device=device)  # below 0, too
    graph = d2pyg.knn_graph(x, 15).to(device)
    options = {"budget": 20, "forward": Trusted(gamma=0.5)}
    coreset = d2pyg.select(graph, both, engine=engine, **options)
    distance, near = neighborhood(x)

    def sum_of(value, i):
        return value[i] + sum(np.exp(-0.5 * distance[i][j] ** 2) * value[j] for j in near[i])

    after = [sum_of(scores, i) / (1 + sum_of(noise - 0.2, i)) for i in range(TOTAL)]
    np.testing.assert_allclose(coreset.scores.cpu(), after, rtol=1e-9)
    alone = d2pyg.greedy_select(
        coreset.scores, both_directions(x, graph), 20, d2pyg.nn.WeightedReverse()
    )
    assert coreset.index.tolist() == alone.index.tolist()
    assert coreset.explain(7).score_before == scores[7]


def both_directions(x, graph):
    """The graph undirected, distances over their median."""
    distance, near = neighborhood(x)
    pairs = torch.tensor([(j, i) for i, js in enumerate(near) for j in js]).T
    whole = graph.clone()
    whole.edge_index = pairs.to(graph.edge_index)
    whole.edge_attr = torch.as_tensor([distance[i][j] for j, i in pairs.T.tolist()]).to(graph.edge_attr)
    return whole


def test_the_cutoff_ranks_the_first_column(data):
    x, scores, noise = data
    both = np.stack([scores, noise], axis=1)
    coreset = d2pyg.select(x, both, keep=0.4, cutoff=0.2, forward=Trusted())
    hardest = np.argsort(-scores)[:10]
    assert sorted(coreset.scores.isnan().nonzero().flatten().tolist()) == sorted(hardest)
    left = np.setdiff1d(np.arange(TOTAL), hardest)
    alone = d2pyg.select(x[left], both[left], budget=20, forward=Trusted())
    assert coreset.index.tolist() == left[alone.index.numpy()].tolist()


def test_several_scores_class_by_class_and_resumed(data, rng):
    x, scores, noise = data
    both, labels = np.stack([scores, noise], axis=1), rng.integers(0, 3, TOTAL)
    options = {"labels": labels, "forward": Trusted(), "scale": None}
    whole = d2pyg.select(x, both, budget=20, **options)
    rest = d2pyg.select(x, both, budget=12, initial=whole.index[:8], **options)
    assert rest.index.tolist() == whole.index[8:].tolist()
    for label in range(3):
        own = np.flatnonzero(labels == label)
        alone = d2pyg.select(x[own], both[own], budget=1, forward=Trusted(), scale=None)
        assert whole.scores[own].equal(alone.scores)


def test_bad_columns(data):
    x, scores, noise = data
    both = np.stack([scores, noise], axis=1)
    for wrong, error, match in [
        (both[:, :1], ValueError, r"shape \(50, 2\), as the 'in_channels' .*got shape \(50, 1\)"),
        (both[:9], ValueError, r"got shape \(9, 2\)"),
        (scores, ValueError, r"shape \(50, 2\), .*got shape \(50,\)"),
        (both * [-1, 1], ValueError, r"'scores' to be at least 0, higher is harder"),
        (both * [1, np.inf], ValueError, r"'scores' to be finite"),
        (both > 0, TypeError, r"'scores' to be floats or integers \(got torch.bool\)"),
    ]:
        with pytest.raises(error, match=match):
            d2pyg.select(x, wrong, budget=3, forward=Trusted())
    with pytest.raises(ValueError, match=r"got shape \(50, 2\).*need your own 'forward' layer"):
        d2pyg.select(x, both, budget=3)


def test_who_else_refuses_columns(data):
    x, scores, noise = data
    both, rule = np.stack([scores, noise], axis=1), r"'scores' to have one value for each"
    with pytest.raises(ValueError, match=rule):
        d2pyg.greedy_select(both, d2pyg.knn_graph(x, 15), 3)
    with pytest.raises(ValueError, match=r"one number per sample in a sweep \(got shape \(50, 2\)\)"):
        d2pyg.sweep(x, both, keep=0.3, forward=Trusted())
    for method in d2pyg.baselines.hardest, d2pyg.baselines.graph_cut:
        with pytest.raises(ValueError, match=rule):
            method(x, both, budget=3)


def test_a_sweep_and_a_repeated_selection(data, tmp_path):
    x, scores, noise = data
    d2pyg.register("forward", "test-trusted")(Trusted)
    row = d2pyg.sweep(x, scores, budget=20, gamma_reverse=[0.1, 1.0], forward=Loudest(gamma=0.5))[1]
    assert (row["gamma_forward"], row["gamma_reverse"]) == (0.5, 1.0)
    both = np.stack([scores, noise], axis=1)
    made = d2pyg.select(x, both, budget=20, forward="test-trusted")
    made.save(tmp_path / "c.npz")
    again = repeat(d2pyg.Coreset.load(tmp_path / "c.npz"), x, both)
    assert again.index.tolist() == made.index.tolist()
    with pytest.raises(ValueError, match=r"name a forward of .*Trusted\(gamma=10.0.*Python object or a"):
        repeat(d2pyg.select(x, both, budget=20, forward=Trusted()), x, both)
