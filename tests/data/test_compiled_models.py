"""embed of models that torch.compile has touched: torch ignores hooks that come after compilation."""

import pytest
import torch
from torch import nn

import d2pyg

X = torch.rand(12, 4, generator=torch.Generator().manual_seed(0))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Dropout()), nn.Linear(8, 3))


def compiled(module):
    torch._dynamo.reset()
    return torch.compile(module, backend="eager")


@pytest.mark.parametrize("evaluated", [False, True])
def test_layers_by_name_and_as_modules(evaluated):
    plain = network()
    want = d2pyg.embed(plain, [X], "1")
    model = compiled(plain)
    if evaluated:
        model.eval()
        with torch.no_grad():
            model(X)
    for layer in "1", "_orig_mod.1", plain[1]:
        assert d2pyg.embed(model, [X], layer).equal(want)
    assert d2pyg.embed(model, [X], "_orig_mod.1.0", side="input").equal(d2pyg.embed(plain, [X], "0"))
    whole = d2pyg.embed(plain, [X])
    for layer in None, "", "_orig_mod", plain, model:
        assert d2pyg.embed(model, [X], layer).equal(whole)
    assert d2pyg.embed(plain, [X], model).equal(whole)


def test_a_compiled_part():
    plain = network()
    want = d2pyg.embed(plain, [X], "1"), d2pyg.embed(plain, [X], "1.0")
    plain[1] = compiled(plain[1])
    plain.eval()
    with torch.no_grad():
        plain(X)
    for layer in "1", "1._orig_mod", plain[1]:
        assert d2pyg.embed(plain, [X], layer).equal(want[0])
    for layer in "1.0", "1._orig_mod.0":
        assert d2pyg.embed(plain, [X], layer).equal(want[1])


def test_compiled_in_place():
    model = network()
    want = d2pyg.embed(model, [X], "1")
    torch._dynamo.reset()
    model.compile(backend="eager")
    model.eval()
    with torch.no_grad():
        model(X)
    assert d2pyg.embed(model, [X], "1").equal(want)
    assert d2pyg.embed(model, [X], "1.1").equal(want)


def test_leaves_the_model_and_the_compiler_as_they_were():
    compiled_graphs = []

    def backend(graph, inputs):
        compiled_graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    plain = network().eval()
    model = torch.compile(plain, backend=backend)
    with torch.no_grad():
        want = model(X)
        with torch.compiler.set_stance("eager_on_recompile"):
            d2pyg.embed(model, [X], "1")
            assert torch._dynamo.eval_frame._stance.stance == "eager_on_recompile"
        with pytest.raises(ZeroDivisionError):
            d2pyg.embed(model, [X], "1", forward=lambda model, batch: 1 / 0)
        assert torch._dynamo.eval_frame._stance.stance == "default"
        assert len(compiled_graphs) == 1
        assert model(X).equal(want)
        assert len(compiled_graphs) == 1  # what was compiled is still of use
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(module.training for module in model.modules())


def test_unknown_layers_list_the_plain_names():
    model = compiled(network())
    with pytest.raises(ValueError, match=r"\(got 'fc'\). Its modules: 0, 1, 1.0, 1.1, 2\.$"):
        d2pyg.embed(model, [X], "fc")
