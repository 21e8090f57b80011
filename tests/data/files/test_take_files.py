"""take_files: what is kept of files, held against the packages that write and read them."""

import gzip
import itertools
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from file_cases import IDS, KINDS, WRITERS, coreset_of, plain_tar, read_jsonl, rows_of, write_jsonl

import d2pyg
from d2pyg import take_files

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def kept(rows, coreset):
    return [rows[i] for i in sorted(coreset.index.tolist())]


def as_read(rows, suffix):
    """A .csv file has text alone."""
    return [{**row, "id": str(row["id"])} for row in rows] if suffix == ".csv" else rows


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("ids", [*IDS, None])
@pytest.mark.parametrize("suffix", KINDS)
def test_one_file(here, suffix, ids):
    write, read = WRITERS[suffix]
    rows = rows_of(IDS[ids or "hex"])
    write(here / f"all{suffix}", rows)
    coreset = coreset_of(None if ids is None else IDS[ids])
    column = "id" if suffix == ".tar" and ids else None  # in the .json member
    taken = take_files(f"all{suffix}", coreset, f"few{suffix}", ids=column)
    assert read(here / f"few{suffix}") == as_read(kept(rows, coreset), suffix)
    assert (taken.rows, taken.kept, taken.column) == (40, 10, "id" if ids else None)
    take_files(f"all{suffix}", coreset, f"few{suffix}", ids=column, removed=True)  # replaces it
    assert read(here / f"few{suffix}") == as_read([rows[i] for i in coreset.removed.tolist()], suffix)
    assert sorted(os.listdir()) == [f"all{suffix}", f"few{suffix}"]  # noqa: PTH208


@pytest.mark.parametrize("by", ["id", "number", "other order"])
@pytest.mark.parametrize("suffix", KINDS)
def test_shards_in_natural_order(here, suffix, by):
    """12 shards, not padded, two of them empty; one array was selected from."""
    write, read = WRITERS[suffix]
    rows = rows_of(IDS["hex"])
    Path("all").mkdir()
    ends = [0, 3, 6, 6, 10, 15, 20, 21, 25, 30, 30, 35, 40]
    parts = [rows[a:b] for a, b in itertools.pairwise(ends)]
    for number, part in enumerate(parts):
        write(here / "all" / f"part-{number}{suffix}", part)
    (here / "all" / "README.md").write_text("not rows")
    order = np.random.default_rng(1).permutation(40) if by == "other order" else np.arange(40)
    ids = None if by == "number" else [IDS["hex"][i] for i in order]
    coreset = coreset_of(ids)
    wanted = set(order[coreset.index.numpy()].tolist())
    column = "id" if suffix == ".tar" and ids else None
    taken = take_files("all", coreset, "few", ids=column)
    assert [path.name for path in taken.files] == [f"part-{i}{suffix}" for i in range(12)]
    assert [path.name for path in taken.empty] == [f"part-{i}{suffix}" for i in (2, 9)]
    for number, part in enumerate(parts):
        expected = [row for row in part if row["number"] in wanted]
        assert read(here / "few" / f"part-{number}{suffix}") == expected
    assert len(list(Path("few").iterdir())) == 12
    paths = [f"all/part-{i}{suffix}" for i in range(12)]
    for data, out in ((f"all/part-*{suffix}", "few2"), (paths, "few3")):
        take_files(data, coreset, out, ids=column)
        for path in Path("few").iterdir():
            assert (here / out / path.name).read_bytes() == path.read_bytes()


def test_lines_stay_as_they_are(here):
    lines = [
        b'\xef\xbb\xbf{"id": 1,   "x": 1.0e3}\r\n', b" \n", b'{"x":"\\u00fc", "id":2}\n',
        b'{"id": 3, "x": "\xc3\xbc"}\n', b'\n', b'{"id": 4}',
    ]  # fmt: skip
    Path("all.jsonl").write_bytes(b"".join(lines))
    coreset = d2pyg.select(np.eye(4), budget=3, k=1, ids=[1, 2, 3, 4], scores=[9, 1, 5, 7])
    assert sorted(coreset.index.tolist()) == [0, 2, 3]
    take_files("all.jsonl", coreset, "few.jsonl")
    assert Path("few.jsonl").read_bytes() == lines[0] + lines[3] + lines[5]


def test_csv_rows_stay_as_they_are(here):
    """Quoted where need not be, line ends within fields, a mark of the encoding, bytes that are no UTF-8."""
    header = b'\xef\xbb\xbf"id",text\r\n'
    rows = [b'"1","a ""b"""\r\n', b'2,"two\r\nlines,\n\r\nthree"\r\n', b"3,\xff\r\n", b"4,last"]
    Path("all.csv").write_bytes(header + rows[0] + b"\r\n" + b"".join(rows[1:]))
    coreset = d2pyg.select(np.eye(4), budget=3, k=1, ids=[1, 2, 3, 4], scores=[1, 9, 5, 7])
    assert sorted(coreset.index.tolist()) == [1, 2, 3]
    take_files("all.csv", coreset, "few.csv")
    assert Path("few.csv").read_bytes() == header + b"".join(rows[1:])


def test_tabs(here):
    Path("all.tsv").write_text("id\ttext\na,1\tx\nb\ty, z\n")
    coreset = d2pyg.select(np.eye(2), budget=1, k=1, ids=["a,1", "b"], scores=[1, 9])
    take_files("all.tsv", coreset, "few.tsv")
    assert Path("few.tsv").read_text() == "id\ttext\nb\ty, z\n"


def test_compression_goes_by_the_name_of_the_output(here):
    rows = rows_of(IDS["hex"])
    write_jsonl(here / "all.jsonl", rows)
    coreset = coreset_of()
    take_files("all.jsonl", coreset, "few.json.gz")
    assert Path("few.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    take_files("all.jsonl", coreset, "few.jsonl")
    assert gzip.decompress(Path("few.json.gz").read_bytes()) == Path("few.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["element", "item"])
def test_parquet_keeps_what_it_is(here, name):
    """Types, metadata, compression, row groups; more rows than a group, and more than one is read at once."""
    total = 60_000
    fields = [
        pa.field("id", pa.uint64()), pa.field("words", pa.list_(pa.large_string())),
        pa.field("when", pa.timestamp("ns", "UTC")), pa.field("half", pa.float16(), metadata={"unit": "m"}),
        pa.field("kind", pa.dictionary(pa.int32(), pa.string())), pa.field("blob", pa.binary()),
        pa.field("place", pa.struct([("x", pa.float32())])), pa.field("null", pa.null()),
    ]  # fmt: skip
    schema = pa.schema(fields, metadata={"origin": "a test"})
    number = np.arange(total)
    table = pa.table(
        [
            pa.array(number.astype(np.uint64)), pa.array([[f"w{i}"] * (i % 3) for i in number]).cast(fields[1].type),
            pa.array(number * 1001).cast(fields[2].type), pa.array(number.astype(np.float16)),
            pa.array([f"k{i % 5}" for i in number]).dictionary_encode(), pa.array([b"\0\xff"] * total),
            pa.array([{"x": 1.5}] * total).cast(fields[6].type), pa.nulls(total),
        ],
        schema=schema,
    )  # fmt: skip
    codecs = {"id": "zstd", f"words.list.{name}": "gzip"}
    codecs.update(dict.fromkeys(("when", "half", "kind", "blob", "place.x", "null"), "none"))
    options = {"row_group_size": 50_000, "use_compliant_nested_type": name == "element"}
    parquet.write_table(table, "all.parquet", compression=codecs, **options)
    scores = np.random.default_rng(0).permutation(total)
    coreset = d2pyg.baselines.hardest(None, scores, keep=0.9, ids=number)
    take_files("all.parquet", coreset, "few.parquet")
    few = parquet.ParquetFile("few.parquet")
    assert few.schema_arrow.equals(parquet.ParquetFile("all.parquet").schema_arrow, check_metadata=True)
    assert few.schema_arrow.metadata == {b"origin": b"a test"}
    assert few.read().equals(parquet.read_table("all.parquet").filter(pa.array(coreset.mask.numpy())))
    sizes = [few.metadata.row_group(i).num_rows for i in range(few.metadata.num_row_groups)]
    assert sizes == [25_000, 25_000, 4_000]
    parts = [few.metadata.row_group(0).column(i) for i in range(8)]
    column = {part.path_in_schema: part.compression for part in parts}
    assert (column["id"], column[f"words.list.{name}"], column["when"]) == (
        "ZSTD",
        "GZIP",
        "UNCOMPRESSED",
    )


def test_parquet_without_rows(here):
    parquet.write_table(
        pa.table({"id": pa.array([], pa.string()), "x": pa.array([], pa.int8())}), "0.parquet"
    )
    parquet.write_table(pa.table({"id": ["a", "b"], "x": pa.array([1, 2], pa.int8())}), "1.parquet")
    coreset = d2pyg.select(np.eye(2), budget=1, k=1, ids=["a", "b"])
    Path("few").mkdir()
    taken = take_files("?.parquet", coreset, "few")
    assert taken.empty == [Path("0.parquet")]
    assert parquet.read_table("few/0.parquet").schema == parquet.read_table("1.parquet").schema
    assert parquet.read_table("few/1.parquet")["id"].to_pylist() == coreset.kept_ids.tolist()


def test_large_rows_make_small_groups(here, monkeypatch):
    monkeypatch.setattr("d2pyg.data.files.batches.BYTES", 1 << 16)
    monkeypatch.setattr("d2pyg.data.files.parquet.BYTES", 1 << 16)
    blobs = [os.urandom(10_000) for _ in range(40)]
    parquet.write_table(pa.table({"blob": blobs}), "all.parquet")
    coreset = coreset_of()
    take_files("all.parquet", coreset, "few.parquet", removed=True)
    few = parquet.ParquetFile("few.parquet")
    assert few.metadata.num_row_groups > 3
    assert few.read()["blob"].to_pylist() == [blobs[i] for i in coreset.removed.tolist()]


def test_members_of_a_sample_stay_together(here):
    """Names with several suffixes and folders, pickles as bytes, members of no sample in between."""
    members = [
        ("__meta__/about.json", b"{}"), ("dir/a.x.jpg", b"1"), ("README", b"no suffix"), ("dir/a.pyd", b"\x80\x04."),
        ("b.txt", b"2"), ("b.seg.png", b"3"), (f"{'long' * 60}/c.txt", b"4"), ("ü.txt", b"5"),
    ]  # fmt: skip
    plain_tar("all.tar", members)
    keys = ["dir/a", "b", f"{'long' * 60}/c", "ü"]
    coreset = d2pyg.select(np.eye(4), budget=3, k=1, ids=keys, scores=[9, 1, 8, 7])
    assert sorted(coreset.index.tolist()) == [0, 2, 3]
    taken = take_files("all.tar", coreset, "few.tar")
    assert (taken.rows, taken.column) == (4, "__key__")
    with tarfile.open("few.tar") as tar:
        found = [(info.name, tar.extractfile(info).read()) for info in tar]
    assert sorted(found) == sorted(m for m in members if not m[0].startswith("b."))
    assert [name for name, _ in found if name.startswith("dir/a")] == ["dir/a.x.jpg", "dir/a.pyd"]


@pytest.mark.extensions
@pytest.mark.parametrize("ids", [*IDS, None])
def test_hugging_face_folder(here, ids):
    datasets = pytest.importorskip("datasets")
    rows = rows_of(IDS[ids or "hex"])
    features = datasets.Dataset.from_list(rows).features.copy()
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    columns["label"] = [i % 3 for i in range(40)]
    features["label"] = datasets.ClassLabel(names=["a", "b", "c"])
    columns["embedding"] = np.eye(40, 5, dtype=np.float32)
    features["embedding"] = datasets.List(datasets.Value("float32"), length=5)
    data = datasets.Dataset.from_dict(columns, features=features).with_format(
        "numpy", ["embedding", "label"]
    )
    data.save_to_disk("all", num_shards=12)
    coreset = coreset_of(None if ids is None else IDS[ids])
    taken = take_files("all", coreset, "few")
    assert (len(taken.files), taken.rows, taken.kept, taken.column) == (
        12,
        40,
        10,
        "id" if ids else None,
    )
    few = datasets.load_from_disk("few")
    assert few.features == data.features
    assert few.format == data.format
    plain = few.with_format(None)
    assert [{key: row[key] for key in rows[0]} for row in plain] == kept(rows, coreset)
    assert few._fingerprint != data._fingerprint
    expected = data.select(sorted(coreset.index.tolist()))
    assert np.array_equal(few["embedding"][:], expected["embedding"][:])
    take_files("all", coreset, "again")
    for path in Path("few").iterdir():
        assert (Path("again") / path.name).read_bytes() == path.read_bytes()


@pytest.mark.extensions
def test_hugging_face_splits_are_named(here):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list(rows_of(IDS["hex"]))
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk("all")
    coreset = coreset_of(IDS["hex"])
    with pytest.raises(
        ValueError,
        match=r"one split of a data set \(got 'all', with test, train\). Name one, such as all/test",
    ):
        take_files("all", coreset, "few")
    take_files("all/train", coreset, "few")
    assert len(datasets.load_from_disk("few")) == 10


def test_an_empty_folder_is_filled(here):
    write_jsonl(here / "1.jsonl", rows_of(IDS["hex"]))
    Path("few").mkdir(mode=0o750)
    coreset = coreset_of()
    take_files("*.jsonl", coreset, "few")
    assert Path("few").stat().st_mode & 0o777 == 0o750
    assert read_jsonl(Path("few/1.jsonl")) == kept(rows_of(IDS["hex"]), coreset)


def test_folders_in_a_folder(here):
    """Their files keep their places; what programs leave beside them is no data."""
    rows = rows_of(IDS["hex"])
    for number, name in enumerate(
        ("all/b/1.jsonl", "all/a/10.jsonl", "all/a/9.jsonl", "all/_tmp/1.jsonl", "all/.x.jsonl")
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(here / name, {0: rows[30:], 1: rows[20:30], 2: rows[:20]}.get(number, rows))
    coreset = coreset_of()
    taken = take_files("all", coreset, "few")
    assert [str(path) for path in taken.files] == ["all/a/9.jsonl", "all/a/10.jsonl", "all/b/1.jsonl"]
    found = [
        row
        for name in ("a/9.jsonl", "a/10.jsonl", "b/1.jsonl")
        for row in read_jsonl(here / "few" / name)
    ]
    assert found == kept(rows, coreset)
    assert len([path for path in Path("few").rglob("*") if path.is_file()]) == 3


def test_lists_of_folders_and_patterns(here):
    rows = rows_of(IDS["hex"])
    for name, part in (("b/2.jsonl", rows[20:]), ("a/10.jsonl", rows[:15]), ("a/11.jsonl", rows[15:20])):
        Path(name).parent.mkdir(exist_ok=True)
        write_jsonl(here / name, part)
    coreset = coreset_of()
    taken = take_files(["a", "b/*.jsonl"], coreset, "few")
    assert [str(path) for path in taken.files] == ["a/10.jsonl", "a/11.jsonl", "b/2.jsonl"]
    assert sorted(path.name for path in Path("few").iterdir()) == ["10.jsonl", "11.jsonl", "2.jsonl"]
    assert read_jsonl(Path("few/2.jsonl")) == [row for row in kept(rows, coreset) if row["number"] >= 20]


def test_near_duplicates(here):
    rows = rows_of(IDS["hex"])
    write_jsonl(here / "all.jsonl", rows)
    x = np.random.default_rng(0).normal(size=(40, 3))
    x[25:] = x[:15]
    found = d2pyg.duplicates(x, 1e-6, ids=IDS["hex"])
    taken = take_files("all.jsonl", found, "few.jsonl")
    assert (taken.kept, taken.column) == (25, "id")
    assert read_jsonl(Path("few.jsonl")) == rows[:25]
    take_files("all.jsonl", found, "rest.jsonl", removed=True)
    assert read_jsonl(Path("rest.jsonl")) == rows[25:]


def test_json_files_beside_others_describe_them(here):
    write, read = WRITERS[".parquet"]
    Path("all").mkdir()
    write(here / "all/0.parquet", rows_of(IDS["hex"]))
    Path("all/dataset_infos.json").write_text("{}")
    coreset = coreset_of()
    take_files("all", coreset, "few")
    assert [path.name for path in Path("few").iterdir()] == ["0.parquet"]
    Path("lines").mkdir()
    write_jsonl(here / "lines/0.json", rows_of(IDS["hex"]))
    take_files("lines", coreset, "less")
    assert read_jsonl(here / "less/0.json") == read(here / "few/0.parquet")


def test_a_saved_folder_without_datasets(here):
    """The layout of save_to_disk, and what has to stay of it."""
    Path("all").mkdir()
    rows = rows_of(IDS["hex"])
    schema = pa.schema([("id", pa.string()), ("number", pa.int64())], metadata={"huggingface": "{}"})
    names = [f"data-0000{shard}-of-00002.arrow" for shard in range(2)]
    for name, part in zip(names, (rows[:25], rows[25:]), strict=True):
        with pa.OSFile(f"all/{name}", "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            table = pa.Table.from_pylist(
                [{key: row[key] for key in schema.names} for row in part], schema
            )
            writer.write_table(table, max_chunksize=7)
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "0" * 16,
        "_split": "train",
    }
    Path("all/state.json").write_text(json.dumps(state))
    Path("all/dataset_info.json").write_text('{"features": {}}')
    coreset = coreset_of(IDS["hex"])
    taken = take_files("all", coreset, "few")
    assert (len(taken.files), taken.rows, taken.column) == (2, 40, "id")
    tables = [pa.ipc.open_stream(Path("few", name).read_bytes()).read_all() for name in names]
    assert all(table.schema.equals(schema, check_metadata=True) for table in tables)
    found = [number for table in tables for number in table["number"].to_pylist()]
    assert found == sorted(coreset.index.tolist())
    new = json.loads(Path("few/state.json").read_text())
    assert new.pop("_fingerprint") != state.pop("_fingerprint")
    assert new == state
    assert Path("few/dataset_info.json").read_bytes() == Path("all/dataset_info.json").read_bytes()
    take_files("all", coreset, "rest", removed=True)
    assert (
        json.loads(Path("rest/state.json").read_text())["_fingerprint"]
        not in Path("few/state.json").read_text()
    )
