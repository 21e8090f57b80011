"""Folders as outputs: there when they are complete, and not before."""

import os
from pathlib import Path

import pytest

from d2pyg._base.folders import check_folder, replacing_folder
from d2pyg._base.outputs import discard_temporary, recorded


def test_nothing_is_there_until_all_is(tmp_path):
    with recorded() as written, replacing_folder(tmp_path / "out") as folder:
        with folder.file("inner/a.txt") as file:
            file.write(b"a")
        assert not (tmp_path / "out").exists()
        assert written == []
    assert (tmp_path / "out/inner/a.txt").read_bytes() == b"a"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert written == [tmp_path / "out"]


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "out").mkdir()

    def work():
        with replacing_folder(tmp_path / "out") as folder:
            with folder.file("a.txt") as file:
                file.write(b"a")
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_what_somebody_else_has_put_there_stays(tmp_path):
    def work():
        with replacing_folder(tmp_path / "out"):
            (tmp_path / "out").mkdir()
            (tmp_path / "out/theirs").touch()

    with pytest.raises(OSError, match=r"not empty: '.*out'"):
        work()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "theirs"]


def test_a_link_stays(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    with replacing_folder(tmp_path / "out") as folder, folder.file("a") as file:
        file.write(b"a")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real/a").read_bytes() == b"a"


def test_a_program_that_exits_at_once_takes_it_along(tmp_path):
    with replacing_folder(tmp_path / "out") as folder:
        with folder.file("a") as file:
            file.write(b"a")
        discard_temporary()
        assert [*tmp_path.iterdir()] == []
        folder.path.mkdir()
    assert [*(tmp_path / "out").iterdir()] == []


def test_leftovers_of_others_stay(tmp_path):
    """Links, files and folders of other names are not what a killed run left."""
    name = f".d2pyg-{'0' * 16}.dir"
    (tmp_path / "real").mkdir()
    (tmp_path / name).symlink_to("real")
    (tmp_path / f"{name}.d").mkdir()
    with replacing_folder(tmp_path / "out"):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}.d", "out", "real"])  # noqa: PTH208


def test_checked_before_work_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_folder("out", "new") == Path("new")
    assert [*tmp_path.iterdir()] == []
    Path("file").touch()
    with pytest.raises(ValueError, match=r"'out' to be a folder .* is empty \(got 'file', a file\)"):
        check_folder("out", "file")
