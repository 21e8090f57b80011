"""Lists of what is kept and removed, as files for other programs."""

import json
import os

import numpy as np
import pytest

import d2pyg
from d2pyg.coreset import lists

UIDS = [f"{(i * 2**100 + 7 * i) % 2**128:032x}" for i in range(1, 61)]
X = np.random.default_rng(0).normal(size=(60, 3))
NAMES = {
    "uids": UIDS,
    "64 bits": [2**62 + i for i in range(60)],
    "strange": [f'{i}, "ünï" 名' for i in range(60)],
    "bytes": [os.fsdecode(b"\xff%d" % i) for i in range(60)],
    "none": None,
}


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("suffix", [".npy", ".txt", ".json", ".parquet"])
def test_every_format_gives_back_the_names(suffix, kind, removed, tmp_path):
    coreset = d2pyg.select(X, keep=0.3, ids=NAMES[kind])
    index = (coreset.removed if removed else coreset.index).tolist()
    expected = index if kind == "none" else [NAMES[kind][i] for i in index]
    path = tmp_path / f"list{suffix}"
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    coreset.save_ids(path, removed=removed)
    if suffix == ".npy":
        found = np.load(path).tolist()
    elif suffix == ".json":
        found = json.loads(path.read_text())
    elif suffix == ".txt":
        found = [os.fsdecode(line) for line in path.read_bytes().splitlines()]
        expected = [str(name) for name in expected]
    else:
        table = pytest.importorskip("pyarrow.parquet").read_table(path)
        assert table.column_names == ["id"]
        found = [
            os.fsdecode(name) if isinstance(name, bytes) else name for name in table["id"].to_pylist()
        ]
        assert lists.read_list(path) == expected
    assert found == expected


def test_parquet_lists_have_small_row_groups(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    coreset = d2pyg.baselines.hardest(None, np.arange(80_000), keep=0.25)
    coreset.save_ids(tmp_path / "r.parquet", removed=True)
    content = parquet.ParquetFile(tmp_path / "r.parquet").metadata
    assert [content.row_group(i).num_rows for i in range(content.num_row_groups)] == [
        25_000,
        25_000,
        10_000,
    ]
    coreset.save(tmp_path / "c.parquet")
    assert parquet.ParquetFile(tmp_path / "c.parquet").metadata.row_group(0).num_rows == 25_000


def test_datacomp(tmp_path):
    """As its resharder reads it: pairs of integers, in ascending order."""
    coreset = d2pyg.select(X, keep=0.3, ids=UIDS)
    coreset.save_ids(tmp_path / "subset.npy", datacomp=True)
    subset = np.load(tmp_path / "subset.npy")
    assert subset.dtype == np.dtype("u8,u8")
    assert [f"{high:016x}{low:016x}" for high, low in subset.tolist()] == sorted(coreset.kept_ids)
    coreset.save_ids(tmp_path / "rest.npy", datacomp=True, removed=True)
    assert len(np.intersect1d(np.load(tmp_path / "rest.npy"), subset)) == 0


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (None, r"\(got none\)"),
        (["a" * 31, *UIDS[1:]], r"\(got 1 others, the first 'a{31}'\). Pass the column 'uid' as ids"),
        (list(range(60)), r"\(got 60 others, the first "),
    ],
)
def test_names_that_are_no_uids(ids, told, tmp_path):
    coreset = d2pyg.select(X, budget=60, ids=ids)
    with pytest.raises(
        ValueError, match=f"'path' for ids that are DataComp's uids, of 32 hex digits {told}"
    ):
        coreset.save_ids(tmp_path / "subset.npy", datacomp=True)
    assert [*tmp_path.iterdir()] == []


def test_suffixes(tmp_path):
    coreset = d2pyg.select(X, budget=2)
    with pytest.raises(ValueError, match=r"'path' to end in one of .npy, .txt, .json, .parquet \(got"):
        coreset.save_ids(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"'path' to end in one of .npy \(got"):
        coreset.save_ids(tmp_path / "x.txt", datacomp=True)
    with pytest.raises(ValueError, match=r"'path' to end in one of .csv, .parquet \(got"):
        coreset.save_rows(tmp_path / "x.txt")
