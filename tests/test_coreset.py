import csv
import json
import os
from fractions import Fraction

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset

SUFFIXES = [".npz", ".pt", ".json", ".csv", ".parquet"]


@pytest.fixture(params=["no ids", "strings", "integers"])
def coreset(request, rng):
    ids = {
        "no ids": None,
        "strings": [f'né, "{i}"\n' for i in range(30)],
        "integers": torch.arange(30) * 10**15,
    }[request.param]
    return d2pyg.select(
        rng.normal(size=(30, 4)), rng.random(30), budget=11, cutoff=0.1, ids=ids,
        labels=rng.integers(0, 3, 30), kernel="laplacian",
    )  # fmt: skip


def assert_same(one, two):
    for name in "index", "pick_scores", "scores":
        a, b = getattr(one, name), getattr(two, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert one.settings == two.settings
    assert (one.ids is None) == (two.ids is None)
    if one.ids is not None:
        assert one.ids.dtype.kind == two.ids.dtype.kind
        assert one.ids.tolist() == two.ids.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_saved_is_loaded(coreset, suffix, tmp_path):
    path = tmp_path / f"coreset{suffix}"
    coreset.save(path)
    assert_same(Coreset.load(path), coreset)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing beside it


def test_npy_is_the_index(coreset, tmp_path):
    coreset.save(tmp_path / "c.npy")
    index = np.load(tmp_path / "c.npy")
    assert index.dtype == np.int64
    assert index.tolist() == coreset.index.tolist()


def test_tables_begin_with_the_picks_in_order(coreset, tmp_path):
    coreset.save(tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert [int(row["index"]) for row in rows[:11]] == coreset.index.tolist()
    assert [row["rank"] for row in rows[:11]] == [str(i) for i in range(11)]
    assert [float(row["pick_score"]) for row in rows[:11]] == coreset.pick_scores.tolist()
    assert all(row["rank"] == row["pick_score"] == "" for row in rows[11:])
    assert json.loads(rows[0]["d2pyg"])["settings"] == coreset.settings
    if coreset.ids is not None:
        assert [row["id"] for row in rows] == [str(coreset.ids[int(row["index"])]) for row in rows]


def test_mask_len_repr(coreset):
    assert coreset.mask.dtype == torch.bool
    assert coreset.mask.nonzero().flatten().tolist() == sorted(coreset.index.tolist())
    assert len(coreset) == 11
    assert repr(coreset) == "Coreset(11 of 30, engine='heap')"
    with pytest.raises(AttributeError):
        coreset.index = None


@pytest.mark.parametrize("suffix", [".npy", *SUFFIXES])
def test_a_failure_leaves_the_old_file(coreset, suffix, tmp_path, monkeypatch):
    path = tmp_path / f"coreset{suffix}"
    path.write_bytes(b"what was there")

    def full(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        coreset.save(path)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_are_kept(coreset, tmp_path):
    path, link = tmp_path / "real.npy", tmp_path / "link.npy"
    path.write_bytes(b"")
    path.chmod(0o640)
    link.symlink_to(path)
    coreset.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(np.load(path)) == 11


def test_save_refuses(coreset, tmp_path):
    with pytest.raises(ValueError, match=r"'path' to end in one of .npy, .npz, .*'.*/c.xls'"):
        coreset.save(tmp_path / "c.xls")
    with pytest.raises(FileNotFoundError, match="'path' to be in a folder that exists"):
        coreset.save(tmp_path / "no" / "c.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match="'path' to be a file"):
        coreset.save(tmp_path / "folder.npz")
    monkey = pytest.MonkeyPatch()
    monkey.setitem(__import__("sys").modules, "pyarrow", None)
    with monkey.context(), pytest.raises(ImportError, match="pip install pyarrow"):
        coreset.save(tmp_path / "c.parquet")
    monkey.undo()
    monkey.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="folder that can be written to"):
        coreset.save(tmp_path / "c.npz")
    monkey.undo()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["truncated", "other content", "empty"])
def test_load_refuses_damaged_files(coreset, suffix, damage, tmp_path):
    path = tmp_path / f"coreset{suffix}"
    coreset.save(path)
    whole = path.read_bytes()
    path.write_bytes(
        {"truncated": whole[: len(whole) // 3], "other content": b"[1, 2]", "empty": b""}[damage]
    )
    with pytest.raises(ValueError, match="Expected 'path' to be a complete"):
        Coreset.load(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"index": [0, 0]}, "not distinct"),
        ({"index": [0, 7]}, "outside its samples"),
        ({"index": [0]}, "do not fit together"),
        ({"index": [0, 0.5]}, "float"),
        ({"settings": [1]}, "its settings are missing"),
        ({"ids": ["a", "a", "b"]}, "name each sample once"),
    ],
)
def test_load_refuses_what_is_no_coreset(change, match, tmp_path):
    content = {"index": [0, 1], "pick_scores": [2.0, 1.0], "scores": [1.0, 2.0, None], "settings": {}}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    assert Coreset.load(path).index.tolist() == [0, 1]
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(ValueError, match=match):
        Coreset.load(path)


def test_load_refuses_a_table_without_all_samples(coreset, tmp_path):
    path = tmp_path / "c.csv"
    d2pyg.select(np.eye(5), budget=2).save(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-2], lines[-1]]))
    with pytest.raises(ValueError, match="rows are not one a sample"):
        Coreset.load(path)


def test_load_refuses_scores_of_another_type(tmp_path):
    content = {name: torch.zeros(3) for name in ("pick_scores", "scores")}
    torch.save({**content, "index": torch.arange(3), "settings": "{}"}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="its scores are not float64"):
        Coreset.load(tmp_path / "c.pt")


def test_load_refuses_other_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match="'path' to be a file that exists"):
        Coreset.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"'path' to end in one of .npz"):
        Coreset.load(tmp_path / "index.npy")


def test_nothing_is_unpickled(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"index": Attack()}, tmp_path / "c.pt")
    np.savez(tmp_path / "c.npz", index=np.array([Attack()], dtype=object))
    for name in "c.pt", "c.npz":
        with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
            Coreset.load(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("ids", "error", "match"),
    [
        ([0.5] * 5, TypeError, "'ids' to be integers or strings"),
        (
            [None] * 5,
            TypeError,
            "'ids' to have no missing values .got 5 such as None, the first at row 0",
        ),
        (["a"] * 4, ValueError, "'ids' to have one name for each of the 5 samples"),
        (["a", "b", "c", "b", "d"], ValueError, "'ids' to name each sample once .got b 2 times"),
    ],
)
def test_ids_refused(ids, error, match):
    with pytest.raises(error, match=match):
        d2pyg.select(np.eye(5), budget=2, ids=ids)


def test_ids_of_strings_in_object_arrays():
    ids = np.array(list("abcde"), dtype=object)
    assert d2pyg.select(np.eye(5), budget=2, ids=ids).ids.tolist() == list("abcde")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_arguments_of_any_number_type_are_saved(suffix, tmp_path):
    options = {
        "cutoff": np.float32(0.1), "scale": np.float32(2), "min_per_class": np.int64(1),
        "clamp": np.bool_(True), "gamma_forward": Fraction(1, 2), "k": np.int32(2),
    }  # fmt: skip
    for budget in {"budget": torch.tensor(5)}, {"keep": Fraction(1, 4)}, {"budget": np.int64(5)}:
        coreset = d2pyg.select(np.eye(20), **budget, **options)
        coreset.save(tmp_path / f"c{suffix}")
        assert Coreset.load(tmp_path / f"c{suffix}").settings == coreset.settings
    coreset = d2pyg.greedy_select(
        np.ones(5), d2pyg.knn_graph(np.eye(5), 1), np.int64(2), clamp=np.bool_(False)
    )
    coreset.save(tmp_path / f"c{suffix}")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_in_another_order_keep_the_pick_order(suffix, tmp_path):
    coreset = d2pyg.select(np.random.default_rng(0).normal(size=(20, 3)), budget=7)
    path = tmp_path / f"c{suffix}"
    coreset.save(path)
    if suffix == ".csv":
        head, first, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, first, *sorted(rows)]))
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        parquet.write_table(table.sort_by("index"), path)
    assert Coreset.load(path).index.tolist() == coreset.index.tolist()
    assert Coreset.load(path).pick_scores.tolist() == coreset.pick_scores.tolist()


def test_load_refuses_ranks_with_gaps(tmp_path):
    path = tmp_path / "c.csv"
    d2pyg.select(np.eye(5), np.ones(5), budget=3).save(path)
    path.write_text(path.read_text().replace("\n1,1,", "\n1,7,"))
    with pytest.raises(ValueError, match="its ranks are not 0, 1, 2"):
        Coreset.load(path)
