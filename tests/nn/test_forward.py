import numpy as np
import pytest
import torch
from torch_geometric.nn import SimpleConv

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


def test_a_node_without_neighbours():
    none = torch.empty(2, 0, dtype=torch.int64), torch.empty(0)
    score = torch.tensor([2.0, 3.0])
    assert ForwardMessagePassing()(score, *none).tolist() == [2.0, 3.0]
    assert ForwardMessagePassing(update="product")(score, *none).tolist() == [0.0, 0.0]
    assert ForwardMessagePassing(aggr=ExactSum())(score, *none).tolist() == [2.0, 3.0]


def test_gradients(rng):
    score, edge_index, distance = graph(rng, nodes=6, edges=12)
    for update in "sum", "product":
        layer = ForwardMessagePassing(gamma=0.3, update=update)
        inputs = score.requires_grad_(), distance.requires_grad_()
        assert torch.autograd.gradcheck(lambda s, d, f=layer: f(s, edge_index, d), inputs)


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
        score.square().unsqueeze(1), edge_index, RBFKernel().weight(distance, 1.0)
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


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"'update' to be one of sum, product \(got 'mean'\)"):
        ForwardMessagePassing(update="mean")
    with pytest.raises(ValueError, match=r"'gamma' to be at least 0 \(got -1\)"):
        ForwardMessagePassing(gamma=-1)
    with pytest.raises(ValueError, match=r"'kernel' to be one of .*laplacian, rbf \(got 'cubic'\)"):
        ForwardMessagePassing(kernel="cubic")
    with pytest.raises(TypeError, match=r"'kernel' to be a name or an object of that kind \(got int\)"):
        ForwardMessagePassing(kernel=3)
