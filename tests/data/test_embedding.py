import copy
from collections import UserDict, namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as GraphLoader
from torch_geometric.nn import GCNConv, global_mean_pool

import d2pyg


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))


@pytest.fixture
def data(rng):
    x = torch.as_tensor(rng.normal(size=(23, 3)), dtype=torch.float32)
    return TensorDataset(x, torch.arange(23))


def expected(model, x, layers):
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        return model[:layers](x)


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
def test_is_the_layers_output_in_order(model, data, batch_size, device):
    loader = DataLoader(data, batch_size)
    model.to(device)
    for layer, layers in ("0", 1), ("1", 2), (model[1], 2), (None, 4):
        found = d2pyg.embed(model, loader, layer)
        want = expected(model, data.tensors[0].to(device), layers).cpu()
        torch.testing.assert_close(found, want)
        assert found.dtype == torch.float32
    torch.testing.assert_close(
        d2pyg.embed(model, loader, "3", side="input"), d2pyg.embed(model, loader, "2")
    )


def test_leaves_the_model_as_it_was(model, data):
    model.train()
    model[2].eval()
    before = copy.deepcopy(model.state_dict())
    d2pyg.embed(model, DataLoader(data, 5), "0")
    assert [m.training for m in model] == [True, True, False, True]
    assert all(v.equal(before[name]) for name, v in model.state_dict().items())
    assert not model[0]._forward_hooks
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    with pytest.raises(ZeroDivisionError):
        d2pyg.embed(model, [1], "0", forward=lambda model, batch: 1 / 0)
    assert model.training
    assert not model[0]._forward_hooks


def test_into_a_file(model, data, tmp_path):
    path = tmp_path / "x.npy"
    loader = DataLoader(data, 5)
    mapped = d2pyg.embed(model, loader, "0", path=path, dtype=torch.float16)
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, d2pyg.embed(model, loader, "0", dtype=torch.float16))
    assert np.array_equal(np.load(path), mapped)
    before = path.read_bytes()

    def fails(model, batch):
        model(batch[0])
        if batch[1][0] >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        d2pyg.embed(model, loader, "0", path=path, forward=fails)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_kinds_of_batches(data):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 4)

        def forward(self, x, mask=None):
            return self.inner(x)[:, :, None, None]

    model, x = Named(), data.tensors[0]
    want = model(x).detach().flatten(1)
    torch.testing.assert_close(d2pyg.embed(model, [{"x": x[:10]}, {"x": x[10:]}]), want)
    torch.testing.assert_close(d2pyg.embed(model, [x]), want)
    torch.testing.assert_close(d2pyg.embed(model, [(x, 1)]), want)
    custom = d2pyg.embed(model, [(1, x)], "inner", forward=lambda model, batch: model(batch[1]))
    torch.testing.assert_close(custom, want)
    # a mapping that is no dict, as tokenizers give; a named tuple keeps its names
    torch.testing.assert_close(d2pyg.embed(model, [UserDict(x=x)]), want)
    pair = namedtuple("Pair", ["mask", "x"])
    named = d2pyg.embed(model, [pair(1, x)], forward=lambda model, batch: model(batch.x))
    torch.testing.assert_close(named, want)


def test_layers_called_by_keyword_and_written_over(data):
    class Keyword(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.act = nn.Linear(3, 4), nn.ReLU(inplace=True)

        def forward(self, x):
            return self.act(self.inner(input=x))

    model, x = Keyword(), data.tensors[0]
    before = model.inner(x).detach()
    assert bool((before < 0).any())
    for layer, side, want in (
        ("inner", "output", before),
        ("act", "input", before),
        ("inner", "input", x),
        ("act", "output", before.relu()),
    ):
        torch.testing.assert_close(d2pyg.embed(model, [x], layer, side=side), want)


def test_a_layer_by_any_of_its_names(data):
    shared = nn.Linear(3, 3)
    model = nn.ModuleDict({"one": shared, "two": shared})
    for layer in "one", "two":
        found = d2pyg.embed(model, [data.tensors[0]], layer, forward=lambda m, batch: m["one"](batch))
        torch.testing.assert_close(found, shared(data.tensors[0]).detach())


def test_graphs(rng):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = GCNConv(3, 6), nn.Linear(6, 2)

        def forward(self, data):
            h = self.conv(data.x, data.edge_index).relu()
            return self.head(global_mean_pool(h, data.batch))

    graphs = [Data(x=torch.randn(n, 3), edge_index=torch.tensor([[0, 1], [1, 0]])) for n in (2, 5, 3, 4)]
    net = Net()
    found = d2pyg.embed(net, GraphLoader(graphs, 2), "head", side="input")
    assert found.shape == (4, 6)
    torch.testing.assert_close(found, d2pyg.embed(net, GraphLoader(graphs, 4), "head", side="input"))
    with pytest.raises(ValueError, match=r"for each of the 4 samples \(got 14\).*after pooling"):
        d2pyg.embed(net, GraphLoader(graphs, 2), "conv")


def test_autocast(model, data):
    found = d2pyg.embed(model, DataLoader(data, 5), "0", autocast=torch.bfloat16)
    want = d2pyg.embed(model, DataLoader(data, 5), "0")
    assert not found.equal(want)
    torch.testing.assert_close(found, want, atol=0.05, rtol=0.05)


class TestErrors:
    def refused(self, match, model, loader, error=ValueError, **options):
        with pytest.raises(error, match=match):
            d2pyg.embed(model, loader, **options)

    def test_loaders(self, model, data, tmp_path):
        self.refused(r"for each of the samples \(got 0\)", model, [])
        x = data.tensors[0]
        self.refused("'loader' to have a 'dataset'", model, [x], path=tmp_path / "x.npy")
        assert list(tmp_path.iterdir()) == []

    def test_other_arguments(self, model, data, tmp_path):
        x = data.tensors[0]
        for kind in (
            torch.int64,
            torch.uint8,
            torch.bool,
            torch.complex64,
            torch.float8_e4m3fn,
            "float32",
            float,
        ):
            self.refused("'dtype' to be a floating .* truncate", model, [x], TypeError, dtype=kind)
        for kind in torch.float32, torch.float64, True, "bfloat16":
            self.refused("'autocast' to be torch.bfloat16", model, [x], TypeError, autocast=kind)
        self.refused("'model' to be a torch.nn.Module .got function", lambda x: x, [x], TypeError)
        self.refused("'forward' to be a function .* .got str", model, [x], TypeError, forward="x")
        self.refused("'pool' to be one of mean, cls, last, flatten", model, [x], pool="max")
        for batch in (), ("text", "text"), ["text"], "text", 3, None, [1, 2]:
            match = r"batches of tensors, .*\(got .*\). Pass 'forward', such as lambda model, batch"
            self.refused(match, model, [batch], TypeError)
        texts = [("one", "three")]
        by_length = d2pyg.embed(
            nn.Identity(), texts, forward=lambda m, batch: m(torch.tensor([[len(t)] for t in batch]))
        )
        assert by_length.tolist() == [[3], [5]]
        loader = DataLoader(data, 5)
        options = {"dtype": torch.bfloat16, "path": tmp_path / "x.npy"}
        self.refused("a .npy file holds with 'path' .got torch.bfloat16", model, loader, **options)
        assert d2pyg.embed(model, loader, dtype=torch.bfloat16).dtype == torch.bfloat16

    def test_layers(self, model, data):
        loader = DataLoader(data, 5)
        for layer in "fc", nn.Linear(1, 1):
            self.refused("'layer' to be a module .* Its modules: 0, 1, 2, 3", model, loader, layer=layer)
        self.refused("'side' to be one of output, input", model, loader, side="both")
        shared = nn.Linear(3, 3)
        twice = nn.Sequential(shared, shared)
        self.refused(r"run once per batch \(got 2 times\)", twice, loader, layer="0")
        scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
        for layer in None, "0":
            match = "that can be listened to .*, which takes no hooks"
            self.refused(match, scripted, loader, error=TypeError, layer=layer)
        wrapped = nn.Sequential(scripted)  # a module that calls it
        x = data.tensors[0]
        torch.testing.assert_close(d2pyg.embed(wrapped, loader), scripted(x).detach())
        pair = nn.LSTM(3, 2)
        self.refused(r"give a tensor of shape \(B, ...\) \(got tuple\)", pair, loader, error=TypeError)
        self.refused(r"\(got \(23,\)\)", nn.Flatten(0), [torch.ones(23)], error=TypeError)
        complex_ones = torch.ones(2, 2, dtype=torch.complex64)
        self.refused("got torch.complex64", nn.Identity(), [complex_ones], error=TypeError)

    def test_values(self, model, data, tmp_path):
        x = data.tensors[0]
        self.refused("finite in torch.float32", model, [x / 0])
        self.refused("finite in torch.float16", model, [x * 1e6], dtype=torch.float16)

        class Growing(nn.Module):
            def forward(self, batch):
                return batch[:, : 1 + int(batch[0, -1])]

        rows = torch.tensor([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]])
        loader = DataLoader(TensorDataset(rows), 1)
        self.refused("rows of one width", Growing(), loader, path=tmp_path / "x.npy")
        self.refused("rows of one width", Growing(), loader)
