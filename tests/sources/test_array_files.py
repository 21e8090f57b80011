"""Arrays from files: what is read, and that nothing else is."""

import errno
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from d2pyg._base import content
from d2pyg._base.arrays import as_tensor
from d2pyg.sources.spec import read_array


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
    read = as_tensor("x", read_array("x", "two.safetensors:a"))
    assert read.dtype == torch.bfloat16
    assert read.tolist() == files.tolist()


def test_reads_names(files, tmp_path):
    (tmp_path / "names.txt").write_text("a b\nç\n", encoding="utf-8")
    assert read_array("ids", "names.txt").tolist() == ["a b", "ç"]


def test_reads_names_that_are_not_utf8_as_the_disk_has_them(files, tmp_path):
    (tmp_path / "names.txt").write_bytes(b"caf\xe9.jpg\nplain.jpg\n")
    names = read_array("ids", "names.txt").tolist()
    assert [os.fsencode(name) for name in names] == [b"caf\xe9.jpg", b"plain.jpg"]


def test_one_long_name_does_not_widen_the_others(files, tmp_path):
    names = [*map(str, range(1000)), "x" * 10**6]
    (tmp_path / "names.txt").write_text("\n".join(names))
    read = read_array("ids", "names.txt")
    assert read.nbytes < 10**5
    assert read.tolist() == names


def test_numbers_can_be_keys(files):
    torch.save({0: torch.zeros(1), 1: torch.ones(1), "0": torch.ones(2)}, "numbers.pt")
    assert read_array("x", "numbers.pt:1").tolist() == [1]
    with pytest.raises(ValueError, match=r"one of the arrays in 'numbers.pt': 0, 1, 0 \(got key '0'\)"):
        read_array("x", "numbers.pt:0")
    torch.save({7: torch.ones(1)}, "number.pt")
    assert read_array("x", "number.pt").tolist() == [1]


def test_bfloat16_from_npy_is_left_as_numpy_has_it(files):
    np.save("b.npy", files.view("V2"))
    assert read_array("x", "b.npy").dtype == "V2"


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
        (
            "x.doc",
            ValueError,
            r"'x' to end in one of .csv, .csv.gz, .csv.zst, .jsonl,.* .txt \(got 'x.doc'\)",
        ),
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


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:01\nsize 9\n",
            "'version https://git-lfs",
        ),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>Not found</html>", "'<!DOCTYPE html>'"),
        (b"error: access denied", "'error: access denied'"),
    ],
)
def test_says_what_is_there_instead(suffix, text, shown, files, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    (tmp_path / f"x{suffix}").write_bytes(text)
    with pytest.raises(
        ValueError, match=rf"no {suffix} file, but text that begins with {shown}.*\. Download"
    ):
        read_array("x", f"x{suffix}")


def test_says_which_suffix_would_fit(files, tmp_path):
    for name, other, kind in (
        ("x.npy", "y.npz", ".npy"), ("x.npy", "y.pt", ".npy"), ("two.npz", "y.npy", ".npz or .pt"),
    ):  # fmt: skip
        (tmp_path / other).write_bytes((tmp_path / name).read_bytes())
        with pytest.raises(ValueError, match=rf"content is of a {kind} file\)\. Give it the suffix"):
            read_array("x", other)
    (tmp_path / "y.npy").write_bytes(b"\xff\xfe\0\0" * 9)
    with pytest.raises(ValueError, match=r"it is no .npy file, and begins with b'\\xff\\xfe"):
        read_array("x", "y.npy")
    (tmp_path / "y.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"\(got 'y.npy': it is empty\)"):
        read_array("x", "y.npy")


def long_header():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }" + b" " * 20000 + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header + b"\0" * 24


def test_never_gives_the_advice_to_trust_a_file(files, tmp_path):
    (tmp_path / "long.npy").write_bytes(long_header())
    (tmp_path / "raw.npy").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "raw.npz").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(files))
    torch.save({"a": np.float64(1)}, "scalar.pt")
    torch.save(torch.ones(9), "old.pt", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pt").read_bytes()
    for length in range(1, len(old), 7):
        (tmp_path / f"old{length}.pt").write_bytes(old[:length])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Linear(2, 2)).save("script.pt")
    read = [
        *tmp_path.glob("long*"),
        *tmp_path.glob("raw*"),
        *tmp_path.glob("s*"),
        *tmp_path.glob("old?*.pt"),
    ]
    assert len(read) > 50
    for path in read:
        with pytest.raises(ValueError, match="a complete") as caught:
            read_array("x", path)
        for word in "allow_pickle", "weights_only", "unsafe", "max_header", "trust", "\x1b":
            assert word not in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize(
    "big", [torch.zeros(1).as_strided((10**9, 1), (0, 0)), torch.zeros(1).expand(9)]
)
def test_refuses_tensors_that_repeat_what_is_stored(big, files):
    shared: list = []
    for value in big, {"a": {"b": [1, (big,)]}}:
        torch.save(value, "big.pt")
        with pytest.raises(
            ValueError, match=r"of shape \(.*\) repeats the same 4 bytes\)\. .*contiguous\(\)"
        ):
            read_array("x", "big.pt")
    for _ in range(60):  # 2 ** 60 ways to the innermost
        shared = [shared, shared]
    torch.save(shared, "shared.pt")
    with pytest.raises(TypeError, match="got list"):
        read_array("x", "shared.pt")


def test_refuses_what_does_not_fit_into_memory(files, monkeypatch):
    x = np.zeros((1000, 10))
    np.savez("large.npz", a=x, b=np.zeros(1))
    torch.save({"a": torch.from_numpy(x), "b": torch.zeros(1)}, "large.pt")
    monkeypatch.setattr(content, "free_bytes", lambda device: 50_000)
    assert read_array("x", "large.npz:a").shape == x.shape  # little is always read
    monkeypatch.setattr(content, "_SMALL", 1000)
    for name in "large.npz:a", "large.pt:a":
        with pytest.raises(ValueError, match=r"it takes 0 MB of memory, and 0 MB are free\)\. Use more"):
            read_array("x", name)
    assert read_array("x", "large.npz:b").tolist() == [0]


def test_refuses_what_is_compressed_beyond_use(files, monkeypatch):
    monkeypatch.setattr(content, "_SMALL", 1 << 20)
    zeros = np.zeros(1 << 18)
    np.savez_compressed("zeros.npz", a=zeros)
    torch.save(torch.from_numpy(zeros), "zeros.pt")
    with (
        zipfile.ZipFile("zeros.pt") as old,
        zipfile.ZipFile("packed.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    for name in "zeros.npz", "packed.pt":
        with pytest.raises(
            ValueError, match=r"more than 200 to 1, .*If it is meant so, write it uncomp"
        ):
            read_array("x", name)
    np.savez("plain.npz", a=zeros)  # as the error says
    for name in "plain.npz", "zeros.pt":
        assert read_array("x", name).shape == zeros.shape


def test_refuses_headers_that_do_not_fit(files, tmp_path):
    whole = (tmp_path / "x.npy").read_bytes()
    with zipfile.ZipFile("lie.npz", "w") as archive:
        archive.writestr("a.npy", whole.replace(b"(3, 2), }" + b" " * 10, b"(3, 20000000000), }"))
    with pytest.raises(ValueError, match=r"size of 'a.npy' is not what its header says"):
        read_array("x", "lie.npz")


def test_checksums_of_pt_files_are_looked_at(files, tmp_path):
    torch.save(torch.arange(100.0), "x.pt")
    whole = bytearray((tmp_path / "x.pt").read_bytes())
    at = whole.index(struct.pack("<f", 50.0))
    whole[at] ^= 1
    (tmp_path / "flipped.pt").write_bytes(whole)
    assert torch.load("flipped.pt")[50] != 50  # torch does not look
    with pytest.raises(ValueError, match="Bad CRC-32"):
        read_array("x", "flipped.pt")


def test_pt_files_without_checksums_are_read(files):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(torch.arange(100.0), "x.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert read_array("x", "x.pt").tolist() == list(range(100))


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), MemoryError("none left")])
def test_errors_of_the_machine_are_its_own(error, files, monkeypatch):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", broken)
    with pytest.raises(type(error), match=r"Input/output error|none left"):
        read_array("x", "x.pt")


def test_refuses_what_is_no_array(files):
    torch.save({"a": {"b": torch.ones(1)}}, "nested.pt")
    torch.save([1, 2], "list.pt")
    with pytest.raises(TypeError, match=r"an array in 'nested.pt' \(got dict\)"):
        read_array("x", "nested.pt")
    with pytest.raises(TypeError, match=r"an array in 'list.pt' \(got list\)"):
        read_array("x", "list.pt")
