"""Every backend against brute force in float64, on data that tempts it to be wrong."""

import math
import sys

import numpy as np
import oracle
import pytest
import torch
from knn_cases import DATA, brute_force, data, matrices

import d2pyg
from d2pyg._base.extras import require
from d2pyg.graph import CosineMetric, InnerProductMetric, Metric, exact, faiss_backend, plan, points
from d2pyg.graph.candidates import smallest
from d2pyg.graph.knn_op import most_found
from d2pyg.graph.packed import Pack, packable
from d2pyg.graph.points import Points
from d2pyg.graph.table import Table

EXTENSIONS = ["torch_cluster", "pyg_lib"]


@pytest.fixture(
    params=["torch", "faiss", *(pytest.param(e, marks=pytest.mark.extensions) for e in EXTENSIONS)]
)
def backend(request):
    pytest.importorskip(request.param)  # each is called as its package
    device = request.node.callspec.params.get("device", "cpu")
    on_cuda = request.param == "torch_cluster" and device == "cuda"
    if on_cuda and torch.ops.torch_cluster.cuda_version() == -1:
        pytest.skip("torch-cluster was built for the CPU alone")
    return request.param


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [1, 5, -1])
def test_equals_brute_force(name, k, backend, device):
    x = data(name)
    k = len(x) - 1 if k == -1 or k >= len(x) else k
    if backend in EXTENSIONS and device.type == "cuda":
        k = min(k, most_found(device) - 1)
    graph = d2pyg.knn_graph(torch.as_tensor(x.copy(), device=device), k, backend=backend)
    neighbor, distance = matrices(graph, k)
    expected_neighbor, expected_distance = brute_force(x, k)
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-13, atol=0)
    # Where float64 sums differ in their last bit, near-ties may swap; elsewhere not.
    swapped = neighbor != expected_neighbor
    assert swapped.mean() < (1e-3 if name == "tight clusters" else 1e-9)
    assert graph.edge_index[1].tolist() == np.repeat(np.arange(len(x)), k).tolist()
    assert (graph.k, graph.metric, graph.backend) == (k, "euclidean", backend)
    assert graph.edge_index.device.type == device.type


@pytest.fixture
def half_in_small_tiles(monkeypatch):
    """As on CUDA, and as with little memory: float16 first, tiles of few columns, no table kept."""
    levels = [torch.float16, torch.float32, torch.float64]
    monkeypatch.setattr(points, "precisions", lambda device, dim: levels)
    monkeypatch.setattr(points, "_TILE_ELEMENTS", {"cpu": 3000, "cuda": 3000})
    monkeypatch.setattr(points, "_FEWEST_ROWS", 50)
    monkeypatch.setattr(plan, "_LEAST", 0)
    return {"memory": 400_000}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("k", [3, 40])
def test_half_precision_and_small_tiles_change_nothing(name, k, half_in_small_tiles, device):
    x = torch.as_tensor(data(name).copy(), device=device)
    k = min(k, len(x) - 1)
    graph = d2pyg.knn_graph(x, k, backend="torch", **half_in_small_tiles)
    neighbor, distance = matrices(graph, k)
    expected_neighbor, expected_distance = brute_force(data(name), k)
    np.testing.assert_allclose(distance, expected_distance, rtol=1e-13, atol=0)
    assert (neighbor != expected_neighbor).mean() < (1e-3 if name == "tight clusters" else 1e-9)


@pytest.mark.parametrize("name", DATA)
def test_inner_products_in_half_precision_and_small_tiles(name, half_in_small_tiles):
    x = torch.as_tensor(data(name).copy())
    k = min(9, len(x) - 1)
    graph = d2pyg.knn_graph(x, k, metric="inner_product", **half_in_small_tiles)
    exact = InnerProductMetric().pairwise(x.double(), x.double()).fill_diagonal_(torch.inf)
    value, order = exact.sort(dim=1, stable=True)
    assert graph.edge_attr.view(-1, k).equal(value[:, :k])
    assert graph.edge_index[0].view(-1, k).equal(order[:, :k])


def test_half_precision_certifies_most_rows(half_in_small_tiles, monkeypatch, rng):
    redone = []
    honest = exact.candidates

    def counted(table, rows, count):
        redone.append((table.dtype, len(rows)))
        return honest(table, rows, count)

    monkeypatch.setattr(exact, "candidates", counted)
    d2pyg.knn_graph(rng.normal(size=(2000, 32)), 5, backend="torch", **half_in_small_tiles)
    rows = {dtype: sum(n for d, n in redone if d == dtype) for dtype in (torch.float16, torch.float32)}
    assert rows[torch.float16] == 2000
    assert rows.get(torch.float32, 0) < 100


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_exact_whatever_precision_the_user_allows_for_products(precision, backend):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        graph = d2pyg.knn_graph(data("blobs"), 5, backend=backend)
        with torch.autocast("cpu"):
            inside = d2pyg.knn_graph(data("blobs"), 5, backend=backend)
    finally:
        torch.set_float32_matmul_precision(before)
    for made in graph, inside:
        assert np.array_equal(matrices(made, 5)[0], brute_force(data("blobs"), 5)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_exact_whatever_the_default_dtype(dtype, backend):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        graph = d2pyg.knn_graph(data("blobs"), 5, backend=backend)
    finally:
        torch.set_default_dtype(before)
    assert np.array_equal(matrices(graph, 5)[0], brute_force(data("blobs"), 5)[0])


@pytest.mark.parametrize("packed", [False, True])
def test_tight_groups_are_centered_and_scaled_on_their_own(packed, rng, monkeypatch):
    """Far apart and compact: with one center for all, no row of a group could be certified."""
    batch = np.repeat([0, 1, 2], 300)
    x = 1e3 * rng.normal(size=(3, 8))[batch] + 1e-2 * rng.normal(size=(900, 8))

    def searched(points, rows, neighbor, distance, unsure):
        assert not unsure.any()

    def none_in_doubt(pack, unsure, *_):
        assert len(unsure) == 0

    monkeypatch.setattr("d2pyg.graph.exact.settle", searched)
    monkeypatch.setattr("d2pyg.graph.packed.Pack._redo", none_in_doubt)
    monkeypatch.setattr("d2pyg.graph.groups.packable", lambda sizes, *_: sizes > (0 if packed else 999))
    graph = d2pyg.knn_graph(x, 3, batch=batch, backend="torch")
    lists = graph.edge_index[0].view(900, 3).numpy()
    for group in range(3):
        rows = np.arange(900)[batch == group]
        assert np.array_equal(lists[rows], rows[brute_force(x[rows], 3)[0]])


def test_candidates_that_miss_neighbors_are_found_out(monkeypatch):
    """The certificate is what makes results exact: coarse products must change nothing."""
    exact = d2pyg.knn_graph(data("blobs"), 5)
    honest = Table.bounds

    def coarse(self, left, right):
        # Rounded to 8 bits, as bfloat16 products would be; the error bound says so.
        bound = honest(self, left, right)
        return bound.bfloat16().float() - 2.0**-6 * self.points.norm.max().float()

    monkeypatch.setattr(Table, "bounds", coarse)
    assert d2pyg.knn_graph(data("blobs"), 5).edge_index.equal(exact.edge_index)


def test_the_bound_is_a_bound(rng):
    for name in "blobs", "an outlier", "float32, far from the origin", "tight clusters":
        x = data(name)
        made = Points(torch.as_tensor(x), d2pyg.graph.EuclideanMetric(), torch.device("cpu"))
        rows = torch.arange(len(x))
        true = np.square(np.asarray(x, np.float64)[:, None] - np.asarray(x, np.float64)).sum(2)
        true /= made.scale**2
        for dtype in torch.float32, torch.float16:
            table = Table(made, dtype, math.inf)
            bound = table.bounds(table.rows(rows), table.rows(rows)).double()
            bound += table.row_bound(made.norm).unsqueeze(1)
            assert (bound.numpy() <= true).all()
            # and no looser than twice the error it allows for, so that rows can be certified
            allowed = table.error * 2 * float(made.norm.max()) + table.tiny
            assert (true - bound.numpy() <= 2 * allowed).all()


@pytest.mark.parametrize("columns", [5, 33, 700, 5003])
@pytest.mark.parametrize("count", [1, 4, 13])
def test_smallest_equals_topk(columns, count, rng):
    values = torch.as_tensor(rng.integers(0, 50, (9, columns)).astype(np.float32))
    count = min(count, columns)
    value, column = smallest(values, count)
    assert value.equal(values.topk(count, largest=False).values)
    assert values.gather(1, column).equal(value)
    assert all(len(set(row)) == count for row in column.tolist())


def test_cosine(backend, rng):
    x = rng.normal(size=(300, 6))
    x[5:9] = 0  # no direction: at distance 1 from all
    x[40:60] = 4 * x[20:40]  # the same directions

    def distance(one, others):
        lengths = np.linalg.norm(one) * np.linalg.norm(others, axis=1)
        cosine = np.divide(others @ one, lengths, out=np.zeros(len(others)), where=lengths > 0)
        return 1 - cosine

    graph = d2pyg.knn_graph(x, 7, metric="cosine", backend=backend)
    neighbor, found = matrices(graph, 7)
    expected, expected_distance = brute_force(x, 7, distance)
    np.testing.assert_allclose(found, expected_distance, atol=1e-12)
    others = [i for i in range(300) if not 5 <= i < 9]
    assert np.array_equal(neighbor[others], expected[others])
    assert np.array_equal(found[5:9], np.ones((4, 7)))
    assert neighbor[5].tolist() == [0, 1, 2, 3, 4, 6, 7]
    assert graph.metric == "cosine"


def test_a_users_metric(backend, rng):
    class Weighted(Metric):
        def embed(self, x):
            return x * torch.tensor([1.0, 0.0, 3.0])

    x = rng.normal(size=(200, 3))
    graph = d2pyg.knn_graph(x, 4, metric=Weighted(), backend=backend)
    assert np.array_equal(matrices(graph, 4)[0], brute_force(x * [1, 0, 3], 4)[0])
    assert graph.metric == "Weighted()"


def test_groups_are_graphs_of_their_own(backend, device, rng):
    x = torch.as_tensor(rng.normal(size=(200, 4)), device=device)
    batch = torch.as_tensor(rng.choice([3, 0, 8], 200, p=[0.3, 0.3, 0.4]), device=device)
    batch[:2] = torch.tensor([55, 77])  # groups of one
    batch[2:6] = 99  # a group smaller than k + 1
    graph = d2pyg.knn_graph(x, 5, batch=batch, backend=backend)
    expected = []
    lists = oracle.neighbors(oracle.distances(x.cpu()), 5, batch.tolist())
    for target, sources in enumerate(lists):
        expected += [[source, target] for source in sources]
    assert graph.edge_index.T.tolist() == expected
    assert graph.num_nodes == 200


@pytest.mark.parametrize("name", ["blobs", "duplicates", "integers with ties", "float16"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_packed_groups_are_the_graphs_of_each_group(name, metric, device, rng, monkeypatch):
    """Groups of all sizes, packed and not, with rows in doubt among them."""
    x = torch.as_tensor(data(name).copy(), device=device)
    batch = torch.as_tensor(rng.geometric(0.06, len(x)), device=device)
    packed = d2pyg.knn_graph(x, 6, batch=batch, metric=metric, backend="torch")
    monkeypatch.setattr("d2pyg.graph.groups.packable", lambda sizes, *_: sizes > len(x))
    single = d2pyg.knn_graph(x, 6, batch=batch, metric=metric, backend="torch")
    assert packed.edge_index.equal(single.edge_index)
    assert packed.edge_attr.equal(single.edge_attr)


def test_a_thousand_groups_are_searched_in_a_few_packs(rng, monkeypatch):
    made = []
    honest = Pack.neighbors

    def counted(pack, k):
        made.append(pack.member.shape)
        return honest(pack, k)

    monkeypatch.setattr(Pack, "neighbors", counted)
    batch = np.arange(1000).repeat(13)
    graph = d2pyg.knn_graph(rng.normal(size=(13_000, 4)), 3, batch=batch)
    assert made == [(1000, 13)]
    assert (batch[graph.edge_index[0]] == batch[graph.edge_index[1]]).all()


def test_groups_are_packed_only_where_their_samples_fit_too():
    sizes = torch.tensor([1, 2, 1000, 3000])
    assert packable(sizes, 10, 1e9).tolist() == [False, True, True, False]
    assert packable(sizes, 10_000, 1e8).tolist() == [False, True, False, False]


def test_memory_mapped_files_are_read_in_place(tmp_path, backend):
    x = data("float16")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, two = (d2pyg.knn_graph(e, 5, backend=backend) for e in (x, mapped))
    assert one.edge_index.equal(two.edge_index)
    assert one.edge_attr.equal(two.edge_attr)


def test_cosine_distance_keeps_small_angles():
    x = torch.tensor([1.0, 0.0], dtype=torch.float64)
    y = torch.tensor([1.0, 1e-9], dtype=torch.float64)
    assert CosineMetric().distance(x, y).item() == pytest.approx(0.5e-18)
    assert CosineMetric().distance(x * 1e300, y * 1e-300).item() == pytest.approx(0.5e-18)


@pytest.mark.parametrize("has_gpus", [False, True])
def test_faiss_searches_on_the_gpu_where_it_can(has_gpus):
    class Faiss:
        def index_cpu_to_gpu(self, resources, number, index):
            return resources, number, index

    faiss = Faiss()
    if has_gpus:
        faiss.StandardGpuResources = lambda: "resources"
    found = faiss_backend._on_device(faiss, "index", torch.device("cuda:1"))
    assert found == (("resources", 1, "index") if has_gpus else "index")
    assert faiss_backend._on_device(faiss, "index", torch.device("cpu")) == "index"


class TestErrors:
    def refused(self, match, x, k=1, error=ValueError, **options):
        with pytest.raises(error, match=match):
            d2pyg.knn_graph(x, k, **options)

    def test_k(self):
        x = np.eye(4)
        self.refused(r"'k' to be between 1 and 3, one less than the 4 samples \(got 0\)", x, 0)
        self.refused(r"\(got 4\)", x, 4)
        self.refused(r"'k' to be a whole number \(got float 2.0\)", x, 2.0, TypeError)

    def test_names(self):
        names = "cosine, euclidean, inner_product, mahalanobis"
        self.refused(f"'metric' to be one of {names}", np.eye(4), metric="l1")
        self.refused(
            "'backend' to be one of cells, faiss, pyg_lib, pynndescent, torch, torch_cluster",
            np.eye(4),
            backend="annoy",
        )

    def test_batch(self):
        self.refused("'batch' to have one value for each of the 4", np.eye(4), batch=[0])
        self.refused("'batch' to be integers", np.eye(4), error=TypeError, batch=np.ones(4))

    def test_too_large_or_small_to_square(self):
        self.refused("'embeddings' to differ by 1e-150 to 1e150", np.eye(4) * 1e200)
        self.refused("'embeddings' to differ by 1e-150 to 1e150", np.eye(4) * 1e-170)

    @pytest.mark.parametrize(
        ("backend", "pip_line"),
        [
            ("faiss", "package faiss-cpu. Install it with: pip install faiss-cpu"),
            ("torch_cluster", "package torch-cluster. Install it with: pip install --no-build-isolation torch-cluster"),
            ("pynndescent", "package pynndescent. Install it with: pip install pynndescent"),
            ("pyg_lib", r"package pyg-lib. Install it with: pip install 'pyg-lib>=0.6' -f https://data.pyg.org/whl/torch-2\.\d+\.0\+"),
        ],
    )  # fmt: skip
    def test_a_missing_package_names_its_pip_line(self, backend, pip_line, monkeypatch):
        monkeypatch.setitem(sys.modules, backend, None)
        with pytest.raises(ImportError, match=pip_line):
            d2pyg.knn_graph(np.eye(4), 1, backend=backend)

    def test_a_broken_package_is_not_called_missing(self, tmp_path, monkeypatch):
        (tmp_path / "half_installed.py").write_text("import something_it_needs")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(ModuleNotFoundError, match="something_it_needs"):
            require("half_installed", "half-installed")


@pytest.mark.parametrize(
    ("find", "error", "match"),
    [
        (print, TypeError, r"float64, both of shape \(9, 2\) \(got NoneType from print\)"),
        (lambda: 0, TypeError, r"'backend' to be called as others of its kind are \(got <lambda>"),
        (lambda points, k, bar: (torch.zeros(9, k).long(),), TypeError, r"got int64 \(9, 2\) from"),
        (lambda points, k, bar: (torch.zeros(9, k).long(), torch.zeros(9).double()), TypeError, r"float64 \(9,\) from"),
        (lambda points, k, bar: (torch.full((9, k), 9), torch.zeros(9, k).double()), ValueError, "in 0 to 8 .got 9 to 9"),
        (lambda points, k, bar: (torch.full((9, k), -1), torch.zeros(9, k).double()), ValueError, "in 0 to 8 .got -1 to -1"),
    ],
)  # fmt: skip
def test_what_is_no_backend(find, error, match, capsys):
    with pytest.raises(error, match=match):
        d2pyg.knn_graph(torch.eye(9), 2, backend=find)
