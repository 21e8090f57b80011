import copy
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.nn import Sequential, SimpleConv
from torch_geometric.utils import to_edge_index

import d2pyg
from d2pyg.nn import ExactSum, ForwardMessagePassing, Kernel, LaplacianKernel, RBFKernel


def graph(rng, nodes=30, edges=120):
    edge_index = torch.as_tensor(rng.integers(0, nodes, (2, edges)))
    distance = torch.as_tensor(rng.exponential(size=edges))
    score = torch.as_tensor(rng.lognormal(size=nodes))
    return score, edge_index, distance


@pytest.mark.parametrize("kernel", [RBFKernel(), LaplacianKernel()])
@pytest.mark.parametrize("aggr", ["sum", ExactSum()], ids=str)
def test_equals_simple_conv_with_the_kernels_weights(kernel, aggr, device, rng):
    score, edge_index, distance = (value.to(device) for value in graph(rng))
    layer = ForwardMessagePassing(gamma=0.7, kernel=kernel, aggr=aggr)
    oracle = SimpleConv("sum", combine_root="sum")
    expected = oracle(score.unsqueeze(1), edge_index, kernel.weight(distance, 0.7)).squeeze(1)
    torch.testing.assert_close(layer(score, edge_index, distance), expected, rtol=1e-12, atol=0)


def test_product_multiplies_by_the_sum(rng):
    score, edge_index, distance = graph(rng)
    expected = np.zeros(len(score))
    for (source, target), d in zip(edge_index.T.tolist(), distance.tolist(), strict=True):
        expected[target] += np.exp(-0.5 * d * d) * float(score[source])
    expected *= score.numpy()
    layer = ForwardMessagePassing(gamma=0.5, update="product")
    np.testing.assert_allclose(layer(score, edge_index, distance), expected, rtol=1e-12)


def test_none_leaves_scores_as_they_are(rng):
    score, edge_index, distance = graph(rng)
    assert torch.equal(ForwardMessagePassing(update="none")(score, edge_index, distance), score)


def test_none_has_no_use_for_a_gamma():
    with pytest.raises(ValueError, match=r"'gamma_forward' to be None with update 'none'.*\(got 2.0\)"):
        d2pyg.select(torch.rand(4, 2), budget=2, update="none", gamma_forward=2.0)
    coreset = d2pyg.select(torch.rand(4, 2), budget=2, update="none")
    assert coreset.settings["gamma_forward"] is None


def test_a_node_without_neighbors():
    none = torch.empty(2, 0, dtype=torch.int64), torch.empty(0)
    score = torch.tensor([2.0, 3.0])
    assert ForwardMessagePassing()(score, *none).tolist() == [2.0, 3.0]
    assert ForwardMessagePassing(update="product")(score, *none).tolist() == [0.0, 0.0]
    assert ForwardMessagePassing(aggr=ExactSum())(score, *none).tolist() == [2.0, 3.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_keeps_the_dtype_of_the_scores(dtype, rng):
    score, edge_index, distance = graph(rng)
    out = ForwardMessagePassing()(score.to(dtype), edge_index, distance)
    assert out.dtype == dtype
    exact = ForwardMessagePassing()(score, edge_index, distance)
    torch.testing.assert_close(out.double(), exact, rtol=0.05, atol=0.05)


def test_messages_can_be_overridden(rng):
    class Loudest(ForwardMessagePassing):
        def message(self, score_j, weight):
            return weight * score_j.square()

    score, edge_index, distance = graph(rng)
    expected = score + SimpleConv("sum")(
        score.square().unsqueeze(1), edge_index, RBFKernel().weight(distance, 10.0)
    ).squeeze(1)
    torch.testing.assert_close(Loudest()(score, edge_index, distance), expected)


def test_a_users_kernel():
    class Near(Kernel):
        def weight(self, distance, gamma):
            return (distance < gamma).to(distance.dtype)

    edge_index = torch.tensor([[1, 2], [0, 0]])
    layer = ForwardMessagePassing(gamma=2.0, kernel=Near())
    out = layer(torch.tensor([1.0, 10.0, 100.0]), edge_index, torch.tensor([1.0, 3.0]))
    assert out.tolist() == [11.0, 10.0, 100.0]
    assert repr(layer) == "ForwardMessagePassing(gamma=2.0, kernel=Near(), update='sum')"


def test_hops_are_steps_one_after_the_other(device, rng):
    score, edge_index, distance = (value.to(device) for value in graph(rng))
    once = ForwardMessagePassing(gamma=0.7, update="product")
    thrice = ForwardMessagePassing(gamma=0.7, update="product", hops=3)
    expected = once(once(once(score, edge_index, distance), edge_index, distance), edge_index, distance)
    assert thrice(score, edge_index, distance).equal(expected)
    assert repr(thrice).endswith("update='product', hops=3)")


def test_columns_are_spread_one_by_one(device, rng):
    score, edge_index, distance = (value.to(device) for value in graph(rng))
    columns = torch.stack([score, score.flip(0), score.square()], dim=1)
    for update in "sum", "product":
        layer = ForwardMessagePassing(gamma=0.5, update=update, hops=2)
        alone = [layer(column, edge_index, distance) for column in columns.unbind(1)]
        assert layer(columns, edge_index, distance).equal(torch.stack(alone, dim=1))


def test_no_order_of_the_edges_changes_a_bit(device, rng):
    score, edge_index, distance = (value.to(device) for value in graph(rng, edges=600))
    layer = ForwardMessagePassing(hops=2)
    expected = layer(score, edge_index, distance)
    for _ in range(5):
        order = torch.as_tensor(rng.permutation(600), device=device)
        assert layer(score, edge_index[:, order], distance[order]).equal(expected)


class Typed(ForwardMessagePassing):
    """Messages that count by a feature of the edge and one of the sender."""

    def message(self, score_j, weight, trust, quality_j):
        return weight * score_j * trust * quality_j


def test_features_reach_the_message_by_name(rng):
    score, edge_index, distance = graph(rng)
    trust, quality = torch.as_tensor(rng.random(120)), torch.as_tensor(rng.random(30))
    expected = score.tolist()
    for (source, target), d, t in zip(
        edge_index.T.tolist(), distance.tolist(), trust.tolist(), strict=True
    ):
        expected[target] += np.exp(-10 * d * d) * float(score[source]) * t * float(quality[source])
    out = Typed()(score, edge_index, distance, trust=trust, quality=quality)
    np.testing.assert_allclose(out, expected, rtol=1e-12)
    with pytest.raises(TypeError, match=r"message or update of Typed takes \(got 'truth'\)"):
        Typed()(score, edge_index, distance, trust=trust, quality=quality, truth=trust)
    with pytest.raises(TypeError, match=r"takes \(got 'size'\)"):  # a word of PyG's own
        Typed()(score, edge_index, distance, trust=trust, quality=quality, size=trust)
    with pytest.raises(
        TypeError, match=r"'trust', which the message .*of Typed takes .got none.*trust=trust"
    ):
        Typed()(score, edge_index, distance, quality=quality)


class Learned(torch.nn.Module, Kernel):
    """A kernel with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.rate = torch.nn.Parameter(torch.tensor(0.4, dtype=torch.float64))

    def weight(self, distance, gamma):
        return (-gamma * self.rate * distance).exp()


@pytest.mark.parametrize("aggr", ["sum", ExactSum()], ids=str)
@pytest.mark.parametrize("columns", [None, 2])
@pytest.mark.parametrize("update", ["sum", "product"])
def test_first_and_second_gradients(aggr, columns, update, rng):
    _, edge_index, distance = graph(rng, nodes=5, edges=9)
    score = torch.as_tensor(rng.random(5 if columns is None else (5, columns)), dtype=torch.float64)
    layer = ForwardMessagePassing(gamma=0.3, kernel=Learned(), aggr=aggr, hops=2, update=update)
    inputs = score.requires_grad_(), distance.requires_grad_(), layer.kernel.rate

    def call(score, distance, _):
        return layer(score, edge_index, distance)

    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


def test_a_kernels_weights_are_the_layers():
    layer = ForwardMessagePassing(kernel=Learned())
    assert list(layer.state_dict()) == ["kernel.rate"]
    with torch.no_grad():
        layer.kernel.rate.fill_(7)
    other = ForwardMessagePassing(kernel=Learned())
    other.load_state_dict(layer.state_dict())
    assert other.kernel.rate == 7
    assert ForwardMessagePassing().state_dict() == {}


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])  # neither needs a C++ compiler
@pytest.mark.parametrize("shape", [(30,), (30, 2)], ids=str)
def test_compiles_without_a_break(backend, shape, rng):
    _, edge_index, distance = graph(rng)
    score = torch.as_tensor(rng.random(shape), dtype=torch.float64)
    layer = ForwardMessagePassing(gamma=0.7, hops=2)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    assert compiled(score, edge_index, distance).equal(layer(score, edge_index, distance))


def test_in_a_sequential_model(rng):
    score, edge_index, distance = graph(rng)
    layers = [
        (ForwardMessagePassing(0.5), "score, edge_index, distance -> score"),
        (ForwardMessagePassing(1.5), "score, edge_index, distance -> score"),
    ]
    model = Sequential("score, edge_index, distance", layers)
    one, two = ForwardMessagePassing(0.5), ForwardMessagePassing(1.5)
    expected = two(one(score, edge_index, distance), edge_index, distance)
    assert model(score, edge_index, distance).equal(expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_are_alike(copied, rng):
    score, edge_index, distance = graph(rng)
    trust, quality = torch.as_tensor(rng.random(120)), torch.as_tensor(rng.random(30))
    layer = Typed(gamma=0.3, kernel="laplacian", hops=2)
    twin = copied(layer)
    assert repr(twin) == repr(layer)
    features = {"trust": trust, "quality": quality}
    expected = layer(score, edge_index, distance, **features)
    assert twin(score, edge_index, distance, **features).equal(expected)


def test_scalarize_ends_with_one_number():
    class Ratio(ForwardMessagePassing):
        in_channels = 2

        def scalarize(self, score):
            return score[:, 0] / score[:, 1]

    edge_index = torch.tensor([[1, 2], [0, 0]])
    score = torch.tensor([[1.0, 2.0], [3.0, 1.0], [5.0, 1.0]])
    out = Ratio(gamma=0, hops=1)(score, edge_index, torch.ones(2))
    assert out.tolist() == [9 / 4, 3, 5]
    for wrong in score[:, 0], torch.ones(3, 3):
        with pytest.raises(
            ValueError, match=r"'score' to have 2 columns, as the 'in_channels' of Ratio"
        ):
            Ratio()(wrong, edge_index, torch.ones(2))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"'update' to be one of sum, product, none \(got 'mean'\)"):
        ForwardMessagePassing(update="mean")
    with pytest.raises(ValueError, match=r"'gamma' to be at least 0 \(got -1\)"):
        ForwardMessagePassing(gamma=-1)
    with pytest.raises(ValueError, match=r"'kernel' to be one of .*laplacian, rbf \(got 'cubic'\)"):
        ForwardMessagePassing(kernel="cubic")
    with pytest.raises(TypeError, match=r"'kernel' to be a name or an object of that kind \(got int\)"):
        ForwardMessagePassing(kernel=3)
    with pytest.raises(ValueError, match=r"'hops' to be at least 1 \(got 0\)"):
        ForwardMessagePassing(hops=0)
    with pytest.raises(ValueError, match=r"'distance' to have one value for each of the 2 edges"):
        ForwardMessagePassing()(torch.ones(2), torch.tensor([[0, 1], [1, 0]]), torch.ones(1))
    with pytest.raises(TypeError, match=r"'score' to be a floating tensor, .* \(got torch.int64\)"):
        ForwardMessagePassing()(torch.tensor([1, 2]), torch.tensor([[0], [1]]), torch.ones(1))


EDGES, ONE = torch.tensor([[0], [1]]), torch.ones(1)


@pytest.mark.parametrize(
    ("score", "edge_index", "distance", "error", "match"),
    [
        (None, EDGES, ONE, TypeError, r"'score' to be a floating tensor, .* \(got NoneType\)"),
        (torch.ones(2), None, ONE, TypeError, r"'edge_index' to be a dense tensor \[2, E\] \(got NoneType"),
        (torch.ones(2), EDGES, [1.0], TypeError, r"'distance' to be a floating tensor, .* \(got list\)"),
        (torch.ones(2), EDGES, ONE.long(), TypeError, r"'distance' .* \(got torch.int64\). Convert it"),
        (torch.ones(2, 1, 1), EDGES, ONE, ValueError, r"'score' to be \[N\], or \[N, F\] .* \(2, 1, 1\)"),
        (torch.tensor(1.0), EDGES, ONE, ValueError, r"\(got shape \(\)\)"),
        (torch.ones(2), EDGES[0], ONE, ValueError, r"integers of shape \(2, E\) \(got torch.int64 \(1,\)"),
        (torch.ones(2), EDGES.double(), ONE, ValueError, r"\(got torch.float64 \(2, 1\)\)"),
        (torch.ones(2), EDGES + 4, ONE, ValueError, r"'edge_index' to lie in 0 to 1, .* \(got 5\)"),
        (torch.ones(2), EDGES - 1, ONE, ValueError, r"'edge_index' to lie in 0 to 1, .* \(got -1\)"),
        (torch.ones(2, device="meta"), EDGES, ONE, ValueError, r"on one device \(got meta, cpu, cpu\)"),
    ],
)  # fmt: skip
def test_what_a_layer_is_called_with(score, edge_index, distance, error, match):
    with pytest.raises(error, match=match):
        ForwardMessagePassing()(score, edge_index, distance)


def test_32_bit_edges():
    score = torch.tensor([1.0, 2.0])
    assert ForwardMessagePassing()(score, EDGES.int(), ONE).equal(
        ForwardMessagePassing()(score, EDGES, ONE)
    )


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_a_sparse_graph_is_refused_and_the_way_out_works():
    edge_index, distance = torch.tensor([[1, 2, 0], [0, 0, 2]]), torch.tensor([0.5, 1.0, 2.0])
    score = torch.tensor([1.0, 2.0, 4.0])
    adj_t = torch.sparse_coo_tensor(edge_index.flip(0), distance, (3, 3)).coalesce()
    with pytest.raises(TypeError, match=r"'edge_index' to be a dense tensor \[2, E\] .*to_edge_index"):
        ForwardMessagePassing()(score, adj_t, distance)
    found, distances = to_edge_index(adj_t)
    expected = ForwardMessagePassing()(score, edge_index, distance)
    assert ForwardMessagePassing()(score, found.flip(0), distances).equal(expected)
