"""The benchmark scripts run; what they time is theirs to say."""

import json
import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    def run(script, *arguments):
        monkeypatch.syspath_prepend(BENCHMARKS)
        monkeypatch.setattr(sys, "argv", [script, *arguments, "--out", str(tmp_path / "out")])
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
        return json.loads((tmp_path / "out.json").read_text()), (tmp_path / "out.md").read_text()

    return run


def test_select_speed(run):
    pytest.importorskip("scipy")
    result, table = run("select_speed.py", "--nodes", "600", "--repeats", "1")
    rows = result["rows"]
    assert {row["engine"] for row in rows} == {"heap", "rounds", "sequential"}
    assert {row["data"] for row in rows} == {"clusters", "curve"}
    assert all(row["seconds"] > 0 and row["memory_over_graph"] >= 1 for row in rows)
    rounds = [row for row in rows if row["engine"] == "rounds"]
    assert all(row["bytes_over_one_pass"] > 0 and row["phases_s"]["rounds"] > 0 for row in rounds)
    assert table.count("\n| clusters | 600 |") == 24


def test_ready_speed(run):
    pytest.importorskip("scipy")
    result, table = run("ready_speed.py", "--nodes", "600", "--repeats", "1")
    assert [row["data"] for row in result["rows"]] == ["clusters", "curve"]
    for row in result["rows"]:
        assert row["edges"] < row["edges_both"] < 2 * row["edges"]
        assert row["ratio"] > 0 < row["select_s"]
    assert "\n| clusters | 600 | 3000 |" in table


def test_extend_speed(run):
    result, table = run("extend_speed.py", "--sizes", "400+20x8", "--repeats", "1", "--k", "5")
    (row,) = result["rows"]
    assert (row["old"], row["new"], row["dim"], row["k"]) == (400, 20, 8, 5)
    assert row["graph_s"] > 0 < row["extend_s"]
    assert 0 < row["pairs"] < 0.1 > row["lost"] > 0
    assert "| 400 | 20 | 8 | 5 | 1 |" in table


def test_knn_speed(run):
    result, table = run("knn_speed.py", "--sizes", "400x8", "--repeats", "1", "--k", "5")
    rows = {row["backend"]: row for row in result["rows"]}
    assert rows["torch"]["recall"] == 1
    assert all(row["recall"] > 0.9 and row["seconds"] > 0 for row in rows.values())
    assert "| 400 | 8 | 5 | torch |" in table


def test_baselines_speed(run):
    result, table = run("baselines_speed.py", "--nodes", "300", "--methods", "random", "dual", "d2")
    assert [row["method"] for row in result["rows"]] == ["random", "dual", "d2"]
    assert all(row["picks"] == 90 and row["seconds"] > 0 for row in result["rows"])
    assert "| dual | 300 | 128 | 90 |" in table


def test_duplicates_speed(run):
    result, table = run("duplicates_speed.py", "--sizes", "400x8", "--repeats", "1")
    rows = {row["data"]: row for row in result["rows"]}
    assert rows["none"]["removed"] == 0
    assert rows["pairs"]["removed"] == rows["pairs"]["groups"] == 40
    assert (rows["crowd"]["removed"], rows["crowd"]["groups"]) == (20, 1)
    assert all(row["seconds"] > 0 and row["graph_seconds"] > 0 for row in rows.values())
    assert "| crowd | 400 | 8 | 20 | 1 |" in table


def test_a_dot_in_the_name_of_the_results_is_kept(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import measure

    for share in "0.1", "0.2":
        measure.write(tmp_path / f"flip-{share}", {"share": share}, f"{share}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "flip-0.1.json", "flip-0.1.md", "flip-0.2.json", "flip-0.2.md",
    ]  # fmt: skip


def test_help_speed(run):
    result, table = run("help_speed.py", "--runs", "1")
    taken = {row["process"]: row["seconds"] for row in result["rows"]}
    assert len(taken) == 6
    assert all(value > 0 for value in taken.values())
    assert "| `d2pyg --help` |" in table


def test_cells_speed(run):
    options = ["--sizes", "600", "--data", "mixture", "none", "--peers", "--k", "5", "--threads", "1"]
    result, table = run("cells_speed.py", *options)
    assert [row["data"] for row in result["rows"]] == ["mixture", "none"]
    for row in result["rows"]:
        # Of so few samples all pairs are compared.
        assert row["found"] == row["recall"]["value"] == 1
        assert 0.9 < row["products"] <= 1
        assert row["cells_s"] > 0 < row["exact_s"]
    assert "| mixture | 600 | 128 |" in table


def test_hard_data_speed(run):
    options = ["--nodes", "300", "--dim", "8", "--wide", "--k", "5", "--repeats", "1", "--threads", "1"]
    result, table = run("hard_data_speed.py", *options)
    assert len(result["rows"]) == 18
    assert all(row["ratio"] > 0 < row["plain_s"] for row in result["rows"])
    assert "| one row of 1e8 | 300 | 8 | euclidean |" in table
