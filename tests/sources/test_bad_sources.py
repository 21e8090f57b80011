"""What is wrong with files is told in one line: which file, which column, which row."""

import gzip
import logging
import os
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import source_cases as made

import d2pyg
from d2pyg.cli import main
from d2pyg.sources.spec import read_array

pytest.importorskip("pyarrow")


@pytest.fixture
def table(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return made.rows(rng)


def write(name, **columns):
    """A Parquet file; lists of vectors may have nulls and several lengths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    emb = columns.pop("emb", None)
    head = {} if emb is None else {"emb": pa.array(emb, pa.list_(pa.float32()))}
    pq.write_table(pa.table({**head, **columns}), name, row_group_size=2)


def test_widths_and_types_that_differ(table):
    made.write_parquet(Path(), table)
    write("part-9.parquet", emb=[[1.0] * 5], uid=["a"], loss=[0.0], source=["a"])
    match = r"column 'emb' of 'part-9.parquet' to hold vectors as 'part-1.parquet' does, 6 x float32 \(got 5 x float32\)"
    with pytest.raises(ValueError, match=match):
        d2pyg.open(".")
    made.write_npy(Path(), table)
    np.save("part-10.npy", np.zeros((3, 6)))
    with pytest.raises(
        ValueError,
        match=r"Expected 'part-10.npy' to hold vectors as 'part-1.npy' does, 6 x float32 .got 6 x float64",
    ):
        d2pyg.open("*.npy")


def test_vectors_of_several_lengths():
    rows = [[1.0, 2.0]] * 5
    write_in = Path("x.parquet")
    for place, odd in (3, [1.0]), (4, []), (1, [1.0] * 3):
        emb = [*rows]
        emb[place] = odd
        write(write_in, emb=emb)
        with pytest.raises(
            ValueError,
            match=rf"column 'emb' of 'x.parquet' to hold vectors of one length .got {len(odd)} numbers at row {place}, 2 at row 0",
        ):
            np.asarray(d2pyg.open(write_in))
    write("a.parquet", emb=[[1.0, 2.0]] * 2 + [[1.0]] * 20000)  # of another length in the next batch
    with pytest.raises(
        ValueError,
        match=r"'a.parquet' to hold vectors of one length .got 1 numbers at row 2, 2 at row 0",
    ):
        np.asarray(d2pyg.open("a.parquet"))
    write("b.parquet", emb=[[1.0, 2.0]] * 2**13 + [[1.0]] * 9)
    with pytest.raises(
        ValueError,
        match=r"'b.parquet' to hold vectors of 2 x float32 in every row .got 1 x float32 at row 8192",
    ):
        np.asarray(d2pyg.open("b.parquet"))


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_nulls():
    write("1.parquet", emb=[[1.0, 2.0]] * 3, loss=[1.0, 2.0, 3.0], uid=["a", "b", "c"])
    write(
        "2.parquet",
        emb=[[1.0, 2.0], None, [3.0, 4.0], None],
        loss=[1.0, None, None, None],
        uid=["d", None, "e", "f"],
    )
    source = d2pyg.open(".")
    with pytest.raises(
        ValueError,
        match=r"column 'emb' of '2.parquet' to have a value in every row .got null in 2 rows, the first at row 1\). Fill",
    ):
        np.asarray(source)
    with pytest.raises(
        ValueError, match=r"column 'loss' of '2.parquet' .* null in 3 rows, the first at row 1"
    ):
        source["loss"]
    with pytest.raises(
        ValueError, match=r"column 'uid' of '2.parquet' .* null in 1 rows, the first at row 1"
    ):
        source.ids  # noqa: B018
    write("2.parquet", emb=[[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [None, 4.0], [None, None]])
    with pytest.raises(
        ValueError, match=r"'emb' of '2.parquet' .* null in 2 vectors, the first at row 3"
    ):
        np.asarray(d2pyg.open("2.parquet"))


def test_nan_and_infinity():
    write("1.parquet", emb=[[1.0, 2.0]] * 3, loss=[1.0, 2.0, 3.0])
    write(
        "2.parquet",
        emb=[[1.0, 2.0], [np.nan, 1.0], [3.0, 4.0], [1.0, np.inf]],
        loss=[1.0, 2.0, np.nan, np.inf],
    )
    source = d2pyg.open(".")
    with pytest.raises(
        ValueError,
        match=r"NaN or infinity in 2 of 7 rows, the first at row 4, row 1 of '2.parquet'\)",
    ):
        d2pyg.select(source, budget=2)
    with pytest.raises(
        ValueError,
        match=r"column 'loss' .* NaN or infinity in 2 rows, the first row 5, row 2 of '2.parquet'",
    ):
        source["loss"]
    with pytest.raises(ValueError, match=r"the first at row 1 of '2.parquet'\)"):
        d2pyg.knn_graph(d2pyg.open("2.parquet"), k=1)


def test_missing_columns(table):
    made.write_parquet(Path(), table)
    write("part-9.parquet", emb=[[1.0] * 6], uid=["a"])
    source = d2pyg.open(".")
    with pytest.raises(
        ValueError, match=r"'part-9.parquet' to have a column 'loss' \(got emb, uid\). Name one of these"
    ):
        source["loss"]
    with pytest.raises(
        ValueError, match=r"'part-1.parquet' to have a column 'vector' \(got emb, loss, source, uid\)"
    ):
        d2pyg.open(".", "vector")
    write("none.parquet", text=["a"], length=[3])
    with pytest.raises(
        ValueError,
        match=r"'path' to name one of the columns in 'none.parquet': text, length \(got none\). Pass column='text', or",
    ):
        d2pyg.open("none.parquet")
    write("both.parquet", emb=[[1.0]], vector=[[1.0]])
    with pytest.raises(
        ValueError, match=r"one of the columns in 'both.parquet': vector, emb \(got none\)"
    ):
        d2pyg.open("both.parquet")
    with pytest.raises(
        ValueError,
        match=r"column 'length' of 'none.parquet' to hold a vector in every row \(got int64 in a row\)",
    ):
        d2pyg.open("none.parquet", "length")
    with pytest.raises(
        ValueError, match=r"column 'text' of 'none.parquet' to hold a vector in every row \(got text\)"
    ):
        d2pyg.open("none.parquet", "text")


def test_ids_twice(capsys):
    write("1.parquet", emb=[[1.0, 2.0]] * 3, uid=["a", "b", "c"])
    write("2.parquet", emb=[[1.0, 2.0]] * 3, uid=["d", "b", "a"])
    match = (
        r"column 'uid' of '1.parquet' to name each sample once \(got 2 repeated, the first 'b' in rows 1, "
        r"row 1 of '1.parquet', and 4, row 1 of '2.parquet'\). Name another .* ids=None"
    )
    with pytest.raises(ValueError, match=match):
        d2pyg.select(d2pyg.open("."), budget=2)
    assert d2pyg.select(d2pyg.open(".", ids=None), budget=2).ids is None
    assert main(["select", "*.parquet", "--budget", "2", "--out", "c.npz"]) == 2
    assert "(--ids none)" in capsys.readouterr().err
    assert main(["select", "*.parquet", "--ids", "none", "--budget", "2", "--out", "c.npz"]) == 0


def test_ids_of_other_kinds():
    write(
        "1.parquet",
        emb=[[1.0, 2.0]] * 2,
        id=[0.5, 1.5],
        when=np.array([1, 2], dtype="datetime64[s]"),
        flag=[True, False],
    )
    with pytest.raises(
        ValueError, match=r"column 'id' of '1.parquet' to hold ids, integers or text \(got float64\)"
    ):
        d2pyg.open("1.parquet").ids  # noqa: B018
    with pytest.raises(ValueError, match=r"to hold ids, integers or text \(got bool\)"):
        d2pyg.open("1.parquet", ids="flag").ids  # noqa: B018
    with pytest.raises(ValueError, match=r"to hold ids, integers or text \(got vectors\)"):
        d2pyg.open("1.parquet", ids="emb").ids  # noqa: B018
    with pytest.raises(
        ValueError,
        match=r"column 'when' .* to hold numbers, truth values or text \(got values of datetime64",
    ):
        d2pyg.open("1.parquet")["when"]


def test_shards_of_several_kinds():
    write("1.parquet", emb=[[1.0, 2.0]] * 2, loss=[1, 2], id=[1, 2])
    write("2.parquet", emb=[[1.0, 2.0]] * 2, loss=[0.5, 0.25], id=["a", "b"])
    source = d2pyg.open(".")
    assert source["loss"].tolist() == [1, 2, 0.5, 0.25]
    with pytest.raises(
        ValueError, match=r"column 'id' of '2.parquet' to hold numbers, as in '1.parquet' \(got text\)"
    ):
        source.ids  # noqa: B018
    write("3.parquet", emb=[[1.0]], other=[{"a": 1}])
    with pytest.raises(
        ValueError,
        match=r"column 'other' of '3.parquet' to hold numbers, truth values, text or vectors \(got struct<a: int64>\)",
    ):
        d2pyg.open("3.parquet")["other"]


def test_pairs_of_datacomp(table):
    made.write_datacomp(Path(), table)
    Path("part-2.parquet").rename("part-2.old")
    with pytest.raises(
        ValueError,
        match=r"to hold pairs, .parquet and .npz \(got 1 .npz without .parquet, the first 'part-2.npz'\)",
    ):
        d2pyg.open(".", "l14_img")
    Path("part-2.old").rename("part-2.parquet")
    Path("part-10.npz").rename("part-10.old")
    with pytest.raises(
        ValueError, match=r"\(got 1 .parquet without .npz, the first 'part-10.parquet'\)"
    ):
        d2pyg.open(".", "l14_img")
    np.savez("part-10.npz", l14_img=np.zeros((3, 6), np.float32), l14_txt=np.zeros((3, 6), np.float32))
    with pytest.raises(
        ValueError,
        match=r"'l14_img' of 'part-10' to have a row for each sample \(got 3 in part-10.npz, 20 in part-10.parquet\)",
    ):
        d2pyg.open(".", "l14_img")
    made.write_datacomp(Path(), table)
    np.savez("part-10.npz", l14_img=np.zeros((20, 6), np.float32), uid=np.arange(20))
    with pytest.raises(
        ValueError,
        match=r"'part-10' to have columns of different names \(got 'uid' in part-10.npz and part-10.parquet\)",
    ):
        d2pyg.open(".", "l14_img")


def test_shards_of_clip_retrieval(table):
    made.write_clip_retrieval(Path(), table)
    np.save("text_emb/text_emb_9.npy", np.zeros((12, 6), np.float32))
    with pytest.raises(
        ValueError,
        match=r"to have a row for each sample \(got 13 in img_emb_9.npy, 12 in text_emb_9.npy\)",
    ):
        d2pyg.open(".", "img_emb")
    Path("text_emb/text_emb_9.npy").unlink()
    with pytest.raises(
        ValueError,
        match=r"equal shards in img_emb, text_emb, metadata \(got 1 that text_emb lacks, the first number 9, in",
    ):
        d2pyg.open(".", "img_emb")
    Path("img_emb/img_emb_9.npy").rename("img_emb/img_emb_0010.npy")
    with pytest.raises(
        ValueError, match=r"files that end in a number each, once \(got 'img_emb/img_emb_10.npy'\)"
    ):
        d2pyg.open(".", "img_emb")


@pytest.mark.parametrize("kind", ["parquet", "npy", "npz", "safetensors", "json_lines"])
def test_truncated_shards(kind, table):
    if kind == "safetensors":
        pytest.importorskip("safetensors")
    getattr(made, f"write_{kind}")(Path(), table)
    (path,) = Path().glob("part-11.*")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(
        ValueError, match=rf"Expected 'path' to be a complete {path.suffix} file .*{path.name}"
    ) as caught:
        np.asarray(d2pyg.open("."))
    assert len(str(caught.value)) < 300


def test_damage_inside_of_parquet(table):
    made.write_parquet(Path(), table, "list")
    content = bytearray(Path("part-10.parquet").read_bytes())
    content[4:600] = bytes(596)
    Path("part-10.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"'path' to be a complete .parquet file .*part-10.parquet"):
        np.asarray(d2pyg.open("."))


def test_empty_shards_are_legal_and_told(table, caplog):
    made.write_parquet(Path(), table)
    write("part-4.parquet", emb=[], loss=np.array([]), source=np.array([], str), uid=np.array([], str))
    with caplog.at_level(logging.INFO, "d2pyg"):
        source = d2pyg.open(".")
    assert caplog.messages == [
        "70 rows in 8 shards, from 'part-1.parquet' to 'part-100.parquet'",
        "1 of 8 shards have no rows, the first 'part-4.parquet'",
    ]
    assert np.array_equal(np.asarray(source), table["emb"])
    assert source.ids.tolist() == table["uid"].tolist()
    assert source["source"].tolist() == table["source"].tolist()
    assert source.description["files"][3] == {
        **source.description["files"][3],
        "name": "part-4.parquet",
        "rows": 0,
    }
    with pytest.raises(
        ValueError, match=r"column 'emb' of 'part-4.parquet' to have at least one row \(got none\)"
    ):
        d2pyg.open("part-4.parquet")


def test_columns_of_other_lengths():
    np.savez("x.npz", emb=np.zeros((4, 2)), loss=np.zeros(3))
    with pytest.raises(
        ValueError,
        match=r"column 'loss' of 'x.npz' to have a row for each sample \(got 3, and 4 of 'emb'\)",
    ):
        d2pyg.open("x.npz")["loss"]


def read(path):
    source = d2pyg.open(path)
    np.asarray(source)
    source["loss"]


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("{", r"'path' to be a complete .jsonl file .*row 2 is no JSON"),
        ("3", r"row 2 is no object, but a number"),
        ('{"emb": [1, 2]}', r"column 'loss' of 'x.jsonl' to have a value in every row \(got null in 1 rows, the first at row 2"),
        ('{"emb": [1, 2], "loss": null}', r"null in 1 rows, the first at row 2"),
        ('{"emb": [1, 2], "loss": "a"}', r"'loss' of 'x.jsonl' to hold text, truth values, .* \(got text at row 2, a number at row 0"),
        ('{"emb": [1], "loss": 1}', r"'emb' .* \(got a list of 1 numbers at row 2, a list of 2 numbers at row 0\)"),
        ('{"emb": [1, "a"], "loss": 1}', r"'emb' .* \(got a list of 2 values that are not all numbers at row 2"),
        ('{"emb": {"a": 1}, "loss": 1}', r"'emb' .* \(got an object at row 2"),
        ('{"emb": [1, null], "loss": 1}', r"'emb' .* \(got a list of 2 values that are not all numbers at row 2"),
        ('{"emb": [1, 2], "loss": NaN}', r"column 'loss' of 'x.jsonl' to have a number in every row .* the first row 2 of 'x.jsonl'"),
    ],
)  # fmt: skip
def test_json_lines(line, match):
    Path("x.jsonl").write_text(
        '{"emb": [1, 2], "loss": 1}\n' * 2 + line + '\n{"emb": [1, 2], "loss": 1}\n'
    )
    with pytest.raises(ValueError, match=match):
        read("x.jsonl")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", r"'x.csv' to have names of columns in its first line \(got no line\)"),
        ("a,a\n1,2\n", r"names of columns in its first line \(got 'a' twice\)"),
        ("a,b\n1,2\n3\n", r"to be a complete .csv file .*row 1 has 1 fields, not 2"),
        ('a,b\n1,"2\n', r"to be a complete .csv file .*unexpected end of data"),
        (
            "a,b\n1,nan\n2,3\n",
            r"column 'b' of 'x.csv' to have a number in every row .* first row 0 of 'x.csv'",
        ),
    ],
)
def test_csv(text, match, capsys):
    Path("x.csv").write_text(text)
    np.save("x.npy", np.eye(2))
    assert main(["select", "x.npy", "--scores", "x.csv:b", "--budget", "1", "--out", "c.npz"]) == 2
    assert re.search(match, capsys.readouterr().err)


@pytest.mark.parametrize("suffix", [".gz", pytest.param(".zst", marks=pytest.mark.extensions)])
def test_packed_files_that_were_cut_short(suffix):
    if suffix == ".zst":
        pytest.importorskip("zstandard")
    import pyarrow as pa

    text = made.csv_text({"b": np.random.default_rng(0).random(10000)}).encode()
    packed = gzip.compress(text) if suffix == ".gz" else pa.compress(text, "zstd", asbytes=True)
    Path(f"x.csv{suffix}").write_bytes(packed[: len(packed) // 2])
    np.save("x.npy", np.zeros((10000, 1)))
    with pytest.raises(ValueError, match=rf"'scores' to be a complete {suffix} file"):
        read_array("scores", f"x.csv{suffix}:b")


def test_names_that_are_empty():
    Path("x.csv").write_text("id,b\na,1\n,2\n")
    with pytest.raises(
        ValueError,
        match=r"column 'id' of 'x.csv' to have a value .* nothing in 1 rows, the first row 1 of 'x.csv'",
    ):
        read_array("ids", "x.csv:id")


def test_paths(table):
    with pytest.raises(FileNotFoundError, match=r"'path' to be a file that exists \(got 'none'\)"):
        d2pyg.open("none")
    with pytest.raises(
        FileNotFoundError, match=r"'path' to be a file that exists \(got 'none/\*.npy'\)"
    ):
        d2pyg.open("none/*.npy")
    with pytest.raises(ValueError, match=r"'path' to be at least one file \(got \[\]\)"):
        d2pyg.open([])
    with pytest.raises(TypeError, match=r"'path' to be a path or a list of paths \(got int\)"):
        d2pyg.open(3)
    Path("empty").mkdir()
    with pytest.raises(
        ValueError, match=r"a folder with files of a kind that is read \(got 'empty', with no file\)"
    ):
        d2pyg.open("empty")
    Path("empty/a.tar").touch()
    with pytest.raises(ValueError, match=r"\(got 'empty', with .tar\)"):
        d2pyg.open("empty")
    with pytest.raises(ValueError, match=r"'path' to end in one of .csv, .* \(got 'empty/a.tar'\)"):
        d2pyg.open("empty/a.tar")
    made.write_npy(Path(), table)
    np.savez("x.npz", emb=np.eye(2))
    with pytest.raises(
        ValueError,
        match=r"files of one format \(got 7 of npy, 1 of npz\). Name those you want by a pattern",
    ):
        d2pyg.open(".")
    assert len(d2pyg.open(".", format="npz")) == 2
    with pytest.raises(ValueError, match=r"'rows' to be a range without steps"):
        d2pyg.open("x.npz").rows(slice(0, 2, 2))
    with pytest.raises(
        ValueError, match=r"'path' to name each file once \(got '.*part-1.npy' 2 times\)"
    ):
        d2pyg.open(["part-*.npy", "./part-1.npy"])
    with pytest.raises(
        FileNotFoundError, match=r"'scores' to be a file that exists \(got 'none.parquet'\)"
    ):
        read_array("scores", "none.parquet:loss")
    for column in [], 3:
        with pytest.raises(TypeError, match=r"'column' to be the name of a column, or a list of names"):
            d2pyg.open("x.npz", column)
    np.save("number.npy", 1.0)
    with pytest.raises(
        ValueError, match=r"'number.npy' to be an array with rows \(got a single number\)"
    ):
        d2pyg.open("number.npy")


def test_work_folders(table, monkeypatch):
    made.write_npz(Path(), table)
    with pytest.raises(FileNotFoundError, match=r"'work' to be a folder that exists \(got 'none'\)"):
        d2pyg.open(".", work="none")
    Path("work").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
        with pytest.raises(
            PermissionError, match=r"'work' to be a folder that can be written to \(got 'work'\)"
        ):
            d2pyg.open(".", work="work")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large: 'work'"):
            np.asarray(d2pyg.open(".", work="work"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(Path("work").iterdir()) == []


def test_more_than_memory_holds(table, monkeypatch):
    from d2pyg._base import content

    made.write_npz(Path(), table)
    monkeypatch.setattr(content, "_SMALL", 100)
    monkeypatch.setattr(content, "free_bytes", lambda device: 1500)
    with pytest.raises(
        ValueError,
        match=r"fit into memory \(got shape \(70, 6\): it takes 0 MB .* Pass d2pyg.open\(..., work='folder'\)",
    ):
        np.asarray(d2pyg.open("."))
    assert np.array_equal(np.asarray(d2pyg.open(".", work=".")), table["emb"])


def test_no_output_becomes_a_shard(table, capsys):
    Path("pool").mkdir()
    made.write_npy(Path("pool"), table)
    for words in (
        "select pool --budget 3 --out pool/c.npy",
        "graph pool --out pool/g.pt",
        "select pool --budget 3 --out c.npy --removed pool/r.npy",
        "select pool/*.npy --budget 3 --out pool/c.npy",
    ):
        assert main(words.split()) == 2
        assert "to lie outside of the folders of inputs" in capsys.readouterr().err
    assert len(list(Path("pool").iterdir())) == 7


def test_a_column_of_no_source(capsys):
    np.save("x.npy", np.eye(3))
    assert main(["graph", "x.npy", "--k", "1", "--out", "g.pt"]) == 0
    assert main(["select", "g.pt", "--scores", ":loss", "--budget", "1", "--out", "c.npz"]) == 2
    assert (
        "'scores' to be a file where the embeddings are none with columns (got ':loss')"
        in capsys.readouterr().err
    )
    assert main(["select", "x.npy", "--scores", ":loss", "--budget", "1", "--out", "c.npz"]) == 2
    assert "'x.npy' to have a column 'loss' (got " in capsys.readouterr().err


def test_nothing_is_unpickled(tmp_path):
    class Attack:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'owned')!r}, 'w')",)

    good = np.zeros((2, 2))
    np.save("1.npy", good)
    np.save("2.npy", np.array([[Attack(), Attack()]], dtype=object))
    np.savez("a.npz", emb=np.array([[Attack(), Attack()]], dtype=object))
    for path in "*.npy", "a.npz":
        with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
            np.asarray(d2pyg.open(path))
    assert not (tmp_path / "owned").exists()


def test_whole_numbers_of_64_bits():
    def ids(*names):
        lines = (f'{{"emb": [{i}], "id": {name}}}\n' for i, name in enumerate(names))
        Path("x.jsonl").write_text("".join(lines))
        return d2pyg.open("x.jsonl").ids

    assert ids(1, 2**63).tolist() == ["1", str(2**63)]
    assert ids(1, 2**63 - 1).tolist() == [1, 2**63 - 1]
    assert ids(-1, 2).tolist() == [-1, 2]
    assert ids(*range(5000), 2**64 - 1).tolist()[-2:] == ["4999", str(2**64 - 1)]  # in the next block
    with pytest.raises(
        ValueError, match=r"'id' of 'x.jsonl' .* .got whole numbers of more than 64 bits"
    ):
        ids(-1, 2**63)
    with pytest.raises(
        ValueError, match=r"to hold whole numbers that 64 bits hold .got 18446744073709551615, and"
    ):
        ids(*range(-1, 4095), 2**64 - 1)


@pytest.mark.parametrize("there", [4, 6])
def test_a_format_that_counts_wrongly(there):
    @d2pyg.register("source", "wrong")
    class Wrong(d2pyg.sources.Table):
        suffixes = (".wrong",)
        columns = ("emb",)

        def length(self, column):
            return 5

        def blocks(self, column, start, stop):
            yield np.zeros((2, 3))
            yield np.zeros((there - 2, 3))

    Path("x.wrong").touch()
    with pytest.raises(
        ValueError, match=rf"'emb' of 'x.wrong' to have the 5 rows from 0 on .*\(got {there}\)"
    ):
        np.asarray(d2pyg.open("x.wrong"))
