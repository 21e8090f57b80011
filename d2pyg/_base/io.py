"""Arrays from files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg._base.commit import settle
from d2pyg._base.content import Arrays, explained, load_pt
from d2pyg._base.extras import require
from d2pyg._base.names import as_text
from d2pyg._base.outputs import MissingPathError, check_suffix


def read_array(name: str, spec: str | os.PathLike[str]) -> Tensor | np.ndarray[Any, Any]:
    """Reads one array.

    Args:
        name: The argument it is for, named in errors.
        spec: A path, or ``path:key`` for files of several arrays. By suffix: ``.npy`` (memory-mapped),
            ``.npz``, ``.pt`` (a tensor or a dict of tensors), ``.safetensors``, ``.txt`` (text, one
            entry a line; bytes that are not UTF-8 as ``os.fsdecode`` has them). Nothing is ever
            unpickled.

    Raises:
        ValueError: If the suffix is unknown, the key is missing or needed, the file is damaged, holds
            pickled objects, or more than fits into memory.
        OSError: If the file cannot be opened.
    """
    file, key = _split_key(os.fspath(spec))
    path = check_input(name, file, _READERS)
    with readable(name, path):
        content = _READERS[path.suffix](path, partial(_pick, name, path, key))
    return _as_array(name, path, content)


def array_in(name: str, path: Path, content: Any) -> Tensor | np.ndarray[Any, Any]:
    """The only array of a ``.pt`` file that has been read."""
    return _as_array(name, path, _pick(name, path, None, content))


@contextmanager
def readable(name: str, path: Path) -> Iterator[None]:
    """Turns what readers raise at a damaged or another kind of file into one error that says so."""
    try:
        yield
    except (ImportError, MemoryError, _KeyMissingError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # of the file system; the others are libraries' words for damaged content
        reason, remedy = explained(path, error)
        raise ValueError(
            f"Expected {name!r} to be a complete {path.suffix} file of numbers "
            f"(got {str(path)!r}: {reason}). {remedy}"
        ) from error


def check_input(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> Path:
    """A file that exists, of a suffix that can be read."""
    check_suffix(name, path, allowed)
    settle(path)
    if not Path(path).is_file():
        raise MissingPathError(
            f"Expected {name!r} to be a file that exists (got {str(path)!r}). Check the path."
        )
    return Path(path)


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
    if key is None and len(content) == 1:
        return next(iter(content.values()))
    found = [own for own in content if str(own) == key]  # numbers can be keys of .pt files
    if len(found) != 1:
        got = "no key" if key is None else f"key {key!r}"
        keys = [str(own) for own in content]
        raise _KeyMissingError(
            f"Expected {name!r} to name one of the arrays in {str(path)!r}: {', '.join(keys)} "
            f"(got {got}). Write it as {path}:{keys[0] if keys else 'key'}."
        )
    return content[found[0]]


def _as_array(name: str, path: Path, content: Any) -> Tensor | np.ndarray[Any, Any]:
    if not isinstance(content, Tensor | np.ndarray):
        raise TypeError(
            f"Expected {name!r} to be an array in {str(path)!r} (got {type(content).__name__}). "
            f"Save a tensor or an array."
        )
    return content


Pick = Callable[[Any], Any]


def _npy(path: Path, pick: Pick) -> Any:
    # Mapped copy-on-write: read in place, and never written to.
    return pick(np.lib.format.open_memmap(path, mode="c"))


def _npz(path: Path, pick: Pick) -> Any:
    with path.open("rb") as file:
        return pick(Arrays(file))


def _pt(path: Path, pick: Pick) -> Any:
    return pick(load_pt(path))


def _safetensors(path: Path, pick: Pick) -> Any:
    return pick(require("safetensors.torch", "safetensors").load_file(path))


def _txt(path: Path, pick: Pick) -> Any:
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    return pick(as_text(text.removesuffix("\n").split("\n")))


_READERS: dict[str, Callable[[Path, Pick], Any]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".pt": _pt,
    ".safetensors": _safetensors,
    ".txt": _txt,
}
