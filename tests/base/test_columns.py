"""Columns and tables of other packages: the same result as the array that they hold."""

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import metrics
from d2pyg._base.checks import as_embeddings, as_scores
from d2pyg._base.labels import as_classes
from d2pyg._base.names import as_ids

N = 12
X = np.random.default_rng(0).normal(size=(N, 3))
SCORES = np.arange(N) / 2
NAMES = [f"n{i}" for i in range(N)]
CLASSES = ["dog", "cat", "cat"] * 4


INTEGERS = {"a": [3, 2**24, -1], "b": [0, 1, 2]}


def check_integers(table):
    """Features, though the table holds integers; exact, or refused."""
    found = as_embeddings(table)
    assert found.dtype is torch.float32
    assert found.tolist() == [list(row) for row in zip(*INTEGERS.values(), strict=True)]
    mixed = as_embeddings(remade(table, {**INTEGERS, "c": [True, False, True], "d": [0.5, 1.5, 2.5]}))
    assert mixed.tolist() == [[3, 0, 1, 0.5], [2**24, 1, 0, 1.5], [-1, 2, 1, 2.5]]
    flags = as_embeddings(remade(table, {"a": [True, False], "b": [True, True]}))
    assert flags.equal(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="at least one sample and one feature"):
        as_embeddings(remade(table, {}))
    larger = {**INTEGERS, "a": [3, 2**24 + 1, -1]}
    found = as_embeddings(remade(table, larger))
    assert found.dtype is torch.float64
    assert found[1].tolist() == [2**24 + 1, 1]
    with pytest.raises(ValueError, match=rf"integers that float64 holds exactly, .*got {2**53 + 2}\)"):
        as_embeddings(remade(table, {**INTEGERS, "a": [3, -(2**53) - 2, -1]}))


def remade(table, columns):
    """A table of the same package."""
    make = getattr(type(table), "from_dict", None) or getattr(type(table), "from_pydict", type(table))
    return make(columns)


def check_all(vectors, table, scores, names, classes):
    expected = d2pyg.select(X, SCORES, labels=np.arange(N) % 3 == 0, initial=[4], ids=NAMES, budget=5)
    for embeddings in (*vectors, table):
        assert as_embeddings(embeddings).tolist() == X.tolist()
        found = d2pyg.select(embeddings, scores, labels=classes, initial=names[4:5], ids=names, budget=5)
        assert found.index.equal(expected.index)
        assert found.ids.tolist() == NAMES
    counts = metrics.class_counts(classes, [0, 1])
    assert counts == {"cat": 1, "dog": 1}


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    rows = pa.array(X.tolist())
    chunked = pa.chunked_array([rows[:5], rows[5:]])
    vectors = [rows, chunked, pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 3)]
    vectors.append(pa.array([[9.0] * 3, *X.tolist()])[1:])
    check_all(
        vectors,
        pa.table(dict(zip("abc", X.T, strict=True))),
        pa.array(SCORES),
        pa.array(NAMES),
        pa.array(CLASSES).dictionary_encode(),
    )
    with pytest.raises(TypeError, match=r"'scores' to have no missing values \(got 1 .* row 1\)"):
        as_scores(pa.array([1.0, None, 2.0]), 3)
    with pytest.raises(ValueError, match=r"'embeddings' to be an array of one shape"):
        as_embeddings(pa.array([[1.0], [1.0, 2.0]]))
    mixed = pa.table({"a": X[:, 0], "text": NAMES})
    with pytest.raises(TypeError, match=r"1 of 2 columns .*Pass embeddings.drop_columns\(\['text'\]\)"):
        as_embeddings(mixed)
    as_embeddings(mixed.drop_columns(["text"]))
    check_integers(pa.table(INTEGERS))
    with pytest.raises(TypeError, match=r"Pass embeddings\['v'\]"):
        as_embeddings(pa.table({"v": rows, "text": NAMES}))


@pytest.mark.extensions
def test_pandas():
    pd = pytest.importorskip("pandas")
    series = pd.Series(list(X), index=range(N, 0, -1))
    check_all(
        [series], pd.DataFrame(X), pd.Series(SCORES, dtype="Float64"), pd.Index(NAMES),
        pd.Series(CLASSES, dtype="category"),
    )  # fmt: skip
    with pytest.raises(TypeError, match=r"no missing values \(got 1 such as NA, the first at row 1\)"):
        as_scores(pd.Series([1, None, 2], dtype="Int64"), 3)
    mixed = pd.DataFrame({"a": X[:, 0], "text": NAMES})
    with pytest.raises(TypeError, match=r"Pass embeddings.drop\(columns=\['text'\]\)"):
        as_embeddings(mixed)
    as_embeddings(mixed.drop(columns=["text"]))
    check_integers(pd.DataFrame(INTEGERS))
    names = pd.DataFrame({"size": [1, 2, 2], "color": ["red", "blue", "red"]})
    assert as_embeddings(pd.get_dummies(names)).tolist() == [[1, 0, 1], [2, 1, 0], [2, 0, 1]]
    nullable = pd.DataFrame({"a": pd.array([1, 2], "Int64"), "b": pd.array([True, False], "boolean")})
    assert as_embeddings(nullable).tolist() == [[1, 1], [2, 0]]
    with pytest.raises(TypeError, match="floating point of 16, 32 or 64"):
        as_embeddings(pd.Series([[5, 7], [9, 1]]))  # a column, such as of token ids


@pytest.mark.extensions
def test_polars():
    pl = pytest.importorskip("polars")
    check_all(
        [pl.Series(X.tolist()), pl.Series(X.tolist(), dtype=pl.Array(pl.Float64, 3))],
        pl.DataFrame(X), pl.Series(SCORES), pl.Series(NAMES), pl.Series(CLASSES, dtype=pl.Categorical),
    )  # fmt: skip
    with pytest.raises(TypeError, match=r"no missing values \(got 1 such as null, the first at row 1\)"):
        as_scores(pl.Series([1.0, None, 2.0]), 3)
    with pytest.raises(TypeError, match=r"Pass embeddings.collect\(\)"):
        as_embeddings(pl.LazyFrame(X))
    check_integers(pl.DataFrame(INTEGERS))


@pytest.mark.extensions
def test_datasets():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"x": X.tolist(), "s": SCORES, "name": NAMES, "y": CLASSES})
    table = datasets.Dataset.from_dict(dict(zip("abc", X.T, strict=True)))
    turned = data.select(range(N - 1, -1, -1))
    assert as_embeddings(turned["x"]).tolist() == X[::-1].tolist()
    check_all(
        [data["x"], data.with_format("torch")["x"], X.tolist()],
        table,
        data["s"],
        data["name"],
        data["y"],
    )
    check_integers(datasets.Dataset.from_dict(INTEGERS))
    with pytest.raises(TypeError, match="floating point of 16, 32 or 64"):
        as_embeddings(datasets.Dataset.from_dict({"input_ids": [[5, 7], [9, 1]]})["input_ids"])


@pytest.mark.extensions
def test_class_labels_of_datasets_have_names():
    datasets = pytest.importorskip("datasets", minversion="4.0")
    kinds = datasets.Features({"y": datasets.ClassLabel(names=["dog", "cat", "ant"])})
    labels = datasets.Dataset.from_dict({"y": [1, 0, 1, 1]}, features=kinds)["y"]
    assert metrics.class_counts(labels, [0, 1]) == {"dog": 1, "cat": 1}
    assert as_classes("labels", labels, 4)[0].tolist() == [1, 0, 1, 1]  # in the order of the integers
    with pytest.warns(UserWarning, match=r"label 'dog' \(0 of 1\)"):
        d2pyg.select(X[:4], [1, 9, 1, 1], labels=labels, cutoff=0.25, keep=0.5)


def test_classes():
    assert as_classes("labels", [True, False, True], 3)[1] == [False, True]
    assert as_classes("labels", np.array([b"b", b"a"]), 2)[1] == ["a", "b"]
    with pytest.warns(UserWarning, match=r"label 'cat' \(0 of 2\)"):
        d2pyg.select(X[:4], [1, 1, 9, 9], labels=["a", "a", "cat", "cat"], cutoff=0.5, keep=0.5)
    logits = np.eye(3)
    assert d2pyg.scores.aum(logits, ["a", "b", "c"]).equal(d2pyg.scores.aum(logits, [0, 1, 2]))
    with pytest.raises(ValueError, match=r"'labels' to name all of the 3 classes .*\(got 2\)"):
        d2pyg.scores.aum(logits, ["a", "b", "b"])


def test_coresets_of_other_orders_are_taken_by_name():
    first = d2pyg.select(X, SCORES, ids=NAMES, budget=3)
    again = d2pyg.select(X[::-1], SCORES[::-1], ids=NAMES[::-1], budget=3, initial=first)
    assert [NAMES[::-1][i] for i in again.settings["initial"]] == first.ids[first.index].tolist()
    with pytest.raises(ValueError, match=r"these 5 samples \(got one of 12\). Pass one"):
        d2pyg.select(X[:5], budget=1, initial=first)


def test_integer_names():
    ids = np.arange(N) + 1000
    by_name = d2pyg.select(X, ids=ids, budget=3, initial=[1004, 1001])
    assert by_name.settings["initial"] == [4, 1]
    assert d2pyg.select(X, ids=ids, budget=3, initial=[4, 1]).settings["initial"] == [4, 1]
    turned = d2pyg.select(X, ids=ids[::-1] - 1000, budget=3, initial=by_name.index)
    assert turned.settings["initial"] == by_name.index.tolist()
    assert as_ids(np.array([3, 1]), 2).tolist() == [3, 1]
