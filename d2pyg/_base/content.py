"""What is in a file, looked at before it is read: damage, and sizes that no memory holds."""

from __future__ import annotations

import math
import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.memory import free_bytes

_BEGINNINGS = {
    ".npy": (b"\x93NUMPY",),
    ".npz": (b"PK",),
    ".pt": (b"PK", b"\x80"),
    ".safetensors": (b"{",),  # after 8 bytes
    ".parquet": (b"PAR1",),
    ".json": (b"{", b"["),
}
_PICKLED = "it holds pickled objects, which are never loaded"
_SMALL = 1 << 28  # bytes that are read in any case: 256 MiB
_RATIO = 200  # more is hardly ever reached by data that tell samples apart


class UnfitError(ValueError):
    """A file that is not read: why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.remedy = remedy


class Arrays(Mapping[str, Any]):
    """The arrays of an open ``.npz`` file, each read when it is asked for and if it fits into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._content: Any = np.lib.npyio.NpzFile(file, allow_pickle=False)

    def __getitem__(self, key: str) -> Any:
        self.header(key)
        return self._content[key]

    def header(self, key: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """The shape and dtype of an array, checked against its size."""
        archive: zipfile.ZipFile = self._content.zip
        info = archive.getinfo(f"{key}.npy" if f"{key}.npy" in archive.namelist() else key)
        with archive.open(info) as file:
            return _checked_header(file, info)

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


def load_pt(path: Path) -> Any:
    """Tensors and plain values, on the CPU, checked; nothing is unpickled."""
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            _check_archive(file)
        file.seek(0)
        content = torch.load(file, map_location="cpu", weights_only=True)
    _check_tensors(content)
    return content


def check_size(needed: int, stored: int | None = None) -> None:
    """Refuses what does not fit into memory, and what was compressed beyond all use."""
    if needed <= _SMALL:
        return
    free = free_bytes(torch.device("cpu"))
    if needed > free:
        raise UnfitError(
            f"it takes {needed / 1e6:,.0f} MB of memory, and {free / 1e6:,.0f} MB are free",
            "Use more memory, or for embeddings a .npy file, which is not read into memory.",
        )
    if stored is not None and needed > _RATIO * stored:
        raise UnfitError(
            f"{stored / 1e6:,.1f} MB hold {needed / 1e6:,.0f} MB, more than {_RATIO} to 1, as in files "
            f"made to fill the memory",
            "If it is meant so, write it uncompressed, such as with numpy.savez.",
        )


def explained(path: Path, error: Exception) -> tuple[str, str]:
    """Why a file cannot be read, and what to do: never a library's advice to trust it."""
    if isinstance(error, UnfitError):
        return str(error), error.remedy
    return _other_kind(path) or (_reason(path, error), "Write it again from its source.")


def _other_kind(path: Path) -> tuple[str, str] | None:
    """What a file is that is not what its suffix says, and what to do."""
    if path.is_dir():
        return None
    with path.open("rb") as file:
        head = file.read(256)
    if not head:
        return "it is empty", "Write it again from its source."
    beginnings = _BEGINNINGS.get(path.suffix)
    start = head[8:] if path.suffix == ".safetensors" else head.lstrip()
    if beginnings is None or start.startswith(beginnings):
        return None
    if head[0] == 0x80:
        return _PICKLED, "Write it again from its source."
    others = [suffix for suffix in (".npy", ".npz", ".pt", ".parquet") if _begins(head, suffix)]
    if others:
        return f"its content is of a {' or '.join(others)} file", "Give it the suffix of its content."
    line = head.decode("utf-8", "replace").lstrip("\ufeff \r\n\t").partition("\n")[0].strip()[:40]
    if line.isprintable() and "\ufffd" not in line:
        return f"it is no {path.suffix} file, but text that begins with {line!r}", "Download it again."
    return (
        f"it is no {path.suffix} file, and begins with {head[:4]!r}",
        "Write it again from its source.",
    )


def _begins(head: bytes, suffix: str) -> bool:
    return head.startswith(_BEGINNINGS[suffix])


def _reason(path: Path, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Python objects" in text or "Object arrays" in text:
        return _PICKLED
    if isinstance(error, pickle.UnpicklingError) or "weights_only" in text:
        if zipfile.is_zipfile(path):
            return "its content is damaged" if "Unsupported operand" in text else _PICKLED
        return f"{_PICKLED}, or is damaged"  # torch's older format, which has no checksums
    if isinstance(error, KeyError):
        return f"it has no {text}"
    if isinstance(error, LookupError | EOFError | AttributeError | AssertionError | struct.error):
        return "its content is damaged"
    if not text or "pickle" in text or "max_header_size" in text:  # and advice to trust the file
        return "its content is damaged"
    return text[:120]


def _checked_header(file: IO[bytes], info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """An array's header has to say what is there: NumPy takes its memory first, and reads then."""
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read(file)
    if dtype.hasobject:
        return shape, dtype  # for NumPy to refuse
    if file.tell() + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ValueError(f"the size of {info.filename!r} is not what its header says")
    check_size(info.file_size, info.compress_size)
    return shape, dtype


def _check_archive(file: IO[bytes]) -> None:
    """What torch.load does not look at: sizes, and the checksums that torch.save wrote."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        stored = sum(info.compress_size for info in members)
        check_size(sum(info.file_size for info in members), stored)
        for info in members:
            if info.CRC != 0:  # what torch.serialization.set_crc32_options(False) leaves
                with archive.open(info) as member:
                    while member.read(1 << 20):
                        pass


def _check_tensors(content: Any) -> None:
    """Refuses tensors larger than what is stored of them: copies of one value, from a few bytes."""
    seen: set[int] = set()
    parts = [content]
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            parts.extend(part.values())
        elif isinstance(part, list | tuple):
            parts.extend(part)
        elif isinstance(part, Tensor) and part.layout == torch.strided and part.device.type != "meta":
            stored = part.untyped_storage().nbytes()
            if part.numel() * part.element_size() > stored:
                raise UnfitError(
                    f"a tensor of shape {tuple(part.shape)} repeats the same {stored} bytes",
                    "If it is meant so, save it with .contiguous().",
                )
