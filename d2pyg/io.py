"""Files: arrays in, and outputs that are written beside their target and then renamed."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg.extras import require


def read_array(name: str, spec: str | os.PathLike[str]) -> Tensor | np.ndarray[Any, Any]:
    """Reads one array.

    Args:
        name: The argument it is for, named in errors.
        spec: A path, or ``path:key`` for files of several arrays. By suffix: ``.npy`` (memory-mapped),
            ``.npz``, ``.pt`` (a tensor or a dict of tensors), ``.safetensors``, ``.txt`` (text, one
            entry a line). Nothing is ever unpickled.

    Raises:
        ValueError: If the suffix is unknown, the key is missing or needed, or the file is damaged or
            holds pickled objects.
        OSError: If the file cannot be opened.
    """
    file, key = _split_key(os.fspath(spec))
    path = check_input(name, file, _READERS)
    with readable(name, path):
        array = _READERS[path.suffix](path, partial(_pick, name, path, key))
    if not isinstance(array, Tensor | np.ndarray):
        raise TypeError(
            f"Expected {name!r} to be an array in {str(path)!r} (got {type(array).__name__}). "
            f"Save a tensor or an array."
        )
    return array


@contextmanager
def readable(name: str, path: Path) -> Iterator[None]:
    """Turns whatever readers raise at a damaged or pickled file into one error that says so."""
    try:
        yield
    except (OSError, ImportError, _KeyMissingError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        if (
            isinstance(error, pickle.UnpicklingError)
            or "Python objects" in reason
            or "Object arrays" in reason
        ):
            reason = "it holds pickled objects, which are never loaded"
        raise ValueError(
            f"Expected {name!r} to be a complete {path.suffix} file of numbers "
            f"(got {str(path)!r}: {reason}). Write it again from its source."
        ) from error


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends, and only if it ends well.

    What stood at ``path`` stays whole until then, also when the program is interrupted.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def check_suffix(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> str:
    """The suffix, one of those allowed."""
    suffix = Path(path).suffix
    if suffix not in allowed:
        raise ValueError(
            f"Expected {name!r} to end in one of {', '.join(allowed)} (got {str(path)!r}). "
            f"The suffix says the format."
        )
    return suffix


def check_input(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> Path:
    """A file that exists, of a suffix that can be read."""
    check_suffix(name, path, allowed)
    if not Path(path).is_file():
        raise MissingPathError(
            f"Expected {name!r} to be a file that exists (got {str(path)!r}). Check the path."
        )
    return Path(path)


def check_output(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> Path:
    """A path that can be written to; asked before work begins, so that no result is lost."""
    check_suffix(name, path, allowed)
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise MissingPathError(
            f"Expected {name!r} to be in a folder that exists (got {str(path)!r}). "
            f"Make the folder first."
        )
    if target.is_dir():
        raise ValueError(
            f"Expected {name!r} to be a file (got the folder {str(path)!r}). Name a file in it."
        )
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(
            f"Expected {name!r} to be in a folder that can be written to (got {str(path)!r}). "
            f"Choose another folder."
        )
    return Path(path)


class MissingPathError(FileNotFoundError, ValueError):
    """A file or folder that is not there."""


class _KeyMissingError(ValueError):
    pass


def path_of(spec: str | os.PathLike[str]) -> Path:
    """The file that ``path:key`` or ``path`` names."""
    return _split_key(os.fspath(spec))[0]


def _split_key(spec: str) -> tuple[Path, str | None]:
    path, colon, key = spec.rpartition(":")
    if colon and Path(path).suffix in (".npz", ".pt", ".safetensors"):
        return Path(path), key
    return Path(spec), None


def _pick(name: str, path: Path, key: str | None, content: Any) -> Any:
    """The array of that key; without a key, the only one."""
    if isinstance(content, Tensor | np.ndarray):
        if key is not None:
            raise _KeyMissingError(
                f"Expected {name!r} without a key, as {str(path)!r} holds one array (got "
                f"key {key!r}). Leave out ':{key}'."
            )
        return content
    if not isinstance(content, Mapping):
        return content
    keys = [str(name) for name in content]
    if key is None and len(keys) == 1:
        key = keys[0]
    if key not in keys:
        got = "no key" if key is None else f"key {key!r}"
        raise _KeyMissingError(
            f"Expected {name!r} to name one of the arrays in {str(path)!r}: {', '.join(keys)} "
            f"(got {got}). Write it as {path}:{keys[0] if keys else 'key'}."
        )
    return content[key]


Pick = Callable[[Any], Any]


def _npy(path: Path, pick: Pick) -> Any:
    # Mapped copy-on-write: read in place, and never written to.
    return pick(np.load(path, mmap_mode="c", allow_pickle=False))


def _npz(path: Path, pick: Pick) -> Any:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        return pick(content)


def load_pt(path: Path) -> Any:
    """Tensors and plain values, on the CPU; nothing is unpickled."""
    with path.open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except OSError as error:  # torch's word for some damaged content
            raise ValueError(str(error)) from error


def _pt(path: Path, pick: Pick) -> Any:
    return pick(load_pt(path))


def _safetensors(path: Path, pick: Pick) -> Any:
    return pick(require("safetensors.torch", "safetensors").load_file(path))


def _txt(path: Path, pick: Pick) -> Any:
    return pick(
        np.asarray(path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n"), dtype=str)
    )


_READERS: dict[str, Callable[[Path, Pick], Any]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".pt": _pt,
    ".safetensors": _safetensors,
    ".txt": _txt,
}
