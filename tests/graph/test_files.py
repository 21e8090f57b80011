"""Graph files: what is written is read back, and nothing else is."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg.cli.common import read_inputs
from d2pyg.graph import nearest_graph


def read_graph_or_array(name, spec):
    return read_inputs({name: spec}).values[name]


@pytest.fixture
def graph(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return d2pyg.knn_graph(rng.normal(size=(40, 3)).astype(np.float32), k=6)


def assert_same(one, two):
    assert set(one.keys()) == set(two.keys())
    for name in one.keys():  # noqa: SIM118  # iterating a graph yields pairs
        if isinstance(one[name], torch.Tensor):
            assert one[name].dtype == two[name].dtype
            assert torch.equal(one[name], two[name])
        else:
            assert one[name] == two[name]


def test_round_trip(graph):
    graph.y = torch.arange(40)
    graph.note = {"names": ["a", 1, None], "half": 0.5}
    d2pyg.save_graph(graph, "graph.pt")
    assert_same(d2pyg.load_graph("graph.pt"), graph)
    plain = torch.load("graph.pt", weights_only=True)
    assert type(plain) is dict
    assert plain["k"] == 6
    assert (plain["metric"], plain["backend"]) == ("euclidean", "torch")


def test_from_any_device(graph, device):
    d2pyg.save_graph(graph.to(device), "graph.pt")
    assert_same(d2pyg.load_graph("graph.pt"), graph.cpu())


def test_selects_as_the_graph_does(graph):
    d2pyg.save_graph(graph, "graph.pt")
    loaded = d2pyg.load_graph("graph.pt")
    for k in None, 2:
        one, two = (d2pyg.select(g, keep=0.5, k=k) for g in (graph, loaded))
        assert one.index.tolist() == two.index.tolist()
        assert one.settings == two.settings


def test_a_view_is_stored_without_the_rest(graph):
    d2pyg.save_graph(graph, "graph.pt")
    size = Path("graph.pt").stat().st_size
    graph.edge_attr = torch.cat([graph.edge_attr, torch.zeros(100_000)])[: graph.num_edges]
    d2pyg.save_graph(graph, "graph.pt")
    assert Path("graph.pt").stat().st_size < size + 1000


def test_a_graph_that_does_not_say_its_size(graph):
    plain = Data(edge_index=graph.edge_index, edge_attr=graph.edge_attr, x=torch.ones(40, 1))
    d2pyg.save_graph(plain, "graph.pt")
    assert d2pyg.load_graph("graph.pt").num_nodes == 40


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_nearest_graph_is_the_graph_of_that_k(batched, metric, rng):
    x = rng.integers(0, 3, (60, 4)).astype(np.float32)  # many ties
    batch = rng.integers(0, 12, 60) if batched else None
    large = d2pyg.knn_graph(x, 7, metric=metric, batch=batch)
    for k in 1, 3, 7:
        assert_same(nearest_graph(large, k), d2pyg.knn_graph(x, k, metric=metric, batch=batch))


def test_nearest_graph_refuses(graph):
    with pytest.raises(ValueError, match=r"'k' to be between 1 and 6, the graph's own k \(got 7\)"):
        nearest_graph(graph, 7)


@pytest.mark.parametrize("left", [0, 20, 200, -4])
def test_damaged_files(graph, left):
    d2pyg.save_graph(graph, "graph.pt")
    Path("graph.pt").write_bytes(Path("graph.pt").read_bytes()[:left])
    with pytest.raises(ValueError, match=r"Expected 'path' to be a complete .pt file"):
        d2pyg.load_graph("graph.pt")
    with pytest.raises(ValueError, match=r"Expected 'embeddings' to be a complete .pt file"):
        read_graph_or_array("embeddings", "graph.pt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"edge_index": None}, r"it has no 'edge_index'"),
        ({"num_nodes": None}, r"it has no 'num_nodes'"),
        ({"num_nodes": 40.0}, r"its 'num_nodes' is not a whole number"),
        ({"num_nodes": True}, r"its 'num_nodes' is not a whole number"),
        ({"num_nodes": 39}, r"Expected 'edge_index' to lie in 0 to 38, the nodes \(got 39\)\)\. Write"),
        ({"num_nodes": 2**70}, r"it takes [\d,]+ MB of memory"),
        ({"num_nodes": 10**14}, r"it takes [\d,]+ MB of memory"),
        ({"k": "six"}, r"its 'k' is not a whole number"),
        ({"k": 5}, r"its 'k' is 5, and node 0 has 6 neighbors"),
        ({"k": 7}, r"its 'k' is 7, and node \d+ has 6 neighbors"),
        ({"k": 2**70}, r"its 'k' is 1180591620717411303424, and node"),
        ({"metric": 5}, r"its 'metric' is not a string"),
        ({"backend": torch.ones(1)}, r"its 'backend' is not a string"),
        ({7: 7}, r"its names are not strings"),
        ({"edge_attr": torch.ones(240, device="meta")}, r"it has a tensor without data"),
        ({"edge_attr": torch.ones(3)}, r"floating of shape \(240,\)"),
        ({"edge_attr": torch.full((240,), -1.0)}, r"distances of at least 0 \(got -1\)"),
        ({"edge_attr": "far"}, r"'edge_attr' of the graph to be a tensor"),
        ({"edge_index": torch.zeros(2, 240, dtype=torch.int64)}, r"no self-loops"),
    ],
)
def test_other_files(graph, change, reason):
    d2pyg.save_graph(graph, "graph.pt")
    content = {**torch.load("graph.pt", weights_only=True), **change}
    torch.save({key: value for key, value in content.items() if value is not None}, "graph.pt")
    with pytest.raises(ValueError, match=r"(?s)a graph that d2pyg.save_graph wrote .*" + reason):
        d2pyg.load_graph("graph.pt")


def test_groups_smaller_than_k_are_joined_completely(rng, tmp_path):
    batch = rng.integers(0, 12, 40)
    graph = d2pyg.knn_graph(rng.normal(size=(40, 3)), k=5, batch=batch)
    d2pyg.save_graph(graph, tmp_path / "graph.pt")
    assert_same(d2pyg.load_graph(tmp_path / "graph.pt"), graph)


def test_a_flipped_bit_changes_nothing_silently(graph):
    d2pyg.save_graph(graph, "graph.pt")
    whole = Path("graph.pt").read_bytes()
    refused = 0
    for bit in range(3, 8 * len(whole), 8 * len(whole) // 150):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        Path("graph.pt").write_bytes(damaged)
        try:
            loaded = d2pyg.load_graph("graph.pt")
        except ValueError:
            refused += 1
        else:
            assert_same(loaded, graph)
    assert refused > 75


def test_says_what_is_there_instead(graph):
    Path("graph.pt").write_text("version https://git-lfs.github.com/spec/v1\n")
    for read in d2pyg.load_graph, lambda path: read_graph_or_array("embeddings", path):
        with pytest.raises(ValueError, match=r"no .pt file, but text that begins with 'version https"):
            read("graph.pt")


def test_refuses_to_save_what_could_not_be_read(graph):
    for name, value, told in (
        ("k", 5, "its 'k' is 5, and node 0 has 6 neighbors"), ("k", torch.tensor(6), "not a whole number"),
        ("metric", 5, "its 'metric' is not a string"),
    ):  # fmt: skip
        odd = graph.clone()
        odd[name] = value
        with pytest.raises(
            ValueError, match=rf"attributes of 'graph' to fit its edges .*{told}.* del graph\['k'\]"
        ):
            d2pyg.save_graph(odd, "graph.pt")
        del odd[name]
        d2pyg.save_graph(odd, "graph.pt")


def test_refuses_to_load(graph, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    for bad in Attack(), graph, {"edge_index": Attack()}:
        torch.save(bad, "bad.pt")
        with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
            d2pyg.load_graph("bad.pt")
        with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
            read_graph_or_array("embeddings", "bad.pt")
    assert not (tmp_path / "owned").exists()
    torch.save([1, 2], "list.pt")
    with pytest.raises(ValueError, match="it has no 'edge_index'"):
        d2pyg.load_graph("list.pt")
    with pytest.raises(ValueError, match=r"'path' to end in one of .pt"):
        d2pyg.load_graph("x.npy")
    with pytest.raises(FileNotFoundError, match=r"'path' to be a file that exists"):
        d2pyg.load_graph("none.pt")


def test_refuses_to_save(graph, tmp_path):
    (tmp_path / "graph.pt").write_bytes(b"old")
    graph.owner = object()
    with pytest.raises(TypeError, match=r"plain values \(got object in 'owner'\).*del graph\['owner'\]"):
        d2pyg.save_graph(graph, "graph.pt")
    del graph.owner
    graph.adj = torch.eye(3).to_sparse()
    with pytest.raises(TypeError, match=r"'adj' to be a dense tensor"):
        d2pyg.save_graph(graph, "graph.pt")
    del graph.adj
    with pytest.raises(ValueError, match=r"'path' to end in one of .pt"):
        d2pyg.save_graph(graph, "graph.json")
    with pytest.raises(FileNotFoundError, match=r"'path' to be in a folder that exists"):
        d2pyg.save_graph(graph, "no/graph.pt")
    with pytest.raises(TypeError, match=r"'graph' to be a torch_geometric.data.Data \(got dict\)"):
        d2pyg.save_graph(graph.to_dict(), "graph.pt")
    assert (tmp_path / "graph.pt").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "graph.pt"]


def test_a_file_is_a_graph_or_an_array(graph):
    d2pyg.save_graph(graph, "graph.pt")
    assert_same(read_graph_or_array("embeddings", "./graph.pt"), graph)
    assert torch.equal(read_graph_or_array("scores", "graph.pt:edge_attr"), graph.edge_attr)
    x = torch.ones(3, 2)
    torch.save(x, "x.pt")
    torch.save(x, "old.pt", _use_new_zipfile_serialization=False)
    np.save("x.npy", x.numpy())
    for name in "x.pt", "old.pt", "x.npy":
        assert np.asarray(read_graph_or_array("embeddings", name)).tolist() == x.tolist()
