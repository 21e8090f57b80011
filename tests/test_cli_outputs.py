"""What select and duplicates write besides: lists for other programs, and tables of all rows."""

import csv
from pathlib import Path

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main

UIDS = [f"{7919 * i:032x}" for i in range(50)]


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.normal(size=(50, 3)))
    Path("uid.txt").write_text("\n".join(UIDS))
    return tmp_path


def test_all_outputs_of_select(files, capsys):
    parquet = pytest.importorskip("pyarrow.parquet")
    command = (
        "select x.npy --ids uid.txt --keep 0.3 --out c.npz --kept kept.txt --removed removed.parquet"
    )
    assert main(f"{command} --datacomp subset.npy --rows rows.csv".split()) == 0
    coreset = d2pyg.Coreset.load("c.npz")
    kept = coreset.kept_ids.tolist()
    assert Path("kept.txt").read_text().split() == kept
    table = parquet.read_table("removed.parquet")
    assert table.to_pydict() == {"id": [uid for uid in UIDS if uid not in kept]}
    assert [f"{a:016x}{b:016x}" for a, b in np.load("subset.npy").tolist()] == sorted(kept)
    rows = [*csv.DictReader(Path("rows.csv").read_text().splitlines())]
    assert [row["id"] for row in rows] == UIDS
    assert {row["id"] for row in rows if row["kept"] == "True"} == {*kept}
    assert any(row["lowered_by_id"] in kept for row in rows)


def test_a_parquet_list_is_read_back(files):
    """As --initial, with names and without."""
    pytest.importorskip("pyarrow")
    for options, initial in ("--ids uid.txt", "names.parquet"), ("", "numbers.parquet"):
        assert main(f"select x.npy {options} --keep 0.1 --out a.npz --kept {initial}".split()) == 0
        assert main(f"select x.npy {options} --keep 0.1 --initial {initial} --out b.npz".split()) == 0
        first = d2pyg.Coreset.load("a.npz").index.tolist()
        assert d2pyg.Coreset.load("b.npz").settings["initial"] == first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--datacomp s.npy", "'datacomp' for ids that are DataComp's uids, of 32 hex digits (got none)"),
        ("--datacomp s.txt", "'datacomp' to end in one of .npy"),
        ("--rows r.npy", "'rows' to end in one of .csv, .parquet"),
        ("--kept k.txt --removed k.txt", "'removed' to differ from 'kept'"),
        ("--rows x.npy.csv --kept x.npy", "'kept' to differ from the inputs"),
        ("--rows no/r.csv", "'rows' to be in a folder that exists"),
    ],
)
def test_nothing_is_written_where_one_output_is_wrong(files, words, told, capsys):
    assert main(f"select x.npy --keep 0.3 --out c.npz {words}".split()) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["uid.txt", "x.npy"]


def test_duplicates_list_what_to_remove(files):
    parquet = pytest.importorskip("pyarrow.parquet")
    x = np.load("x.npy")
    np.save("twice.npy", np.concatenate([x[:25], x[:25]]))
    command = "duplicates twice.npy --threshold 1e-6 --ids uid.txt --out d.csv"
    assert main(f"{command} --kept kept.txt --removed removed.parquet".split()) == 0
    assert Path("kept.txt").read_text().split() == UIDS[:25]
    assert parquet.read_table("removed.parquet")["id"].to_pylist() == UIDS[25:]
