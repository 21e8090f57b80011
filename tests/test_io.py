import os
from pathlib import Path

import numpy as np
import pytest
import torch

from d2pyg.io import read_array


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.arange(6, dtype=np.float16).reshape(3, 2)
    np.save("x.npy", x)
    np.savez("one.npz", only=x)
    np.savez("two.npz", a=x, b=x + 1)
    torch.save(torch.from_numpy(x), "x.pt")
    torch.save({"a": torch.from_numpy(x), "b": torch.ones(1)}, "two.pt")
    return x


@pytest.mark.parametrize("spec", ["x.npy", "one.npz", "one.npz:only", "two.npz:a", "x.pt", "two.pt:a"])
def test_reads(spec, files):
    assert np.asarray(read_array("x", spec)).tolist() == files.tolist()


def test_reads_safetensors(files):
    save = pytest.importorskip("safetensors.torch").save_file
    save({"a": torch.from_numpy(files).bfloat16(), "b": torch.ones(1)}, "two.safetensors")
    read = read_array("x", "two.safetensors:a")
    assert read.dtype == torch.bfloat16
    assert read.tolist() == files.tolist()


def test_reads_names(files, tmp_path):
    (tmp_path / "names.txt").write_text("a b\nç\n", encoding="utf-8")
    assert read_array("ids", "names.txt").tolist() == ["a b", "ç"]


def test_npy_is_memory_mapped_and_never_written_to(files):
    array = read_array("x", "x.npy")
    assert isinstance(array, np.memmap)
    array[:] = 0
    assert np.load("x.npy").tolist() == files.tolist()


def test_paths_with_colons(files, tmp_path):
    np.save(tmp_path / "a:b.npy", files)
    assert read_array("x", "a:b.npy").shape == (3, 2)


@pytest.mark.parametrize(
    ("spec", "error", "match"),
    [
        ("two.npz", ValueError, r"one of the arrays in 'two.npz': a, b \(got no key\).*two.npz:a"),
        ("two.npz:c", ValueError, r"\(got key 'c'\)"),
        ("two.pt:c", ValueError, r"\(got key 'c'\)"),
        ("x.pt:c", ValueError, r"'x' without a key"),
        ("none.npy", FileNotFoundError, r"'x' to be a file that exists \(got 'none.npy'\)"),
        ("x.csv", ValueError, r"'x' to end in one of .npy, .npz, .pt, .safetensors, .txt"),
    ],
)
def test_refuses(spec, error, match, files):
    with pytest.raises(error, match=match):
        read_array("x", spec)


@pytest.mark.parametrize("name", ["x.npy", "two.npz", "x.pt"])
@pytest.mark.parametrize("left", [0, 20, 200, 10**6])
def test_refuses_truncated_files(name, left, files):
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: min(left, len(content) - 4)])
    with pytest.raises(ValueError, match=r"Expected 'x' to be a complete .* file of numbers"):
        read_array("x", name)


def test_refuses_truncated_safetensors(files, tmp_path):
    save = pytest.importorskip("safetensors.torch").save_file
    save({"a": torch.ones(100)}, "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:150])
    with pytest.raises(ValueError, match=r"Expected 'x' to be a complete .safetensors file"):
        read_array("x", "a.safetensors")


def test_never_unpickles(files, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    np.save("bad.npy", np.array([Attack()], dtype=object))
    np.savez("bad.npz", a=np.array([Attack()], dtype=object))
    torch.save(Attack(), "bad.pt")
    for name in "bad.npy", "bad.npz", "bad.pt":
        with pytest.raises(ValueError, match="pickled objects, which are never loaded"):
            read_array("x", name)
    assert not (tmp_path / "owned").exists()


def test_refuses_what_is_no_array(files):
    torch.save({"a": {"b": torch.ones(1)}}, "nested.pt")
    torch.save([1, 2], "list.pt")
    with pytest.raises(TypeError, match=r"an array in 'nested.pt' \(got dict\)"):
        read_array("x", "nested.pt")
    with pytest.raises(TypeError, match=r"an array in 'list.pt' \(got list\)"):
        read_array("x", "list.pt")
