"""D2Prune against select, graph by graph."""

import pytest
import torch
from pyg_cases import graph, hetero, same, some_graphs
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose

import d2pyg
from d2pyg.transforms import D2Prune, EmbeddingKNNGraph


def selected(data, among=None, label=True, **settings):
    """What select picks of one graph, by hand: the oracle."""
    nodes = torch.arange(len(data.x), device=data.x.device) if among is None else among.nonzero()[:, 0]
    settings["k"] = min(settings.get("k", 15), len(nodes) - 1) or None
    labels = data.y[nodes] if label else None
    return nodes[d2pyg.select(data.x[nodes], data.score[nodes], labels=labels, **settings).index]


def mask_of(index, num_nodes):
    mask = torch.zeros(num_nodes, dtype=torch.bool, device=index.device)
    mask[index] = True
    return mask


@pytest.mark.parametrize(
    "settings",
    [
        {"keep": 0.4},
        {"prune": 0.5, "k": 3, "gamma_reverse": 0.1, "cutoff": 0.1},
        {"budget": 7, "balance": "uniform", "kernel": "laplacian", "scale": None},
    ],
)
@pytest.mark.parametrize("label", [True, False])
def test_equals_select(device, settings, label):
    data = graph(40, seed=2, device=device)
    done = D2Prune(labels="y" if label else None, **settings)(data)
    expected = selected(data, label=label, **settings)
    assert torch.equal(done.coreset_index, expected)
    assert torch.equal(done.coreset_mask, mask_of(expected, 40))
    assert done.coreset_index.device == done.coreset_mask.device == data.x.device
    del done.coreset_index, done.coreset_mask
    assert same(done, data)


@pytest.mark.parametrize("settings", [{}, {"cutoff": 0.3}, {"update": "sum"}, {"gamma_forward": 0.5}])
def test_without_scores(device, settings):
    data = graph(30, seed=1, device=device)
    done = D2Prune(budget=9, scores=None, labels=None, **settings)(data)
    assert torch.equal(done.coreset_index, d2pyg.select(data.x, budget=9, **settings).index)
    with_scores = D2Prune(budget=9, labels=None, **settings)(data)
    assert not torch.equal(done.coreset_index, with_scores.coreset_index)


@pytest.mark.parametrize(
    "settings", [{"keep": 0.5}, {"budget": 3, "k": 20}, {"prune": 0.2, "cutoff": 0.2}]
)
@pytest.mark.parametrize("label", ["y", None])
def test_each_graph_of_a_batch_has_its_budget(device, settings, label):
    """The loop over select by hand; and batching before or after comes to the same."""
    graphs = some_graphs(device)
    transform = D2Prune(labels=label, **settings)
    batch = transform(Batch.from_data_list(graphs))
    expected, start = [], 0
    for one in graphs:
        expected.append(start + selected(one, label=label is not None, **settings))
        start += one.num_nodes
    assert torch.equal(batch.coreset_index, torch.cat(expected))
    assert torch.equal(batch.coreset_mask, mask_of(torch.cat(expected), start))
    alone = [transform(one) for one in graphs]
    assert same(batch, Batch.from_data_list(alone))
    assert all(same(one, two) for one, two in zip(batch.to_data_list(), alone, strict=True))


def test_a_graph_of_one_node():
    done = D2Prune(keep=0.9, k=4)(graph(1, seed=0))
    assert done.coreset_index.tolist() == [0]
    batch = Batch.from_data_list([graph(1, seed=0), graph(3, seed=1)])
    assert D2Prune(budget=1)(batch).coreset_mask.sum() == 2


@pytest.mark.parametrize("settings", [{"keep": 0.3}, {"prune": 0.5, "flow": "source_to_target"}])
def test_of_the_train_mask(device, settings):
    data = graph(60, seed=6, device=device)
    done = D2Prune(mask="train_mask", **settings)(data)
    expected = selected(data, data.train_mask, **settings)
    assert torch.equal(done.train_mask, mask_of(expected, 60))
    assert torch.equal(done.coreset_index, expected)
    assert not bool((done.train_mask & ~data.train_mask).any())
    assert "coreset_mask" not in done
    done.train_mask = data.train_mask
    del done.coreset_index
    assert same(done, data)  # validation and test masks, links, features


def test_graphs_of_a_batch_without_train_nodes_are_passed_over():
    graphs = some_graphs()
    graphs[1].train_mask[:] = False
    transform = D2Prune(mask="train_mask", budget=2)
    batch = transform(Batch.from_data_list(graphs))
    for number, (one, given) in enumerate(zip(batch.to_data_list(), graphs, strict=True)):
        expected = [] if number == 1 else selected(given, given.train_mask, budget=2).tolist()
        assert one.coreset_index.tolist() == expected
        assert one.train_mask.sum() == len(expected)


@pytest.mark.parametrize("label", ["y", None])
def test_on_the_graph_of_the_data(device, label):
    """Built by EmbeddingKNNGraph: the same picks as select on that graph, and as without it."""
    data = graph(50, seed=8, device=device)
    data.y[:] = 3
    names = {"edge_index": "near_edge_index", "edge_attr": "distance"}
    near = EmbeddingKNNGraph(k=4, **names)
    done = Compose([near, D2Prune(keep=0.5, graph=True, labels=label, **names)])(data)
    assert torch.equal(done.coreset_index, selected(data, keep=0.5, k=4))
    fewer = Compose([near, D2Prune(keep=0.5, graph=True, labels=label, k=2, **names)])(data)
    assert torch.equal(fewer.coreset_index, selected(data, keep=0.5, k=2))

    among = Compose([near, D2Prune(keep=0.5, graph=True, labels=label, mask="train_mask", **names)])(
        data
    )
    nodes = data.train_mask.nonzero().flatten()
    inside = d2pyg.knn_graph(data.x, 4)
    inside = inside.subgraph(data.train_mask)  # by PyG: the edges among them
    plain = Data(edge_index=inside.edge_index, edge_attr=inside.edge_attr, num_nodes=len(nodes))
    expected = nodes[d2pyg.select(plain, data.score[nodes], keep=0.5).index]
    assert torch.equal(among.coreset_index, expected)


def test_on_the_graphs_of_a_batch(device):
    graphs = [*some_graphs(device), graph(1, 7, device)]
    given = Compose([EmbeddingKNNGraph(k=5), D2Prune(budget=1, graph=True, labels=None)])
    built = Compose([EmbeddingKNNGraph(k=5), D2Prune(budget=1, k=5, labels=None)])
    assert same(given(Batch.from_data_list(graphs)), built(Batch.from_data_list(graphs)))


def test_k_of_a_graph_that_is_there_where_nodes_have_fewer(device):
    """The graphs have 0, 2 and more neighbors a node, and a mask leaves some with fewer."""
    near = EmbeddingKNNGraph(k=5)
    graphs = [*some_graphs(device), graph(1, 7, device), graph(3, 8, device)]
    for k in (2, 5):
        given = Compose([near, D2Prune(budget=1, graph=True, labels=None, k=k)])
        assert same(
            given(Batch.from_data_list(graphs)), Batch.from_data_list([given(g) for g in graphs])
        )
        direct = D2Prune(budget=1, labels=None, k=k)(Batch.from_data_list(graphs))
        assert torch.equal(given(Batch.from_data_list(graphs)).coreset_index, direct.coreset_index)
    data = near(graph(30, seed=9, device=device))
    data.train_mask = torch.arange(30, device=device) % 3 == 0
    masked = [
        D2Prune(keep=0.5, graph=True, labels=None, mask="train_mask", **k)(data).train_mask
        for k in ({}, {"k": 5})
    ]
    assert torch.equal(*masked)


@pytest.mark.parametrize("flow", ["both", "target_to_source"])
def test_on_the_graph_of_the_data_class_by_class(device, flow):
    data = graph(50, seed=8, device=device, classes=3)
    prune = D2Prune(keep=0.5, graph=True, flow=flow)
    done = Compose([EmbeddingKNNGraph(k=4, labels="y"), prune])(data)
    assert torch.equal(done.coreset_index, selected(data, keep=0.5, k=4, flow=flow))
    with pytest.raises(ValueError, match="without edges between samples of different labels"):
        Compose([EmbeddingKNNGraph(k=4), prune])(data)


def test_one_node_type(device):
    data = hetero(device=device)
    done = D2Prune(keep=0.4, node_type="paper")(data)
    expected = selected(data["paper"], keep=0.4)
    assert torch.equal(done["paper"].coreset_mask, mask_of(expected, 30))
    assert "coreset_index" not in done["paper"]
    near = Compose(
        [
            EmbeddingKNNGraph(k=4, node_type="paper"),
            D2Prune(keep=0.5, graph=True, labels=None, mask="train_mask", node_type="paper"),
        ]
    )(data)
    assert near["paper"].train_mask.sum() == (0.5 * data["paper"].train_mask.sum() + 0.5).floor()
    del done["paper"].coreset_mask
    assert same(done, data)


def test_a_batch_of_one_node_type():
    graphs = [hetero(seed, num_nodes) for seed, num_nodes in enumerate([20, 8, 13])]
    transform = D2Prune(keep=0.5, mask="train_mask", node_type="paper")
    batch, alone = transform(Batch.from_data_list(graphs)), [transform(one) for one in graphs]
    assert same(batch, Batch.from_data_list(alone))
    assert all(same(one, two) for one, two in zip(batch.to_data_list(), alone, strict=True))


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        (
            {"keep": 0.5, "gamma": 1.0},
            TypeError,
            r"settings of d2pyg.select .*got 'gamma'.*gamma_reverse",
        ),
        ({"keep": 0.5, "ids": [0]}, TypeError, r"got 'ids'.*'scores' and 'labels' name attributes"),
        ({"keep": 0.5, "labels": [0]}, TypeError, r"'labels' to be a name \(got list"),
        ({"keep": 0.5, "k": 0}, ValueError, r"'k' to be at least 1 \(got 0\)"),
        ({"keep": 0.5, "graph": "near"}, TypeError, r"'graph' to be True or False"),
        ({"keep": 0.5, "mask": torch.ones(3) > 0}, TypeError, r"'mask' to be a name \(got Tensor"),
        ({"keep": 0.5, "scores": 3}, TypeError, r"'scores' to be a name"),
        ({"keep": 0.5, "attr": None}, TypeError, r"'attr' to be a name"),
    ],
)
def test_wrong_settings(settings, error, match):
    with pytest.raises(error, match=match):
        D2Prune(**settings)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({}, r"exactly one of 'keep'"),
        ({"budget": 21}, r"'budget' to be between 1 and 20"),
        ({"keep": 0.5, "attr": "emb"}, r"'attr' to name an attribute .*Name the embeddings"),
        ({"keep": 0.5, "scores": "loss"}, r"'scores' to name an attribute .*pass scores=None"),
        ({"keep": 0.5, "labels": "class"}, r"'labels' to name an attribute .*pass labels=None"),
        ({"keep": 0.5, "mask": "mask"}, r"'mask' to name an attribute .*all nodes are considered"),
        ({"keep": 0.5, "mask": "y"}, r"'y' to be a bool mask with a node or more \(got torch.int64"),
        (
            {"keep": 0.5, "mask": "none"},
            r"'none' to be a bool mask with a node or more \(got torch.bool, 0 nonzero",
        ),
        (
            {"keep": 0.5, "mask": "splits"},
            r"'splits' to have one value for each of the 20 nodes \(got shape \(20, 5\)",
        ),
        ({"keep": 0.5, "labels": "of_graph"}, r"'of_graph' to have one value for each of the 20 nodes"),
        (
            {"keep": 0.5, "graph": True},
            r"kNN graph with distances \(got no 'edge_index'\). Put EmbeddingKNNGraph",
        ),
    ],
)
def test_wrong_data(settings, match):
    data = graph(20, seed=0)
    data.none, data.splits = data.train_mask & False, data.train_mask.view(-1, 1).repeat(1, 5)
    data.of_graph = torch.tensor([1])
    with pytest.raises(ValueError, match=match):
        D2Prune(**settings)(data)
