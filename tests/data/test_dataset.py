"""take and prune_dataset: each kind of data set, row by row."""

import numpy as np
import pytest
import torch
from pyg_cases import graph
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset
from torch_geometric.data import Batch, Data, Dataset, InMemoryDataset
from torch_geometric.nn import global_mean_pool

import d2pyg

N = 12
X = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
CORESET = d2pyg.select(X, scores=range(N), keep=0.5)
PICKED = CORESET.index.tolist()
ORDERED = sorted(PICKED)
ORDERS = [("dataset", ORDERED), ("picked", PICKED)]
TEXTS = [f"text {i}" for i in range(N)]
assert PICKED != ORDERED


class InMemory(InMemoryDataset):
    def __init__(self, graphs):
        super().__init__()
        self.data, self.slices = self.collate(graphs)


class Computed(Dataset):
    """Graphs that are made when they are asked for."""

    def len(self):
        return N

    def get(self, idx):
        return Data(number=idx, num_nodes=1)


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return i * i


class Endless(IterableDataset):
    def __iter__(self):
        yield 0


class Unsized(torch.utils.data.Dataset):
    def __getitem__(self, i):
        return i


@pytest.fixture(params=ORDERS, ids=["dataset", "picked"])
def order(request):
    return request.param


def test_graphs(order):
    how, rows = order
    dataset = InMemory([Data(number=i, x=torch.randn(i + 1, 2)) for i in range(N)])
    kept = d2pyg.take(dataset, CORESET, order=how)
    assert type(kept) is InMemory
    assert [one.number for one in kept] == rows
    assert [one.num_nodes for one in kept] == [i + 1 for i in rows]
    assert len(dataset) == N
    # a part of a data set is a data set: indices are counted in it
    half = d2pyg.take(dataset[N // 2 :], d2pyg.select(X[N // 2 :], budget=2), order=how)
    assert all(one.number >= N // 2 for one in half)

    kept = d2pyg.take(Computed(), CORESET, order=how)
    assert type(kept) is Computed
    assert [one.number for one in kept] == rows


def test_data_sets_of_torch(order):
    how, rows = order
    for dataset in (
        Squares(),
        ConcatDataset([Subset(Squares(), range(5)), Subset(Squares(), range(5, N))]),
    ):
        kept = d2pyg.take(dataset, CORESET, order=how)
        assert isinstance(kept, Subset)
        assert [kept[i] for i in range(len(kept))] == [i * i for i in rows]
    (kept,) = zip(*d2pyg.take(TensorDataset(X), CORESET, order=how), strict=True)
    assert torch.equal(torch.stack(kept), X[rows])


def test_arrays(order, device, tmp_path):
    how, rows = order
    kept = d2pyg.take(X.to(device), CORESET, order=how)
    assert kept.device == X.to(device).device
    assert torch.equal(kept.cpu(), X[rows])
    assert torch.equal(d2pyg.take(X.to_sparse(), CORESET, order=how).to_dense(), X[rows])
    np.save(tmp_path / "x.npy", X.numpy())
    for array in (X.numpy(), np.load(tmp_path / "x.npy", mmap_mode="r")):
        kept = d2pyg.take(array, CORESET, order=how)
        assert np.array_equal(kept, X.numpy()[rows])
        assert not np.shares_memory(kept, array)


def test_lists_tuples_and_dicts(order):
    how, rows = order
    texts = [TEXTS[i] for i in rows]
    assert d2pyg.take(TEXTS, CORESET, order=how) == texts
    x, (numbers, kept) = d2pyg.take((X, (np.arange(N), TEXTS)), CORESET, order=how)
    assert torch.equal(x, X[rows])
    assert numbers.tolist() == rows
    assert kept == texts
    columns = d2pyg.take({"x": X, "text": TEXTS}, CORESET, order=how)
    assert list(columns) == ["x", "text"]
    assert columns["text"] == texts
    graphs = [graph(3, seed) for seed in range(N)]
    assert d2pyg.take(graphs, CORESET, order=how) == [graphs[i] for i in rows]


def test_tables_of_arrow(order):
    pa = pytest.importorskip("pyarrow")
    how, rows = order
    table = pa.table({"number": list(range(N)), "text": TEXTS})
    kept = d2pyg.take(table, CORESET, order=how)
    assert isinstance(kept, pa.Table)
    assert kept.equals(pa.table({"number": rows, "text": [TEXTS[i] for i in rows]}))
    assert d2pyg.take(table["number"], CORESET, order=how).to_pylist() == rows
    assert d2pyg.take(table.to_batches()[0], CORESET, order=how)["number"].to_pylist() == rows


def test_text_beyond_32_bit_offsets(order, monkeypatch):
    pa = pytest.importorskip("pyarrow")
    how, _ = order
    columns = {
        "text": TEXTS,
        "file": [{"bytes": text.encode(), "path": text} for text in TEXTS],
        "words": [text.split() for text in TEXTS],
        "lines": [[[text]] for text in TEXTS],
        "pair": pa.array([[text, text] for text in TEXTS], pa.list_(pa.string(), 2)),
        "missing": [None, *TEXTS[1:]],
        "number": range(N),
        "key": pa.array(TEXTS).dictionary_encode(),
    }
    table = pa.table(columns)
    table = pa.concat_tables([table[:5], table[5:]])
    wide = {
        "text": pa.large_string(),
        "file": pa.struct({"bytes": pa.large_binary(), "path": pa.large_string()}),
        "words": pa.large_list(pa.large_string()),
        "lines": pa.large_list(pa.large_list(pa.large_string())),
        "pair": pa.list_(pa.large_string(), 2),
        "missing": pa.large_string(),
        "number": pa.int64(),
        "key": table.schema.field("key").type,
    }
    kept = d2pyg.take(table, CORESET, order=how)
    assert kept.schema == table.schema
    monkeypatch.setattr("d2pyg.data.tables._REACH", 10)
    wider = d2pyg.take(table, CORESET, order=how)
    assert wider.to_pylist() == kept.to_pylist()
    assert wider.column_names == table.column_names
    for name, kind in wide.items():
        assert wider[name].type.equals(kind), name
        assert d2pyg.take(table[name], CORESET, order=how).type.equals(kind), name
    # one chunk, whose offsets reach by themselves
    batch = d2pyg.take(table.combine_chunks().to_batches()[0], CORESET, order=how)
    assert batch.to_pylist() == kept.to_pylist()
    assert batch.schema == table.schema


def test_what_has_no_rows_in_arrow():
    pa = pytest.importorskip("pyarrow")
    for unknown in pa.py_buffer(b"abc"), pa.schema({"a": pa.int64()}), pa.scalar([1, 2]):
        with pytest.raises(TypeError, match=r"of known length \(got pyarrow.lib.*coreset.index of it"):
            d2pyg.take(unknown, [0])


def test_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.eye(9)[:, :4] + 1
    for layout in "csr", "csc", "coo":
        found = d2pyg.take(sparse.coo_matrix(dense).asformat(layout), [7, 2])
        assert np.array_equal(found.toarray(), dense[[2, 7]])


@pytest.mark.extensions
def test_frames_of_pandas(order):
    pd = pytest.importorskip("pandas")
    how, rows = order
    frame = pd.DataFrame({"number": range(N), "text": TEXTS}, index=[f"row {i}" for i in range(N)])
    kept = d2pyg.take(frame, CORESET, order=how)
    pd.testing.assert_frame_equal(kept, frame.loc[[f"row {i}" for i in rows]])
    pd.testing.assert_series_equal(d2pyg.take(frame.text, CORESET, order=how), kept.text)
    assert d2pyg.take(frame.index, CORESET, order=how).equals(kept.index)
    assert d2pyg.take(frame.number.array, CORESET, order=how).tolist() == rows
    for unknown in frame.groupby("text"), frame.groupby("text").number:
        with pytest.raises(TypeError, match=r"of known length \(got pandas.*GroupBy"):
            d2pyg.take(unknown, [0])


@pytest.mark.extensions
def test_frames_of_polars(order):
    pl = pytest.importorskip("polars")
    how, rows = order
    frame = pl.DataFrame({"number": range(N), "text": TEXTS})
    kept = d2pyg.take(frame, CORESET, order=how)
    assert kept.to_dict(as_series=False) == {"number": rows, "text": [TEXTS[i] for i in rows]}
    assert d2pyg.take(frame["number"], CORESET, order=how).to_list() == rows
    with pytest.raises(TypeError, match=r"of known length \(got polars.*LazyFrame"):
        d2pyg.take(frame.lazy(), CORESET)


@pytest.mark.extensions
def test_data_sets_of_hugging_face(order):
    datasets = pytest.importorskip("datasets")
    how, rows = order
    dataset = datasets.Dataset.from_dict({"number": list(range(N)), "text": TEXTS}).with_format("numpy")
    kept = d2pyg.take(dataset, CORESET, order=how)
    assert isinstance(kept, datasets.Dataset)
    assert list(kept["number"]) == rows
    assert kept.format == dataset.format
    first = d2pyg.take(dataset, range(5), order=how)
    assert first.to_dict() == dataset.select(range(5)).to_dict()
    splits = datasets.DatasetDict({"train": dataset, "test": dataset})
    assert d2pyg.take(splits["train"], CORESET).num_rows == len(rows)
    stream = dataset.to_iterable_dataset()
    for unknown in stream, dataset.features["number"]:
        with pytest.raises(TypeError, match=r"of known length \(got datasets.*Take the samples"):
            d2pyg.take(unknown, CORESET)

    class Splits(datasets.DatasetDict):
        pass

    for unknown in splits, Splits(splits), datasets.IterableDatasetDict({"train": stream}):
        with pytest.raises(
            TypeError, match=r"got .*\). Pass one of its splits, such as dataset\['train'\]"
        ):
            d2pyg.take(unknown, CORESET)


@pytest.mark.extensions
def test_columns_of_hugging_face(order):
    datasets = pytest.importorskip("datasets", minversion="4")
    how, rows = order
    columns = {"number": list(range(N)), "text": TEXTS, "parts": [{"x": i} for i in range(N)]}
    dataset = datasets.Dataset.from_dict(columns)
    assert d2pyg.take(dataset["text"], CORESET, order=how) == [TEXTS[i] for i in rows]
    numbers = d2pyg.take(dataset.with_format("numpy")["number"], CORESET, order=how)
    assert type(numbers) is list
    assert numbers == rows
    assert d2pyg.take(dataset["parts"]["x"], CORESET, order=how) == rows
    assert d2pyg.take(dataset["text"], []) == []
    x, texts = d2pyg.take((X, dataset["text"]), CORESET, order=how)
    assert torch.equal(x, X[rows])
    assert texts == [TEXTS[i] for i in rows]
    with pytest.raises(TypeError, match=r"of known length \(got datasets.*IterableColumn"):
        d2pyg.take(dataset.to_iterable_dataset()["text"], CORESET)
    vectors = datasets.Dataset.from_dict({"x": X.tolist()})["x"]
    assert d2pyg.select(vectors, keep=0.5).index.equal(d2pyg.select(X, keep=0.5).index)


def test_indices_serve_as_a_coreset():
    for index in (CORESET.index[:3], CORESET.index[:3].numpy(), PICKED[:3]):
        assert d2pyg.take(TEXTS, index, order="picked") == [TEXTS[i] for i in PICKED[:3]]
    assert d2pyg.take(TEXTS, []) == []


@pytest.mark.parametrize(
    ("method", "settings", "same"),
    [
        ("d2", {"keep": 0.5, "k": 3, "labels": [0, 1] * 6}, d2pyg.select),
        ("k_center", {"budget": 4}, d2pyg.baselines.k_center),
        ("random", {"prune": 0.25, "seed": 3}, d2pyg.baselines.random),
        (d2pyg.baselines.hardest, {"keep": 0.5}, d2pyg.baselines.hardest),
    ],
)
def test_prune_dataset(order, method, settings, same):
    how, _ = order
    scores = np.arange(N)[::-1]
    index = same(X, scores, **settings).index
    kept = d2pyg.prune_dataset((TEXTS, X), X, scores, method=method, order=how, **settings)
    rows = index.tolist() if how == "picked" else sorted(index.tolist())
    assert kept[0] == [TEXTS[i] for i in rows]
    assert torch.equal(kept[1], X[rows])


def test_embeddings_of_each_kind():
    expected = d2pyg.prune_dataset(TEXTS, X, keep=0.5, k=3)
    assert d2pyg.prune_dataset(TEXTS, X.numpy(), keep=0.5, k=3) == expected
    assert d2pyg.prune_dataset(TEXTS, d2pyg.knn_graph(X, 3), keep=0.5) == expected
    both = d2pyg.graph.Joined([X, X])
    assert d2pyg.prune_dataset(TEXTS, both, keep=0.5, k=3) == d2pyg.prune_dataset(
        TEXTS, [X, X], keep=0.5, k=3
    )
    hardest = d2pyg.prune_dataset(TEXTS, None, range(N), budget=2, method="hardest")
    assert hardest == TEXTS[-2:]


def test_graphs_by_the_mean_of_their_nodes():
    dataset = InMemory([graph(5 + i, seed=i) for i in range(N)])
    batch = Batch.from_data_list(list(dataset))
    pooled = global_mean_pool(batch.x, batch.batch)
    kept = d2pyg.prune_dataset(dataset, pooled, keep=0.25, k=3)
    index = d2pyg.select(torch.stack([one.x.mean(0) for one in dataset]), keep=0.25, k=3).index
    assert [one.name for one in kept] == [f"graph {i}" for i in sorted(index.tolist())]


@pytest.mark.parametrize(
    ("dataset", "error", "match"),
    [
        (
            Endless(),
            TypeError,
            r"'dataset' to be a data set .* of known length \(got .*Endless\).*coreset.index",
        ),
        ("rows.jsonl", TypeError, r"got builtins.str\). For files of a data set, call d2pyg.take_files"),
        (Unsized(), TypeError, r"of known length \(got .*Unsized"),
        (graph(N, 0), TypeError, r"got torch_geometric.data.data.Data"),
        ("text", TypeError, r"got builtins.str"),
        (torch.tensor(3), TypeError, r"got torch.Tensor"),
        ((X, "text"), TypeError, r"'dataset\[1\]' to be a data set"),
        (
            {"x": X, "y": X[:5]},
            ValueError,
            r"parts of 'dataset' to have the same number of samples \(got 12, 5\)",
        ),
        ((), ValueError, r"the same number of samples \(got no parts\)"),
        (X[:5], ValueError, r"'coreset' to be of the 5 samples of the data set \(got one of 12\)"),
    ],
)
def test_wrong_data_sets(dataset, error, match):
    with pytest.raises(error, match=match):
        d2pyg.take(dataset, CORESET)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"'coreset' to lie in 0 to 11, the samples \(got 12\)"):
        d2pyg.take(TEXTS, [3, 12])
    with pytest.raises(ValueError, match=r"'order' to be one of dataset, picked \(got 'random'\)"):
        d2pyg.take(TEXTS, CORESET, order="random")
    with pytest.raises(ValueError, match=r"'order' to be one of dataset, picked"):
        d2pyg.prune_dataset(TEXTS, X, keep=0.5, order="random")
    with pytest.raises(ValueError, match=r"'method' to be one of ccs, d2, .*got 'best'"):
        d2pyg.prune_dataset(TEXTS, X, keep=0.5, method="best")
    with pytest.raises(TypeError, match=r"'method' to be called as others .*\(got d2: .*'neighbors'"):
        d2pyg.prune_dataset(TEXTS, X, keep=0.5, neighbors=3)
    with pytest.raises(TypeError, match=r"'method' to be called as others of its kind are \(got int"):
        d2pyg.prune_dataset(TEXTS, X, keep=0.5, method=int)
    with pytest.raises(ValueError, match=r"exactly one of 'keep'"):
        d2pyg.prune_dataset(TEXTS, X)
    for embeddings in (
        X[:5],
        X[:5].numpy(),
        [X[:5], X[:5]],
        d2pyg.graph.Joined([X[:5]]),
        d2pyg.knn_graph(X[:5], 2),
    ):
        with pytest.raises(
            ValueError, match=r"'embeddings' of each of the 12 samples of the data set \(got 5\)"
        ):
            d2pyg.prune_dataset(TEXTS, embeddings, keep=0.5)
    with pytest.raises(
        TypeError, match=r"'embeddings' to be a tensor, an array or a kNN graph \(got str\)"
    ):
        d2pyg.prune_dataset(TEXTS, "embeddings", keep=0.5)
