"""What users' arrays, lists and columns become, and what is refused, with a way out that works."""

import re
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg import baselines, metrics, scores
from d2pyg._base.checks import (
    as_count,
    as_embeddings,
    as_index,
    as_real,
    as_scores,
    as_tensor,
)
from d2pyg._base.labels import as_labels

N = 10
X = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
LABELS = np.arange(N) % 3
GRAPH = d2pyg.knn_graph(X, 3)


def masked(array, at=7):
    mask = np.zeros(np.shape(array), dtype=bool)
    mask[at] = True
    return np.ma.masked_array(array, mask)


def column(rows):
    found = np.empty(len(rows), dtype=object)
    found[:] = list(rows)
    return found


ONES = np.ones(N)
LOGITS = np.zeros((2, N, 3))
MASKED = {
    "embeddings": lambda: d2pyg.select(masked(X), budget=3),
    "embeddings[1]": lambda: d2pyg.select([X, masked(X)], budget=3),
    "scores": lambda: d2pyg.select(X, masked(ONES), budget=3),
    "labels": lambda: d2pyg.select(X, labels=masked(LABELS), budget=3),
    "initial": lambda: d2pyg.select(X, initial=masked(np.arange(8)), budget=1),
    "ids": lambda: d2pyg.select(X, ids=masked(np.arange(N)), budget=3),
    "batch": lambda: d2pyg.knn_graph(X, 2, batch=masked(LABELS)),
    "held_out": lambda: metrics.aucpr(X, [1], held_out=masked(X)),
    "index": lambda: metrics.coverage_radius(X, masked(np.arange(N))),
    "coreset": lambda: d2pyg.take([*range(N)], masked(np.arange(N))),
    "logits": lambda: scores.aum(masked(LOGITS, (0, 7)), LABELS),
    "labels of scores": lambda: scores.aum(LOGITS, masked(LABELS)),
    "confidence": lambda: baselines.dual(None, ONES, budget=3, confidence=masked(ONES)),
    "scores of greedy_select": lambda: d2pyg.greedy_select(masked(ONES), GRAPH, 3),
    "scores in a list": lambda: d2pyg.select(X, [*range(7), np.ma.masked, 8, 9], budget=3),
    "labels of metrics": lambda: metrics.class_counts(masked(LABELS), [0]),
}


@pytest.mark.parametrize("name", MASKED)
def test_masked_arrays(name):
    argument = re.escape(name.split(" ")[0])
    with pytest.raises(
        TypeError, match=rf"'{argument}(\[\d\])?' to have no masked values \(got \d+, the first at row"
    ):
        MASKED[name]()


def test_masked_arrays_count_and_way_out():
    values = np.ma.masked_greater(np.array([1.0, 9.0, 2.0, 9.0]), 5)
    match = (
        r"'x' to have no masked values \(got 2, the first at row 1\). Fill them with x.filled\(value\)"
    )
    with pytest.raises(TypeError, match=match):
        as_tensor("x", values)
    assert as_tensor("x", values.filled(0)).tolist() == [1, 0, 2, 0]
    with pytest.raises(
        TypeError, match=r"'x' .* \(got 2, the first at row 1\). Fill them with a number"
    ):
        as_tensor("x", [1.0, np.ma.masked, np.ma.masked])
    with pytest.raises(TypeError, match=r"'x\[1\]' .* \(got 1, the first at row 2\)"):
        as_tensor("x", [[1.0, 2.0, 3.0], [1.0, 2.0, np.ma.masked]])


def test_masked_arrays_with_nothing_masked():
    whole = np.ma.masked_array(X, mask=False)
    assert as_tensor("x", whole).equal(torch.as_tensor(X))
    assert as_tensor("x", np.ma.masked_array(X)).equal(torch.as_tensor(X))
    assert as_tensor("x", np.ma.masked_array([1, 2], mask=[False, False])).tolist() == [1, 2]


@pytest.mark.filterwarnings("ignore:.*MaskedTensors is in prototype")
def test_masked_tensors():
    values, mask = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([True, False, True])
    one = torch.masked.masked_tensor(values, mask)
    with pytest.raises(TypeError, match=r"\(got 1, the first at row 1\). Fill them with x.to_tensor"):
        as_tensor("x", one)
    assert as_tensor("x", one.to_tensor(0)).tolist() == [1, 0, 3]
    assert as_tensor("x", torch.masked.masked_tensor(values, values > 0)).equal(values)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([1.0, None, None]), r"\(got 2 such as None, the first at row 1\)"),
        (np.array([1.0, 2.0, float("nan")], dtype=object), r"\(got 1 such as nan, the first at row 2\)"),
        (["a", None], r"\(got 1 such as None, the first at row 1\). Fill them in, or leave out"),
        ([[1.0, 2.0], [3.0, None]], r"\(got 1 such as None, the first at row 1\)"),
        (column([[1.0], [None]]), r"\(got 1 such as None, the first at row 1\)"),
    ],
)
def test_missing_values(values, match):
    for check in (
        lambda: as_tensor("x", values),
        lambda: as_labels("x", values, len(values)),
        lambda: as_index("x", values, None),
    ):
        with pytest.raises(TypeError, match=f"'x' to have no missing values {match}"):
            check()


@pytest.mark.extensions
def test_missing_values_of_pandas():
    pd = pytest.importorskip("pandas")
    for values in (
        np.array([1, pd.NA], dtype=object),
        pd.Series(["a", None], dtype="string"),
        pd.Series([pd.NaT, 1], dtype=object),
    ):
        with pytest.raises(TypeError, match="'labels' to have no missing values"):
            as_labels("labels", values, 2)
    numbers = pd.Series([1, None, 3], dtype="Int64")
    for check in as_labels, lambda name, values, count: as_scores(values, count):
        with pytest.raises((TypeError, ValueError), match=r"(finite|no missing values) .* row 1"):
            check("labels", numbers, 3)
    assert as_labels("labels", pd.Series([1, 2], dtype="Int64"), 2).tolist() == [1, 2]


def test_columns_of_vectors():
    for rows in (
        list(X),
        X.tolist(),
        [tuple(row) for row in X.tolist()],
        [torch.as_tensor(row) for row in X],
    ):
        found = as_embeddings(column(rows))
        torch.testing.assert_close(found, torch.as_tensor(X, dtype=found.dtype))
    expected = d2pyg.select(X, keep=0.5).index
    assert d2pyg.select(column(X), keep=0.5).index.equal(expected)
    both = d2pyg.knn_graph([X, X[:, :1]], 2)
    assert d2pyg.knn_graph([column(X), column(X[:, :1])], 2).edge_attr.equal(both.edge_attr)
    with pytest.raises(ValueError, match=r"'embeddings' to be an array of one shape .*several lengths"):
        d2pyg.select(column([[1.0], [1.0, 2.0]]), budget=1)


@pytest.mark.parametrize("kind", [list, tuple])
def test_lists_of_rows(kind):
    expected = d2pyg.select(X, keep=0.5).index
    assert d2pyg.select(kind(X), keep=0.5).index.equal(expected)
    tensors = kind(torch.as_tensor(X))
    assert d2pyg.select(tensors, keep=0.5).index.equal(expected)
    assert d2pyg.prune_dataset([*range(N)], tensors, keep=0.5) == sorted(expected.tolist())
    learned = kind(torch.nn.Parameter(row) for row in torch.as_tensor(X))
    assert d2pyg.select(learned, keep=0.5).index.equal(expected)


def test_lists_of_several_embeddings_stay_joined():
    pair = [torch.as_tensor(X), X[:, :1]]
    assert d2pyg.knn_graph(pair, 2).edge_attr.equal(
        d2pyg.knn_graph(d2pyg.graph.Joined(pair), 2).edge_attr
    )


@pytest.mark.parametrize("join", ["torch.cat", "numpy.concatenate"])
def test_samples_that_look_like_embeddings_of_one_sample(join):
    rows = [torch.as_tensor(row)[None] for row in X]
    if join == "numpy.concatenate":
        rows = [row.numpy() for row in rows]
    match = rf"more than one sample \(got 10 arrays of one row\).*pass {join}\(embeddings\)"
    with pytest.raises(ValueError, match=match):
        d2pyg.select(rows, keep=0.5)
    joined = {"torch.cat": torch.cat, "numpy.concatenate": np.concatenate}[join](rows)
    assert d2pyg.select(joined, keep=0.5).index.equal(d2pyg.select(X, keep=0.5).index)
    with pytest.raises(ValueError, match=rf"got \[3, 7\] rows.*belong into {join}\(embeddings\)"):
        d2pyg.select([joined[:3], joined[3:]], keep=0.5)


def test_lists_of_losses():
    losses = [torch.tensor(float(i), requires_grad=True) for i in range(N)]
    assert as_scores(losses, N).tolist() == [*range(N)]
    assert as_scores([*losses[:-1], 9.0], N).tolist() == [*range(N)]
    with pytest.raises(ValueError, match=r"one shape \(got tensors of shape \(\) and \(1,\)\)"):
        as_scores([*losses[:-1], torch.ones(1)], N)


def test_bfloat16_of_a_file_bit_by_bit(tmp_path):
    bits = torch.arange(-300, 300, dtype=torch.int16).reshape(100, 6)
    wanted = bits.view(torch.bfloat16)
    stored = bits.numpy().view("V2")  # what numpy.load makes of the type that ml_dtypes saves
    np.save(tmp_path / "x.npy", stored)
    for array in (
        stored,
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        np.asfortranarray(stored),
        np.ascontiguousarray(stored[::-1])[::-1],
    ):
        found = as_tensor("x", array)
        assert found.dtype == torch.bfloat16
        assert found.view(torch.int16).equal(bits)
    x = torch.as_tensor(X).bfloat16()
    graph = d2pyg.knn_graph(x.view(torch.int16).numpy().view("V2"), 2)
    assert graph.edge_attr.equal(d2pyg.knn_graph(x, 2).edge_attr)
    assert wanted.dtype == torch.bfloat16


@pytest.mark.extensions
def test_bfloat16_of_ml_dtypes(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = X.astype(ml_dtypes.bfloat16)
    np.save(tmp_path / "x.npy", array)
    for one in array, np.load(tmp_path / "x.npy"):
        assert as_tensor("x", one).equal(torch.as_tensor(X).bfloat16())
    small = X.astype(ml_dtypes.float8_e4m3fn)
    with pytest.raises(TypeError, match=r"Pass numpy.asarray\(embeddings, dtype='float32'\)"):
        d2pyg.select(small, budget=3)
    d2pyg.select(np.asarray(small, dtype="float32"), budget=3)


@pytest.mark.parametrize(
    "array",
    [
        X.astype(">f4"),
        X[::-1],
        np.asfortranarray(X),
        np.lib.stride_tricks.as_strided(X, writeable=False),
        X.astype(np.float16),
    ],
    ids=["big-endian", "backwards", "fortran", "read-only", "half"],
)
def test_arrays_of_any_layout(array):
    assert as_tensor("x", array).numpy().tolist() == array.tolist()


def test_unsigned_tensors():
    for kind in torch.uint8, torch.uint16, torch.uint32, torch.uint64:
        found = as_tensor("x", torch.tensor([0, 200]).to(kind))
        assert found.tolist() == [0, 200]
        assert as_labels("x", torch.tensor([0, 200]).to(kind), 2).tolist() == [0, 200]
    large = torch.tensor([2**63], dtype=torch.uint64)
    with pytest.raises(ValueError, match=r"'x' to be below 2\*\*63 .*with x.double\(\)"):
        as_tensor("x", large)
    assert as_scores(large.double(), 1).tolist() == [2.0**63]


OBJECTS = np.array([[Fraction(1, 3), Decimal("2.5")], [1, 2]], dtype=object)
FOLLOWED = [  # what was passed, as what, and the call that its error has to advise
    (X.astype(object), "embeddings", "numpy.asarray(embeddings, dtype='float32')"),
    (X.astype(np.longdouble), "embeddings", "numpy.asarray(embeddings, dtype='float32')"),
    (OBJECTS, "embeddings", "numpy.asarray(embeddings, dtype='float32')"),
    (X.astype(complex), "embeddings", "numpy.abs(embeddings)"),
    (torch.as_tensor(X).to(torch.complex64), "embeddings", "embeddings.abs()"),
    (torch.as_tensor(X).to(torch.float8_e4m3fn), "embeddings", "embeddings.float()"),
    (torch.arange(6).view(3, 2), "embeddings", "embeddings.float()"),
    (np.arange(6).reshape(3, 2), "embeddings", "numpy.asarray(embeddings, dtype='float32')"),
    (X > 0, "embeddings", "numpy.asarray(embeddings, dtype='float32')"),
    (X[:, 0], "embeddings", "embeddings.reshape(len(embeddings), -1)"),
    (torch.as_tensor(X)[:, :, None], "embeddings", "embeddings.reshape(len(embeddings), -1)"),
    ([row[:, None] for row in X], "embeddings", None),
    (column([row[:, None] for row in X]), "embeddings", None),
    (torch.as_tensor(X).to_sparse(), "embeddings", "embeddings.to_dense()"),
    (["1.5", "2"], "scores", "numpy.asarray(scores, dtype='float32')"),
    ([True, False], "scores", "numpy.asarray(scores, dtype=float)"),
    (torch.tensor([True, False]), "scores", "scores.double()"),
    (torch.ones(2, dtype=torch.complex64), "scores", "scores.abs()"),
    ([10**30, 1], "scores", "numpy.asarray(scores, dtype='float32')"),
    ([Fraction(1, 3), Fraction(1, 2)], "scores", "numpy.asarray(scores, dtype='float32')"),
    (np.array([2**63], dtype=np.uint64), "scores", "numpy.asarray(scores).astype('float64')"),
    ([0.5, 1.5], "labels", "numpy.unique(labels, return_inverse=True)[1]"),
    (torch.tensor([0.5, 1.5]), "labels", "numpy.unique(labels, return_inverse=True)[1]"),
    ({1, 0}, "index", "sorted(index)"),
    ({1: "a", 0: "b"}.keys(), "scores", "list(scores)"),
    ([10**30, 5], "labels", "numpy.unique(labels, return_inverse=True)[1]"),
    ([-1, 5], "labels", "numpy.unique(labels, return_inverse=True)[1]"),
    (np.array(["2024-01-01"], dtype="M8[D]"), "labels", "numpy.unique(labels, return_inverse=True)[1]"),
    ([False, True], "index", "numpy.flatnonzero(index)"),
    (np.array([False, True]), "index", "numpy.flatnonzero(index)"),
    (torch.tensor([False, True]), "index", "index.nonzero().flatten()"),
    ([1.0, 0.0], "index", "numpy.asarray(index, dtype='int64')"),
    (torch.tensor([1.0]), "index", "numpy.asarray(index, dtype='int64')"),
    ([0.5, 1.5], "ids", "[str(name) for name in ids]"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "name", "advice"), FOLLOWED)
def test_advice_that_is_followed(values, name, advice):
    def check(given):
        if name == "embeddings":
            return as_embeddings(given)
        if name == "scores":
            return as_scores(given, len(given))
        if name == "labels":
            return as_labels("labels", given, len(given))
        if name == "ids":
            return d2pyg.select(X[: len(given)], ids=given, budget=1).ids
        return as_index("index", given, N)

    with pytest.raises((TypeError, ValueError)) as caught:
        check(values)
    text = str(caught.value)
    assert text.startswith(f"Expected '{name}")
    assert len(text) < 300
    if advice is None:
        advice = re.search(r"such as with (.*)\.$", text)[1]
    elif advice.startswith("numpy.asarray(scores).astype"):
        assert "numpy.asarray(scores).astype(str) for names or .astype('float64')" in text
    else:
        assert advice in text
    given = eval(advice, {"numpy": np, name: values, "coreset": values})
    check(given)


@pytest.mark.filterwarnings("ignore:.*quantize")
def test_quantized_tensors():
    quantized = torch.quantize_per_tensor(torch.as_tensor(X), 0.1, 0, torch.qint8)
    with pytest.raises(
        TypeError, match=r"'embeddings' to be a dense tensor .*embeddings.dequantize\(\)"
    ):
        as_embeddings(quantized)
    as_embeddings(quantized.dequantize())


def test_advice_for_sequences_of_other_packages():
    class Column(list):
        """Neither a list of arrays nor an array."""

    class Frame:
        def __array__(self, dtype=None, copy=None):
            return X.astype(dtype or X.dtype)

    expected = d2pyg.select(X, budget=3).index
    for values in Column(X.tolist()), Frame():
        assert d2pyg.select(values, budget=3).index.equal(expected)

    class Vectors:
        def __array__(self, dtype=None, copy=None):
            return column(X).astype(dtype or object)

    assert d2pyg.select(Vectors(), budget=3).index.equal(expected)


def test_matrices_of_scipy():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(X)
    for matrix in sparse, sparse.tocsc(), sparse.tolil(), sparse.tocoo():
        assert as_embeddings(matrix).is_contiguous()  # no second copy further on
        assert d2pyg.select(matrix, budget=3).index.equal(d2pyg.select(X, budget=3).index)
    counts = (9 * sparse).astype("int64")
    for kind in "int64", "uint8", "int16":
        found = as_embeddings(counts.astype(kind))
        assert found.equal(torch.as_tensor(counts.astype(kind).toarray(), dtype=torch.float32))
    assert as_embeddings(sparse > 0).dtype is torch.float32
    assert as_embeddings([sparse, counts][1]).dtype is torch.float32
    d2pyg.select([sparse, counts], budget=3)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", ["float64", "float32", "int64"])
def test_memory_of_sparse_matrices(layout, kind):
    """The dense rows, in their own type, and nothing of their size besides."""
    given = pytest.importorskip("scipy.sparse").random(4000, 3000, 0.01, layout, random_state=0)
    given = (99 * given).astype(kind)
    tracemalloc.start()
    try:
        rows = as_embeddings(given)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows.dtype is (torch.float64 if kind == "float64" else torch.float32)
    assert peak < 1.25 * rows.numel() * rows.itemsize


def test_a_coreset_is_no_value_of_samples():
    """Of any number of samples, also of all, where its indices would pass for scores."""
    everything = d2pyg.select(X, keep=1.0)
    for name in "scores", "labels", "ids":
        match = f"'{name}' to be values of all samples .got Coreset.*{name}.coreset.index"
        with pytest.raises(TypeError, match=match):
            d2pyg.select(X, **{name: everything}, budget=3)
    with pytest.raises(TypeError, match=r"'embeddings' to be values .*embeddings\[coreset.index\]"):
        d2pyg.select(everything, budget=3)
    assert d2pyg.metrics.overlap(everything, everything.index) == 1


def test_sparse_matrices_that_do_not_fit():
    sparse = pytest.importorskip("scipy.sparse").csr_matrix((10**7, 10**8))
    with pytest.raises(
        ValueError, match=r"'embeddings' to fit into memory as dense rows .*TruncatedSVD"
    ):
        d2pyg.select(sparse, budget=3)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (None, "NoneType"),
        (np.array(None), "a 0-d array of NoneType"),
        (np.array("a"), "a 0-d array of str"),
        ("file.npy", "str"),
        ({1, 2}, "set"),
        ({"a": 1}, "dict"),
        (object(), "object"),
        (np.array(1j), "a 0-d array of complex"),
    ],
)
def test_what_a_value_without_rows_is(values, got):
    with pytest.raises(
        TypeError, match=rf"'x' to hold numbers .*\(got {got}\). Pass a tensor or an array"
    ):
        as_tensor("x", values)


def test_tensors_without_rows():
    for values in np.array(3.0), torch.tensor(3.0):
        with pytest.raises(
            ValueError, match=r"'scores' to have one value for each .*\(got shape \(\)\)"
        ):
            as_scores(values, N)
        with pytest.raises(ValueError, match=r"'embeddings' to have two dimensions.*\(got shape \(\)\)"):
            as_embeddings(values)


def test_arrays_that_cannot_be_read():
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("gone")

    with pytest.raises(
        TypeError, match=r"'x' to be what numpy.asarray takes \(got Broken\). Pass an array"
    ):
        as_tensor("x", Broken())


@pytest.mark.parametrize("empty", [np.empty(0), np.empty(0, dtype=object), [], (), torch.empty(0)])
def test_empty(empty):
    assert as_tensor("x", empty).numel() == 0
    assert as_index("x", empty, 3).tolist() == []
    assert as_scores(empty, 0).tolist() == []
    for check in lambda: as_scores(empty, 3), lambda: as_embeddings(np.empty((0, 3))):
        with pytest.raises(ValueError, match=r"\(got shape \(0"):
            check()


class TestNegativeLabels:
    labels = np.array([0, -1, 2, -100])

    @pytest.mark.parametrize("name", ["labels", "batch"])
    def test_are_asked_about(self, name):
        runs = {
            "labels": lambda labels: d2pyg.select(X[:4], labels=labels, budget=2),
            "batch": lambda batch: d2pyg.knn_graph(X[:4], 1, batch=batch),
        }
        match = (
            rf"'{name}' to be at least 0 \(got 2 negative, the first at row 1: -1\). Leave unlabeled "
            rf"samples out; for a class of its own, pass numpy.unique\({name}, return_inverse=True\)\[1\]"
        )
        for labels in self.labels, self.labels.tolist(), torch.as_tensor(self.labels):
            with pytest.raises(ValueError, match=match):
                runs[name](labels)

    def test_where_labels_are_taken(self):
        negative = np.where(LABELS == 1, -1, LABELS)
        for run in (
            lambda: d2pyg.sweep(X, labels=negative, keep=0.5),
            lambda: baselines.random(X, labels=negative, keep=0.5),
            lambda: metrics.class_counts(negative, [0]),
            lambda: metrics.class_balance(negative, [0]),
            lambda: d2pyg.compare({"a": [0]}, labels=negative),
        ):
            with pytest.raises(ValueError, match=r"'labels' to be at least 0 .*row 1: -1"):
                run()

    def test_on_a_device(self, device):
        labels = torch.as_tensor(self.labels).to(device)
        call = "numpy.unique(labels, " if device.type == "cpu" else "labels.unique("
        with pytest.raises(ValueError, match=re.escape(f"pass {call}return_inverse=True)[1]")):
            as_labels("labels", labels, 4)


class TestNumbersBeyond64Bits:
    def test_counts(self):
        for large in 2**63, 10**30, np.uint64(2**63):
            with pytest.raises(ValueError, match=r"'k' to be below 2\*\*63 \(got .*\). Fewer."):
                as_count("k", large, 1, None, "", "Fewer.")
        assert as_count("k", 2**63 - 1, 1, None, "", "") == 2**63 - 1
        with pytest.raises(ValueError, match=r"'k' to be at least 1 \(got -1"):
            as_count("k", -(10**30), 1, None, "", "")
        with pytest.raises(
            ValueError, match=r"'k' to be between 1 and 5 \(got a number of too many digits\)"
        ):
            as_count("k", 10**5000, 1, 5, "", "")

    def test_integers_of_numpy_and_torch(self):
        for three in np.int8(3), np.uint64(3), np.array(3), torch.tensor(3), torch.tensor([3]):
            assert as_count("k", three, 1, 5, "", "") == 3
        for boolean in True, np.bool_(True), np.array(True), torch.tensor(True):
            with pytest.raises(TypeError, match="'k' to be a whole number"):
                as_count("k", boolean, 0, 5, "", "")
        with pytest.raises(TypeError, match="'k' to be a whole number"):
            as_count("k", torch.tensor(3, device="meta"), 0, 5, "", "")

    def test_real_numbers(self):
        for large in 10**400, Fraction(10**400), -(10**400), float("inf"):
            with pytest.raises(ValueError, match=r"'gamma' to be finite \(got inf\). Less."):
                as_real("gamma", large, "Less.")
        assert as_real("gamma", Fraction(1, 2), "") == 0.5

    @pytest.mark.parametrize(
        ("name", "run"),
        [
            ("min_per_class", lambda n: d2pyg.select(X, budget=3, min_per_class=n)),
            ("budget", lambda n: d2pyg.select(X, budget=n)),
            ("budget", lambda n: d2pyg.greedy_select(ONES, GRAPH, n)),
            ("k", lambda n: d2pyg.knn_graph(X, n)),
            ("k", lambda n: d2pyg.sweep(X, keep=0.5, k=[2, n])),
            ("k", lambda n: d2pyg.transforms.EmbeddingKNNGraph(n)),
            ("k", lambda n: d2pyg.transforms.D2Prune(keep=0.5, k=n)),
            ("bins", lambda n: metrics.score_entropy(ONES, bins=n)),
            ("num_samples", lambda n: d2pyg.CoresetSampler([1], num_samples=n)),
            ("seed", lambda n: d2pyg.CoresetSampler([1], seed=n)),
            ("epoch", lambda n: d2pyg.CoresetSampler([1]).set_epoch(n)),
            ("hops", lambda n: d2pyg.nn.ForwardMessagePassing(hops=n)),
            ("gamma", lambda n: d2pyg.nn.ForwardMessagePassing(gamma=n)),
            ("gamma_reverse", lambda n: d2pyg.select(X, budget=3, gamma_reverse=n)),
            ("scale", lambda n: d2pyg.select(X, budget=3, scale=n)),
            ("keep", lambda n: d2pyg.select(X, keep=n)),
            ("threshold", lambda n: metrics.near_duplicates(X, [1, 2], n)),
        ],
    )  # fmt: skip
    def test_settings(self, name, run):
        for large in 10**400, 10**5000:
            with pytest.raises(ValueError, match=rf"'{name}' to be .*\(got "):
                run(large)

    def test_counts_that_size_memory(self):
        with pytest.raises(
            ValueError, match=r"'bins' to be between 1 and 1000000 \(got 1000000000000\)"
        ):
            metrics.score_entropy(ONES, bins=10**12)
        data = d2pyg.transforms.EmbeddingKNNGraph(10**12)(Data(x=torch.as_tensor(X)))
        assert data.edge_index.shape == (2, N * (N - 1))
