import csv
import json
import math
import os
import re
from fractions import Fraction

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset
from d2pyg._base.outputs import replacing_all
from d2pyg.coreset import formats, tables
from d2pyg.coreset.coreset import write

SUFFIXES = [".npz", ".pt", ".json", ".csv", ".parquet"]


@pytest.fixture(params=["no ids", "strings", "integers", "file names", "one long"])
def coreset(request, rng):
    ids = {
        "no ids": None,
        "strings": [f'né, "{i}"\n' for i in range(30)],
        "integers": torch.arange(30) * 10**15,
        "file names": [os.fsdecode(b"caf\xe9_%d.jpg" % i) for i in range(30)],
        "one long": ["x" * 150_000, *map(str, range(28)), "ends with \r\n"],
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
    before = csv.field_size_limit(10**6)
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    csv.field_size_limit(before)
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
        ({"index": [0, 2**70]}, "a complete"),
        ({"index": "01"}, "a complete"),
        ({"scores": [1.0, None, 2.0]}, "are not finite"),
        ({"scores": {}}, "a complete"),
        ({"settings": [1]}, "its settings are missing"),
        ({"settings": {"num_samples": 4}}, "its settings are of 4 samples, and its scores of 3"),
        ({"settings": {"num_samples": 10**30}}, "its settings are of 10+ samples"),
        ({"settings": {"num_samples": True}}, "its settings are of True samples"),
        ({"settings": {"num_dropped": 0}}, "settings say that none was cut off"),
        ({"settings": {"files": ["x.npy"]}}, "the 'files' of its settings are not paths by name"),
        ({"settings": {"files": {"embeddings": 5}}}, "the 'files' of its settings are not paths"),
        ({"ids": ["a", "a", "b"]}, "name each sample once"),
        ({"ids": [1, 2, 2**70]}, "'ids' to be integers or strings"),
        ({"ids": ["a", "b"]}, "one name for each of the 3 samples"),
        ({"ids": "abc"}, "a complete"),
        ({"pick_scores": [2.0, None]}, "are not finite"),
        ({"pick_scores": [2.0, math.inf]}, "are not finite"),
        ({"index": [0, 2]}, "are not finite"),
        ({"checksum": "0"}, "does not fit its checksum: it is damaged, or was changed by hand"),
    ],
)
def test_load_refuses_what_is_no_coreset(change, match, tmp_path):
    content = {"index": [0, 1], "pick_scores": [2.0, 1.0], "scores": [1.0, 2.0, None], "settings": {}}
    path = tmp_path / "c.json"
    path.write_text(json.dumps(content))
    assert Coreset.load(path).index.tolist() == [0, 1]
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(ValueError, match=match) as caught:
        Coreset.load(path)
    assert "a complete .json file" in str(caught.value)


def test_load_refuses_a_table_without_all_samples(coreset, tmp_path):
    path = tmp_path / "c.csv"
    d2pyg.select(np.eye(5), budget=2).save(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-2], lines[-1]]))
    with pytest.raises(ValueError, match="does not have one row per sample"):
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


@pytest.fixture
def picked_after_the_cutoff(rng):
    """Samples without scores, of which some were picked last."""
    scores = torch.from_numpy(rng.random(30))
    scores[::3] = torch.nan
    index = torch.tensor([1, 2, 4, 0, 9])
    return Coreset(index, scores[index].clone(), scores, {"num_samples": 30, "num_dropped": 10})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_picks_without_scores(picked_after_the_cutoff, suffix, tmp_path):
    path = tmp_path / f"c{suffix}"
    picked_after_the_cutoff.save(path)
    loaded = Coreset.load(path)
    assert_same(loaded, picked_after_the_cutoff)
    assert loaded.pick_scores.isnan().tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_settings_as_long_as_the_data(suffix, tmp_path):
    settings = {"num_samples": 40_000, "initial": list(range(20_000, 40_000)), "note": "x" * 10**6}
    scores = torch.arange(40_000, dtype=torch.float64)
    coreset = Coreset(torch.arange(9), scores[:9].clone(), scores, settings)
    limit = csv.field_size_limit()
    coreset.save(tmp_path / f"c{suffix}")
    assert_same(Coreset.load(tmp_path / f"c{suffix}"), coreset)
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_flipped_bit_changes_nothing_silently(coreset, suffix, tmp_path):
    path = tmp_path / f"c{suffix}"
    coreset.save(path)
    whole = path.read_bytes()
    refused = 0
    for bit in range(3, 8 * len(whole), 8 * len(whole) // 60):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            loaded = Coreset.load(path)
        except ValueError:
            refused += 1
        else:
            assert_same(loaded, coreset)
    assert refused > 20


def take_out_checksum(path):
    if path.suffix == ".npz":
        with np.load(path) as content:
            np.savez(path, **{name: content[name] for name in content if name != "checksum"})
    elif path.suffix == ".pt":
        content = torch.load(path)
        torch.save({name: value for name, value in content.items() if name != "checksum"}, path)
    elif path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        meta = json.loads(table.schema.metadata[b"d2pyg"])
        del meta["checksum"]
        parquet.write_table(table.replace_schema_metadata({"d2pyg": json.dumps(meta)}), path)
    else:
        text = path.read_bytes()
        found = re.search(rb', "+checksum"+: "+[0-9a-f]{64}"+(?=[,}])', text)
        path.write_bytes(text.replace(found[0], b""))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_checksum_can_be_taken_out(coreset, suffix, tmp_path):
    path = tmp_path / f"c{suffix}"
    coreset.save(path)
    size = path.stat().st_size
    take_out_checksum(path)
    assert path.stat().st_size != size
    assert_same(Coreset.load(path), coreset)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_what_is_changed_by_hand_is_told(suffix, tmp_path):
    path = tmp_path / f"c{suffix}"
    d2pyg.select(np.eye(5), np.arange(5.0), budget=2).save(path)
    text = path.read_text()
    changed = text.replace('"k": 4', '"k": 3').replace('""k"": 4', '""k"": 3')
    assert changed != text
    path.write_text(changed)
    with pytest.raises(ValueError, match="damaged, or was changed by hand"):
        Coreset.load(path)


def test_names_too_wide_for_one_array_in_npz(tmp_path):
    names = [*(f"né{i}" for i in range(2000)), "x" * 10**6]
    scores = torch.arange(2001, dtype=torch.float64)
    Coreset(torch.arange(9), scores[:9].clone(), scores, {}, np.array(names, dtype=object)).save(
        tmp_path / "c.npz"
    )
    with np.load(tmp_path / "c.npz") as content:
        assert "ids" not in content
        assert content["ids_utf8"].nbytes == len("".join(names).encode())
        assert content["ids_end"][-1] == len(content["ids_utf8"])
    assert Coreset.load(tmp_path / "c.npz").ids.tolist() == names


def test_large_npz_files_are_not_compressed(tmp_path, monkeypatch):
    scores = torch.ones(100_000, dtype=torch.float64)
    coreset = Coreset(torch.arange(9), scores[:9].clone(), scores)
    coreset.save(tmp_path / "c.npz")
    assert (tmp_path / "c.npz").stat().st_size < 100_000
    monkeypatch.setattr(formats, "_LARGE", 700_000)
    coreset.save(tmp_path / "c.npz")
    assert (tmp_path / "c.npz").stat().st_size > 800_000
    assert_same(Coreset.load(tmp_path / "c.npz"), coreset)


@pytest.mark.parametrize("names", ["text", "bytes"])
def test_parquet_with_more_text_than_offsets_hold(names, tmp_path, monkeypatch):
    arrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    ids = [f"{i}.jpg" if names == "text" else os.fsdecode(b"\xe9%d.jpg" % i) for i in range(5)]
    coreset = d2pyg.select(np.eye(5), budget=2, ids=ids)
    small, large = {"text": ("string", "large_string"), "bytes": ("binary", "large_binary")}[names]
    for kind, limit in (small, 1 << 31), (large, 25):
        monkeypatch.setattr(tables, "_LONG", limit)
        coreset.save(tmp_path / "c.parquet")
        table = parquet.read_table(tmp_path / "c.parquet")
        assert table.schema.field("id").type == getattr(arrow, kind)()
        assert_same(Coreset.load(tmp_path / "c.parquet"), coreset)
    assert table.column("id").to_pylist() == [
        (ids[i] if names == "text" else os.fsencode(ids[i])) for i in table.column("index").to_pylist()
    ]


def test_names_in_csv_are_the_bytes_of_the_disk(tmp_path):
    ids = [b"caf\xe9_%d.jpg" % i for i in range(5)]
    d2pyg.select(np.eye(5), budget=2, ids=ids).save(tmp_path / "c.csv")
    content = (tmp_path / "c.csv").read_bytes()
    assert all(name in content for name in ids)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_with_nul(suffix, tmp_path):
    coreset = d2pyg.select(np.eye(5), budget=2, ids=["a", "a\0", "\0a", "b\0c", "d"])
    if suffix == ".csv":
        with pytest.raises(ValueError, match=r"without NUL characters in a .csv file"):
            coreset.save(tmp_path / f"c{suffix}")
    else:
        coreset.save(tmp_path / f"c{suffix}")
        assert_same(Coreset.load(tmp_path / f"c{suffix}"), coreset)


def test_csv_from_a_spreadsheet(coreset, tmp_path):
    path = tmp_path / "c.csv"
    coreset.save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    assert_same(Coreset.load(path), coreset)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("version https://git-lfs.github.com/spec/v1\n", "no column 'index', and begins with 'version"),
        ("index,rank,pick_score,score\n0,0,1,1\n", "no column 'd2pyg'"),
        ("index,rank,pick_score,score,d2pyg\n0,0,1,1\n", "its rows are not of one length"),
        ("index,rank,pick_score,score,d2pyg\n", "it has no rows"),
        ('index,rank,pick_score,score,d2pyg\n0,0,1,1,"{}"\n', "it has no 'ids'"),
        ('index,rank,pick_score,score,d2pyg\n0,0,1,1,"[]"\n', "a complete .csv file"),
    ],
)
def test_load_refuses_other_tables(text, match, tmp_path):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(ValueError, match=match):
        Coreset.load(tmp_path / "c.csv")


@pytest.mark.parametrize("suffix", [".npz", ".pt", ".json", ".parquet"])
def test_load_says_what_is_there_instead(suffix, tmp_path):
    path = tmp_path / f"c{suffix}"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=rf"no {suffix} file, but text that begins with 'version https"):
        Coreset.load(path)


def test_load_refuses_arrays_that_are_none(tmp_path):
    content = {"index": [0], "pick_scores": [1.0], "scores": [1.0], "settings": "{}"}
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(ValueError, match="its arrays are missing"):
        Coreset.load(tmp_path / "c.pt")
    torch.save({**content, "settings": None}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"a complete .pt file"):
        Coreset.load(tmp_path / "c.pt")
    torch.save([1], tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"a complete .pt file"):
        Coreset.load(tmp_path / "c.pt")


@pytest.mark.parametrize("suffix", [".npy", *SUFFIXES])
def test_what_could_not_be_read_is_not_written(suffix, tmp_path):
    scores = torch.tensor([1.0, math.inf], dtype=torch.float64)
    coreset = Coreset(torch.tensor([1]), scores[1:], scores)
    (tmp_path / f"c{suffix}").write_bytes(b"old")
    with pytest.raises(ValueError, match=r"can be read back .but its scores are not finite"):
        coreset.save(tmp_path / f"c{suffix}")
    assert (tmp_path / f"c{suffix}").read_bytes() == b"old"


def test_written_together_with_another_file(coreset, tmp_path):
    with replacing_all(tmp_path / "c.npz", tmp_path / "list.txt") as (file, other):
        write(coreset, file, ".npz")
        other.write(b"a\n")
    assert_same(Coreset.load(tmp_path / "c.npz"), coreset)
