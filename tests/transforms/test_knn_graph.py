"""EmbeddingKNNGraph against knn_graph, graph by graph."""

import numpy as np
import pytest
import torch
from pyg_cases import graph, hetero, same, some_graphs
from torch_geometric.data import Batch, Data

import d2pyg
from d2pyg.transforms import EmbeddingKNNGraph


def test_it_is_knn_graph(device):
    data = graph(40, seed=1, device=device)
    done = EmbeddingKNNGraph(k=3, metric="cosine", backend="torch")(data)
    plain = d2pyg.knn_graph(data.x, 3, metric="cosine")
    assert torch.equal(done.edge_index, plain.edge_index)
    assert torch.equal(done.edge_attr, plain.edge_attr)
    assert done.edge_index.device == data.x.device
    assert torch.equal(done.link_edge_index, data.link_edge_index)
    assert done.name == "graph 1"
    assert "edge_index" not in data


@pytest.mark.parametrize("k", [1, 6])
def test_a_batch_is_its_graphs_one_by_one(device, k):
    """Also those with no more than k nodes, with one, and with duplicates."""
    graphs = [*some_graphs(device), graph(1, 7, device), graph(6, 8, device)]
    graphs[2].x[5:20] = graphs[2].x[5]
    transform = EmbeddingKNNGraph(k=k)
    batch, alone = transform(Batch.from_data_list(graphs)), [transform(one) for one in graphs]
    assert same(batch, Batch.from_data_list(alone))
    for one, other, given in zip(batch.to_data_list(), alone, graphs, strict=True):
        assert same(one, other)
        assert one.num_edges == given.num_nodes * min(k, given.num_nodes - 1)


def test_the_graph_of_a_batch_vector_need_not_be_sorted():
    data = graph(30, seed=3)
    data.batch = torch.arange(30) % 3
    source, target = EmbeddingKNNGraph(k=4)(data).edge_index
    assert torch.equal(data.batch[source], data.batch[target])
    assert torch.equal(target.bincount(), torch.full((30,), 4))


def test_other_names_keep_the_links():
    data = graph(12, seed=2)
    data.edge_index, data.emb = data.link_edge_index, data.x * 2
    transform = EmbeddingKNNGraph(
        k=2, attr="emb", edge_index="near_edge_index", edge_attr="near_distance"
    )
    done = transform(data)
    assert torch.equal(done.edge_index, data.edge_index)
    plain = d2pyg.knn_graph(data.emb, 2)
    assert torch.equal(done.near_edge_index, plain.edge_index)
    assert torch.equal(done.near_distance, plain.edge_attr)
    batch = Batch.from_data_list([done, done])
    assert torch.equal(batch.near_edge_index, torch.cat([plain.edge_index, plain.edge_index + 12], 1))


def test_class_by_class(device):
    graphs = some_graphs(device)
    batch = EmbeddingKNNGraph(k=3, labels="y")(Batch.from_data_list(graphs))
    for one in batch.to_data_list():
        plain = d2pyg.knn_graph(one.x, 3, batch=one.y)
        assert torch.equal(one.edge_index, plain.edge_index)
        assert torch.equal(one.edge_attr, plain.edge_attr)


def test_one_node_type(device):
    data = hetero(device=device)
    done = EmbeddingKNNGraph(k=3, node_type="paper")(data)
    plain = d2pyg.knn_graph(data["paper"].x, 3)
    near = done["paper", "near", "paper"]
    assert torch.equal(near.edge_index, plain.edge_index)
    assert torch.equal(near.edge_attr, plain.edge_attr)
    assert data.edge_types == [("author", "wrote", "paper")]
    del done["paper", "near", "paper"]
    assert same(done, data)


def test_a_batch_of_one_node_type():
    graphs = [hetero(seed, num_nodes) for seed, num_nodes in enumerate([20, 8, 13])]
    transform = EmbeddingKNNGraph(k=3, node_type="paper")
    batch, alone = transform(Batch.from_data_list(graphs)), [transform(one) for one in graphs]
    assert same(batch, Batch.from_data_list(alone))
    assert all(same(one, two) for one, two in zip(batch.to_data_list(), alone, strict=True))


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"k": 0}, ValueError, r"'k' to be at least 1 \(got 0\)"),
        ({"metric": "l1"}, ValueError, r"'metric' to be one of cosine"),
        ({"backend": "x"}, ValueError, r"'backend' to be one of cells, faiss"),
        (
            {"edge_index": "near"},
            ValueError,
            r"with 'edge_index' in it, .*got 'near'.*'near_edge_index'",
        ),
        ({"edge_index": None}, TypeError, r"'edge_index' to be a name \(got NoneType None\)"),
        ({"edge_attr": 3}, TypeError, r"'edge_attr' to be a name \(got int 3\)"),
        ({"attr": ""}, TypeError, r"'attr' to be a name \(got str ''\)"),
        ({"labels": ["y"]}, TypeError, r"'labels' to be a name \(got list"),
        ({"backend": 3}, TypeError, r"'backend' to be a name"),
    ],
)
def test_wrong_settings(settings, error, match):
    with pytest.raises(error, match=match):
        EmbeddingKNNGraph(**settings)


def test_wrong_data():
    data = graph(5, seed=0)
    with pytest.raises(
        ValueError,
        match=r"'attr' to name an attribute of the nodes, which have link_edge_index, name, .*got 'emb'",
    ):
        EmbeddingKNNGraph(k=2, attr="emb")(data)
    with pytest.raises(ValueError, match=r"'attr' to name .*which have none"):
        EmbeddingKNNGraph(k=2)(Data())
    with pytest.raises(ValueError, match=r"'labels' to name an attribute .*edges between classes"):
        EmbeddingKNNGraph(k=2, labels="class")(data)
    with pytest.raises(TypeError, match=r"'score' to be integers"):
        EmbeddingKNNGraph(k=2, labels="score")(data)
    with pytest.raises(TypeError, match=r"'embeddings' to be floating point .*torch.int64"):
        EmbeddingKNNGraph(k=2, attr="y")(data)
    with pytest.raises(
        TypeError, match=r"'data' to be a Data, HeteroData or Batch of PyG \(got Tensor\)"
    ):
        EmbeddingKNNGraph(k=2)(data.x)
    with pytest.raises(ValueError, match=r"'node_type' to be None with Data \(got 'paper'\)"):
        EmbeddingKNNGraph(k=2, node_type="paper")(data)
    for node_type in (None, "venue"):
        with pytest.raises(
            ValueError, match=rf"'node_type' to be one of paper, author \(got {node_type!r}\)"
        ):
            EmbeddingKNNGraph(k=2, node_type=node_type)(hetero())
    with pytest.raises(ValueError, match=r"'node_type' to be None with Data \(got array"):
        EmbeddingKNNGraph(k=2, node_type=np.zeros(3))(data)
    with pytest.raises(ValueError, match=r"'x' to have a value for each node \(got one\). Name the emb"):
        EmbeddingKNNGraph(k=2)(Data(x=torch.tensor(1.0)))
    with pytest.raises(TypeError, match=r"'data' to be a Data, .*\(got generator\)"):
        EmbeddingKNNGraph(k=2)(one for one in [data])
    data.batch = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"'batch' to have one value for each of the 5 nodes"):
        EmbeddingKNNGraph(k=2)(data)


def test_a_batch_whose_nodes_have_lost_their_graphs():
    graphs = [Data(emb=torch.randn(4, 2)), Data(emb=torch.randn(5, 2))]
    with pytest.raises(ValueError, match=r"graph of each node in 'batch' \(got none\)"):
        EmbeddingKNNGraph(k=2, attr="emb")(Batch.from_data_list(graphs))
