"""The op of torch-cluster and pyg-lib: a stand-in with their faults must still give exact graphs."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from knn_cases import brute_force, data, matrices

import d2pyg
from d2pyg.graph import knn_op
from d2pyg.graph.pyg_lib_backend import _wheels


def stand_in(x, y, count):
    """The nearest of x for each y as the op gives them: pairs (place in y, row of x)."""
    assert x.is_contiguous()
    assert y.is_contiguous()
    assert 1 <= count <= len(x)
    found = torch.cdist(x, y).topk(count, dim=0, largest=False).indices.T
    return torch.stack([torch.arange(len(y)).repeat_interleave(count), found.flatten()])


def finds_too_few(x, y, count):
    """Every third pair is lost, and all of some rows."""
    pairs = stand_in(x, y, count)
    return pairs[:, (torch.arange(pairs.shape[1]) % 3 > 0) & (pairs[0] % 10 > 0)]


def finds_nothing(x, y, count):
    return torch.empty(2, 0, dtype=torch.int64)


def called(op):
    def backend(points, k, bar):
        return knn_op.op_neighbors(points, k, bar, op)

    return backend


OPS = [stand_in, finds_too_few, finds_nothing]
NAMES = ["blobs", "float32, far from the origin", "duplicates", "constant", "integers with ties", "two"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("op", OPS)
def test_equals_the_torch_backend(name, op):
    x = data(name)
    k = min(5, len(x) - 1)
    graph = d2pyg.knn_graph(x.copy(), k, backend=called(op))
    expected = d2pyg.knn_graph(x.copy(), k, backend="torch")
    assert graph.edge_index.equal(expected.edge_index)
    assert graph.edge_attr.equal(expected.edge_attr)


def test_rows_asked_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(knn_op, "_CANDIDATES_TOGETHER", 1000)
    graph = d2pyg.knn_graph(data("duplicates"), 5, backend=called(stand_in))
    assert np.array_equal(matrices(graph, 5)[0], brute_force(data("duplicates"), 5)[0])


def test_candidates():
    rows = torch.tensor([4, 5, 6, 7])
    pairs = torch.tensor([[0, 0, 0, 1, 1, 1, 3, 3], [4, 1, 2, 1, 2, 3, 8, 7]])
    # Itself dropped; itself not there, so the farthest; nothing found; too few.
    expected = [[1, 2], [1, 2], [-1, -1], [8, -1]]
    assert knn_op.as_candidates(pairs, rows, 2).tolist() == expected


class TestTheLimitOnCuda:
    def test_what_it_is(self):
        assert knn_op.most_found(torch.device("cuda")) == 100
        assert knn_op.most_found(torch.device("cpu")) is None

    @pytest.mark.parametrize("k", [90, 91, 92, 99])
    def test_up_to_the_limit(self, k, monkeypatch):
        asked = []

        def limited(x, y, count):
            asked.append(count)
            return stand_in(x, y, count)

        monkeypatch.setattr(knn_op, "most_found", lambda device: 100)
        graph = d2pyg.knn_graph(data("blobs"), k, backend=called(limited))
        assert np.array_equal(matrices(graph, k)[0], brute_force(data("blobs"), k)[0])
        assert set(asked) == {min(k + 9, 100)}

    def test_beyond_it(self, monkeypatch):
        monkeypatch.setattr(knn_op, "most_found", lambda device: 100)
        rule = r"'k' to be at most 99 for this backend on cpu \(got 100\).*Use backend='torch'"
        with pytest.raises(ValueError, match=rule):
            d2pyg.knn_graph(data("blobs"), 100, backend=called(stand_in))


def test_torch_cluster_is_called_as_it_wants(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_cluster", SimpleNamespace(knn=stand_in))
    graph = d2pyg.knn_graph(data("blobs"), 5, backend="torch_cluster")
    assert np.array_equal(matrices(graph, 5)[0], brute_force(data("blobs"), 5)[0])
    assert graph.backend == "torch_cluster"


class TestPygLib:
    """With a stand-in for the package: under its name, and with its op's signature."""

    @pytest.fixture(autouse=True)
    def _package(self, monkeypatch):
        if hasattr(torch.ops.pyg, "knn"):
            pytest.skip("pyg-lib is installed")
        monkeypatch.setitem(sys.modules, "pyg_lib", ModuleType("pyg_lib"))

    @pytest.fixture
    def register(self):
        library = torch.library.Library("pyg", "FRAGMENT")
        library.define(
            "knn(Tensor x, Tensor y, Tensor? ptr_x=None, Tensor? ptr_y=None, int k=1, "
            "bool cosine=False, int num_workers=1) -> Tensor"
        )

        def register(op):
            def knn(x, y, ptr_x=None, ptr_y=None, k=1, cosine=False, num_workers=1):
                assert (ptr_x, ptr_y, cosine) == (None, None, False)
                return op(x, y, k)

            library.impl("knn", knn, "CPU")

        yield register
        library._destroy()

    @pytest.mark.parametrize("op", OPS)
    @pytest.mark.parametrize("name", ["blobs", "duplicates", "constant", "two"])
    def test_equals_brute_force(self, name, op, register):
        register(op)
        k = min(5, len(data(name)) - 1)
        graph = d2pyg.knn_graph(data(name), k, backend="pyg_lib")
        assert np.array_equal(matrices(graph, k)[0], brute_force(data(name), k)[0])
        assert graph.backend == "pyg_lib"

    def test_an_old_one_has_no_knn(self):
        rule = (
            r"pyg-lib to be 0.6 or later.*pip install 'pyg-lib>=0.6' -f https://data.pyg.org/whl/torch-"
        )
        with pytest.raises(ImportError, match=rule):
            d2pyg.knn_graph(np.eye(4), 1, backend="pyg_lib")


def test_where_the_wheels_of_pyg_lib_lie():
    assert _wheels("2.13.0+cpu", None).endswith("/torch-2.13.0+cpu.html")
    assert _wheels("2.12.1", "12.6").endswith("/torch-2.12.0+cu126.html")
