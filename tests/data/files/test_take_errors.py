"""take_files on bad input: one line that names file and row, and nothing that is half there."""

import errno
import gzip
import io
import itertools
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from file_cases import (
    IDS,
    coreset_of,
    plain_tar,
    rows_of,
    write_csv,
    write_jsonl,
    write_parquet,
    write_tar,
    write_zst,
)

import d2pyg
from d2pyg import take_files

HEX = IDS["hex"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(data, match, coreset=None, out="few.jsonl", kind=ValueError, **options):
    """Nothing but what was there is there afterwards."""
    before = sorted(map(str, Path().rglob("*")))
    with pytest.raises(kind, match=match) as caught:
        take_files(data, coreset_of(HEX) if coreset is None else coreset, out, **options)
    assert len(str(caught.value)) < 300
    assert sorted(map(str, Path().rglob("*"))) == before


def shards(rows, *ends, name="part-{}.jsonl"):
    Path("all").mkdir()
    for number, (start, end) in enumerate(itertools.pairwise(ends)):
        write_jsonl(Path("all") / name.format(number), rows[start:end])


def test_other_counts(here):
    shards(rows_of(HEX), 0, 10, 10, 39)
    told = r"each of the 40 samples of the coreset \(got 39 rows in 3 files, 1 of them empty"
    refused("all", told + rf", none of them '{HEX[39]}'\). Check that all files", out="few")
    refused("all", told + r"\)", coreset_of(), out="few")
    refused("all", told + r"\)", out="few", ids=False)
    write_jsonl(here / "all.jsonl", [*rows_of(HEX), *rows_of(HEX)[:5]])
    refused("all.jsonl", r"\(got 45 rows in 1 file\)", coreset_of())
    write_jsonl(here / "all.jsonl", rows_of(HEX)[::-1][:39])
    refused("all.jsonl", rf"got 39 rows in 1 file, none of them '{HEX[0]}'\)")


def test_ids_that_the_coreset_does_not_have(here):
    rows = rows_of(HEX)
    rows[12]["id"] = "other"
    shards(rows, 0, 10, 40)
    refused(
        "all",
        rf"\(got id 'other' in row 2 of all/part-1.jsonl, and in the coreset '{HEX[0]}', ...\)",
        out="few",
    )
    refused("all", "got number 0 in row 0 of all/part-0.jsonl", out="few", ids="number")
    rows[12]["id"] = 1.5
    write_jsonl(here / "all.jsonl", rows)
    refused(
        "all.jsonl",
        "text or integers \\(got id 1.5 in row 12 of all.jsonl\\). Name the column with 'ids'",
    )
    write_jsonl(here / "all.jsonl", [{**row, "id": str(i).zfill(2)} for i, row in enumerate(rows)])
    refused("all.jsonl", "got id '00' in row 0", coreset_of(range(40)))  # is not 0
    write_jsonl(here / "all.jsonl", [{**row, "id": "x"} for row in rows])
    refused("all.jsonl", "got id 'x' in row 0", coreset_of(range(40)))


def test_ids_twice(here):
    rows = rows_of(HEX)
    shards([*rows, rows[3], rows[20]], 0, 10, 40, 42)
    told = rf"got 2 rows with the id of an earlier one, the first '{HEX[3]}' in row 0 of all/part-2.jsonl, as in row 3 of"
    refused("all", told, out="few")
    rows[15]["id"] = HEX[2]
    write_jsonl(here / "all.jsonl", rows)
    refused(
        "all.jsonl", rf"got 1 row with .* '{HEX[2]}' in row 15 of all.jsonl, as in row 2 of all.jsonl"
    )


def test_columns_of_ids(here):
    rows = rows_of(HEX)
    shards(rows, 0, 10, 40)
    refused(
        "all",
        "column 'uid' of ids in all files \\(got id, text, number in row 0 of all/part-0",
        out="few",
        ids="uid",
    )
    write_jsonl(here / "all/part-1.jsonl", [{"text": "no id"}] * 30)
    refused("all", "column 'id' of ids in all files \\(got text in row 0 of all/part-1.jsonl", out="few")
    write_jsonl(here / "all.jsonl", [*rows[:39], {"text": "no id"}])
    refused("all.jsonl", "got no 'id' in row 39 of all.jsonl\\). Give every row an id")
    refused(
        "all.jsonl",
        "a coreset with ids for 'ids' \\(got 'id' and one without\\)",
        coreset_of(),
        ids="id",
    )
    refused(
        "all.jsonl",
        "'ids' to be a column's name, None or False \\(got True\\)",
        kind=TypeError,
        ids=True,
    )
    refused("all.jsonl", "'ids' to be .* \\(got 3\\)", kind=TypeError, ids=3)


def test_the_advice_works(here):
    """Without a column rows go by number; another column, or none, is taken on request."""
    rows = [{**row, "name": row["id"], "id": row["number"]} for row in rows_of(HEX)]
    write_jsonl(here / "all.jsonl", rows)
    refused("all.jsonl", "Name the column with 'ids', or go by row numbers with 'ids=False'")
    assert take_files("all.jsonl", coreset_of(HEX), "1.jsonl", ids="name").column == "name"
    assert take_files("all.jsonl", coreset_of(HEX), "2.jsonl", ids=False).column is None
    assert Path("1.jsonl").read_bytes() == Path("2.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1, 2]", "got a list in row 7 of all.jsonl"),
        ('{"id": "a"', 'got \'{"id": "a"\': Expecting'),
        ("\udcff", "Write one JSON object a line, in UTF-8"),
        ("[" * 10_000, "recursion"),
    ],
)
def test_lines_that_are_no_rows(here, line, told):
    lines = [json.dumps(row) for row in rows_of(HEX)]
    lines[7] = line
    Path("all.jsonl").write_text("\n".join(lines), errors="surrogateescape")
    refused("all.jsonl", told, coreset_of())


def test_a_json_list_is_told(here):
    Path("all.json").write_text(json.dumps(rows_of(HEX), indent=2))
    refused(
        "all.json",
        "got '\\[': .* in row 0 of all.json\\). Write one JSON object a line",
        coreset_of(),
        "few.json",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('id,text\na,"b\n', "unexpected end of data in row 0 of all.csv"),
        ('id,text\na,b\nc,"d"e\n', "expected after '\"' in row 1 of all.csv"),
        ("id,text\na,b\nc\n", "got 1 fields under a header of 2 in row 1 of all.csv"),
        ("i\0d\n", "NUL.* in row 0 of all.csv"),
    ],
)
def test_csv_that_is_none(here, text, told):
    Path("all.csv").write_text(text)
    refused("all.csv", told, coreset_of(), "few.csv")


def test_files_that_were_cut(here):
    pytest.importorskip("pyarrow")
    rows, coreset = rows_of(HEX), coreset_of(HEX)
    write_jsonl(here / "all.jsonl", rows)
    Path("all.jsonl.gz").write_bytes(gzip.compress(Path("all.jsonl").read_bytes())[:-20])
    refused(
        "all.jsonl.gz",
        r"read to their end \(got 'all.jsonl.gz': Compressed file ended before .*, after 0 rows\)",
    )
    Path("other.jsonl.gz").write_bytes(Path("all.jsonl").read_bytes())
    refused("other.jsonl.gz", "got 'other.jsonl.gz': Not a gzipped file")
    write_parquet(here / "all.parquet", rows)
    Path("all.parquet").write_bytes(Path("all.parquet").read_bytes()[:-20])
    refused("all.parquet", "got 'all.parquet': Parquet", coreset, "few.parquet")
    plain_tar("all.tar", [(f"{i}.txt", b"x" * 600) for i in range(3)])
    content = Path("all.tar").read_bytes()
    for size, told in (
        (2500, "got 'all.tar': unexpected end of data, after 0 rows"),
        (3072, "got 2 rows in 1 file"),
    ):
        Path("all.tar").write_bytes(content[:size])
        refused("all.tar", told, d2pyg.select(np.eye(3), budget=1, k=1, ids=["0", "1", "2"]), "few.tar")
    Path("all.tar").write_bytes(b"no tar" * 200)
    refused("all.tar", "got 'all.tar': ", coreset, "few.tar")


@pytest.mark.extensions
def test_zstandard_that_was_cut(here):
    pytest.importorskip("zstandard")
    write_zst(here / "all.jsonl.zst", rows_of(HEX))
    content = Path("all.jsonl.zst").read_bytes()
    Path("all.jsonl.zst").write_bytes(content[:-1])
    refused("all.jsonl.zst", "got 'all.jsonl.zst': it ends within a frame, after [0-9]+ rows")
    Path("all.jsonl.zst").write_bytes(content[::-1])
    refused("all.jsonl.zst", "got 'all.jsonl.zst': ")


@pytest.mark.extensions
def test_webdataset_by_a_member(here):
    pytest.importorskip("webdataset")
    write_tar(here / "all.tar", rows_of(HEX))
    refused(
        "all.tar",
        f"got __key__ '000000' in row 0 of all.tar, and in the coreset '{HEX[0]}'",
        out="few.tar",
    )
    refused("all.tar", "got no 'uid' in 000000.json in row 0 of all.tar", out="few.tar", ids="uid")
    plain_tar("bad.tar", [("a.json", b"{")])
    refused("bad.tar", "got no 'id' in a.json in row 0 of bad.tar", out="few.tar", ids="id")


def test_sparse_members(here):
    with Path("holes.txt").open("wb") as file:
        file.truncate(1 << 20)
        file.write(b"x")
    if os.system("tar --sparse -cf all.tar holes.txt 2> /dev/null"):
        pytest.skip("needs GNU tar")
    with tarfile.open("all.tar") as tar:
        assert tar.next().sparse is not None
    refused("all.tar", "got the sparse member 'holes.txt' in row 0 of all.tar", out="few.tar")


def test_hugging_face_folders_that_are_none(here):
    Path("all").mkdir()
    Path("all/dataset_info.json").write_text("{}")
    for state in ("{", "[]", '{"_data_files": []}', '{"_data_files": [{"filename": "../x.arrow"}]}',
                  '{"_data_files": [{"filename": "x.arrow"}], "_indices_data_files": [1]}'):  # fmt: skip
        Path("all/state.json").write_text(state)
        refused("all", "as save_to_disk writes it \\(got 'all', whose state.json", out="few")
    Path("all/state.json").write_text('{"_data_files": [{"filename": "x.arrow"}]}')
    refused("all", "files that exist \\(got 'all/x.arrow'\\)", out="few")
    Path("all/x.arrow").write_bytes(b"ARROW1")
    Path("all/state.json").write_text(
        '{"_data_files": [{"filename": "x.arrow"}, {"filename": "x.arrow"}]}'
    )
    refused("all", "whose state.json names other files", out="few")
    Path("all/state.json").write_text('{"_data_files": [{"filename": "x.arrow"}]}')
    refused("all", "got 'all/x.arrow': ", out="few")


def test_what_there_is_not(here):
    Path("empty").mkdir()
    Path("two").mkdir()
    Path("x.txt").write_text("x")
    for name in ("two/a.jsonl", "two/b.csv"):
        Path(name).touch()
    for data in ("no.jsonl", "empty", "*.csv", ["no.jsonl"], ["two/a.jsonl", "*.tsv"]):
        refused(
            data,
            "where there are none\\). Check the path; files end in .jsonl, .ndjson, ",
            kind=FileNotFoundError,
        )
    refused("x.txt", "'data' to end in .jsonl, .*\\(got 'x.txt'\\). The suffix says the format")
    refused([], "got an empty list")
    refused(3, "a path, a pattern or a list of paths \\(got int\\)", kind=TypeError)
    refused([3], "got list", kind=TypeError)
    refused("two", "files of one kind \\(got 1 .*, 1 .*\\). Name those, such as with 'two/\\*")
    Path("two/c.csv").touch()
    refused("two", "such as with 'two/\\*.csv'")
    Path("x.parquet.gz").touch()
    refused("x.parquet.gz", "'data' to end in")


def test_where_not_to_write(here):
    shards(rows_of(HEX), 0, 10, 40)
    coreset = coreset_of(HEX)
    one = "all/part-0.jsonl"
    refused(one, "'out' to differ from 'data'", out=Path("all/../all/part-0.jsonl"))
    refused(one, "end in .jsonl, .ndjson, .json \\(got 'few.csv'\\)", out="few.csv")
    refused(one, "end in .jsonl", out="few")
    refused(one, "folder that exists", out="no/few.jsonl", kind=FileNotFoundError)
    refused(one, "'out' to be a path \\(got int\\)", out=3, kind=TypeError)
    refused(
        "all",
        "a folder that is not there yet, or is empty \\(got 'all', a folder with content\\)",
        out="all",
    )
    refused("all", "folder that exists \\(got 'no/few'\\)", out="no/few", kind=FileNotFoundError)
    refused("all", r"outside of the folder of 'data' \(got 'all/few' in 'all'\)", out="all/few")
    refused("all", "as 'data' is a folder or several files \\(got 'few.jsonl'\\)")
    Path("few").touch()
    refused("all", "\\(got 'few', a file\\)", out="few")
    Path("more").mkdir()
    Path("more/part-0.jsonl").write_bytes(b"")
    refused(
        ["all/part-0.jsonl", "more/part-0.jsonl"],
        "different names \\(got 'part-0.jsonl' twice\\). Name the folder that they are in",
        out="out",
    )
    with pytest.raises(TypeError, match="'coreset' to be a Coreset \\(got list\\)"):
        take_files("all", coreset.index.tolist(), "out")
    Path("a folder/b").mkdir(parents=True)
    take_files("all", coreset, "a folder/b")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folders(here):
    shards(rows_of(HEX), 0, 40)
    Path("locked").mkdir(mode=0o500)
    refused("all", "can be written to \\(got 'locked/few'\\)", out="locked/few", kind=PermissionError)
    refused("all/part-0.jsonl", "can be written to", out="locked/few.jsonl", kind=PermissionError)


@pytest.mark.parametrize("kind", ["one", "folder", "gz", "parquet", "csv", "tar"])
def test_no_space_left(here, monkeypatch, kind):
    """Whatever a library makes of the error: pyarrow, gzip and tarfile write through it."""
    rows = rows_of(HEX)
    write_jsonl(here / "all.jsonl", rows)
    Path("all.jsonl.gz").write_bytes(gzip.compress(Path("all.jsonl").read_bytes()))
    write_csv(here / "all.csv", rows)
    plain_tar("all.tar", [(f"{name}.txt", b"x" * 600) for name in HEX])
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        write_parquet(here / "all.parquet", rows)
    data, out = {
        "one": ("all.jsonl", "few.jsonl"), "folder": (["all.jsonl"], "few"), "gz": ("all.jsonl.gz", "few.jsonl.gz"),
        "parquet": ("all.parquet", "few.parquet"), "csv": ("all.csv", "few.csv"), "tar": ("all.tar", "few.tar"),
    }[kind]  # fmt: skip
    real = os.fdopen

    class Full(io.FileIO):
        raw = property(lambda self: self)

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        "d2pyg._base.temporary.os.fdopen", lambda descriptor, mode: Full(descriptor, mode)
    )
    coreset = coreset_of(HEX)
    name = "few/all.jsonl" if kind == "folder" else out
    refused(data, rf"No space left on device: '{here / name}'", coreset, out, kind=OSError)
    monkeypatch.setattr("d2pyg._base.temporary.os.fdopen", real)
    take_files(data, coreset, out)
