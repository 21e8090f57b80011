"""Compiles loops with numba, and stores their code for later runs. Imported only when an engine runs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

SWITCH = "D2PYG_COMPILE_CACHE"
Loop = TypeVar("Loop", bound=Callable[..., Any])

_ANY_ORDER = {"reassoc", "contract", "nsz"}


def compiled(loop: Loop, reorders: bool = False) -> Loop:
    """Compiles a function at its first call, and stores the code for later runs.

    Other threads can run while the function runs. With ``reorders``, its sums may be added in any order.
    That is several times faster, and differs in the last bits from machine to machine: for bounds alone.

    numba stores it in ``NUMBA_CACHE_DIR`` if that is set, else in ``__pycache__`` beside the file, else
    in the user's cache folder. These files are pickles: code, like the ``.pyc`` files beside them. A
    folder is used only if it belongs to this user or root and other users cannot write to it. Damaged
    code is compiled again. Code that cannot be stored is compiled in every run. The environment variable
    ``D2PYG_COMPILE_CACHE=0`` turns storing and reading off.
    """
    made = numba.njit(loop, nogil=True, fastmath=_ANY_ORDER if reorders else False)
    if os.environ.get(SWITCH) != "0":
        with suppress(RuntimeError, OSError):  # there is no folder for it
            cache = _Cache(loop)
            if _is_trusted(Path(cache.cache_path)):
                made._cache = cache
    return cast(Loop, made)


class _File(IndexDataCacheFile):  # type: ignore[misc]
    """Stored code with its hash, because damaged code may load and then do anything."""

    def _dump(self, content: Any) -> bytes:
        data: bytes = super()._dump(content)
        return data + hashlib.sha256(data).digest()

    def _load_data(self, name: str) -> Any:
        data = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(data[:-32]).digest() != data[-32:]:
            raise ValueError("the file is damaged")
        return super()._load_data(name)


class _Cache(FunctionCache):  # type: ignore[misc]
    """A cache that never stops a run."""

    def __init__(self, loop: Callable[..., Any]) -> None:
        super().__init__(loop)
        stamp, base = self._impl.locator.get_source_stamp(), self._impl.filename_base
        self._cache_file = _File(self._cache_path, base, stamp)

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return super().load_overload(signature, target)
        except Exception:  # unpickling damaged content raises any
            with suppress(OSError):
                Path(self._cache_file._index_path).unlink()  # so that it is written anew
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(signature, data)


def _is_trusted(folder: Path) -> bool:
    """Whether only this user, its own group and root can write code there."""
    if not hasattr(os, "geteuid"):  # Windows has no such modes
        return True
    status = folder.stat()
    by_group = status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid())
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & stat.S_IWOTH and not by_group
