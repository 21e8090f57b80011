"""Code that is kept for later runs: used where it can be trusted, and never in the way."""

import os
import pickle
from pathlib import Path

import pytest
from numba.core import config

from d2pyg._base import compiled as module
from d2pyg._base.compiled import compiled


def fresh():
    """A function that is compiled, as in a new run."""

    @compiled
    def double(x):
        return 2 * x

    return double


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(module.SWITCH, raising=False)
    return tmp_path / "cache"


def kept(cache, suffix):
    return list(cache.rglob(f"*{suffix}"))


def was_read(function):
    assert function(21) == 42
    return sum(function.stats.cache_hits.values()) == 1


def test_code_is_kept(cache):
    assert not was_read(fresh())
    assert len(kept(cache, ".nbi")) == len(kept(cache, ".nbc")) == 1
    assert was_read(fresh())


def damaged(content, damage):
    if damage == "one bit":
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    return {"empty": b"", "cut": content[: len(content) // 2], "garbage": b"garbage" * 99}[damage]


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "one bit"])
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_code_is_compiled_again(suffix, damage, cache):
    fresh()(21)
    (path,) = kept(cache, suffix)
    path.write_bytes(damaged(path.read_bytes(), damage))
    assert not was_read(fresh())
    assert was_read(fresh())


def test_a_damaged_file_that_cannot_be_removed(cache, monkeypatch):
    fresh()(21)
    kept(cache, ".nbi")[0].write_bytes(b"")

    def refused(*_, **__):
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refused)
    assert not was_read(fresh())


def test_a_full_folder(cache, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(module._File, "_save_data", full)
    assert not was_read(fresh())
    assert kept(cache, ".nbc") == []


def test_no_folder(cache, monkeypatch):
    def nowhere(*_):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(module._Cache, "_impl_class", nowhere)
    assert not was_read(fresh())


@pytest.mark.parametrize("trouble", ["others write", "another group writes", "another user"])
def test_code_that_others_can_change_is_never_read(trouble, cache, tmp_path, monkeypatch):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    fresh()(21)
    (index,) = kept(cache, ".nbi")
    index.write_bytes(pickle.dumps(Attack()))
    index.parent.chmod(
        {"others write": 0o777, "another group writes": 0o775, "another user": 0o755}[trouble]
    )
    if trouble == "another user":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        os.chown(index.parent, 54321, -1) if os.getuid() == 0 else None
    elif trouble == "another group writes":
        monkeypatch.setattr(os, "getegid", lambda: 12345)
        os.chown(index.parent, -1, 54321) if os.getuid() == 0 else None
    assert not was_read(fresh())
    assert not (tmp_path / "owned").exists()


def test_the_switch(cache, monkeypatch):
    monkeypatch.setenv(module.SWITCH, "0")
    assert not was_read(fresh())
    assert not cache.exists()
