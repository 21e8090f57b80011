"""Temporary files of outputs: locked while they are written, and so known as leftovers afterwards."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: nothing is locked, and nothing is cleared
    fcntl = None  # type: ignore[assignment]

NAME = re.compile(r"\.d2pyg-[0-9a-f]{16}\.tmp")
_OPEN: dict[Path, int] = {}  # what is being written, and the process that does: a fork inherits this
_FLAGS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


class Temporary(io.RawIOBase):
    """A file beside ``target``, to be written from start to end and put in its place.

    It has no ``fileno``, so that every library writes through it. It remembers the first write that
    failed, as some libraries make something else of the error.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.error: OSError | None = None
        self.path, descriptor, self.is_locked = _create(target)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, data: Any) -> int:
        with self._remembered():
            return self._file.write(data)

    def flush(self) -> None:
        with self._remembered():
            self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing, as libraries may call it: :meth:`finish` and :meth:`discard` close the file."""

    def finish(self) -> None:
        """Brings everything to the disk."""
        if self.error is not None:  # hidden by a library
            raise self.error
        with self._remembered():
            self._file.flush()
            os.fsync(self._file.fileno())
        if fcntl is None:  # Windows renames no open file
            self._file.close()

    def decide(self) -> None:
        """From here on :func:`discard_temporary` leaves the file: it is being put in place."""
        decided(self.path)

    def discard(self) -> None:
        """Closes the file, and removes what was not put in place."""
        self._file.raw.close()  # without what is still to be written
        with suppress(OSError):
            self.path.unlink()
        decided(self.path)

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            raise


def begun(path: Path) -> None:
    """From here on :func:`discard_temporary` removes this file or folder."""
    _OPEN[path] = os.getpid()


def decided(path: Path) -> None:
    """From here on it leaves it."""
    _OPEN.pop(path, None)


def discard_temporary() -> None:
    """Removes the temporary files and folders of this process, which is about to exit at once."""
    for path, process in list(_OPEN.items()):
        if process == os.getpid():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError):
                path.unlink()


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Names the target in errors, in place of a file that the user does not know."""
    try:
        yield
    except OSError as error:
        raise about(error, target) from error


def about(error: OSError, target: Path) -> OSError:
    """The error, of this file."""
    return error if error.errno is None else OSError(error.errno, error.strerror, str(target))


def new_name(target: Path, suffix: str) -> Path:
    """A name beside the target that nobody foresees; its length does not depend on the target's."""
    return target.with_name(f".d2pyg-{secrets.token_hex(8)}{suffix}")


def lock(descriptor: int, wait: bool = False) -> None:
    """Takes a file's lock, which ends with the process at the latest.

    Raises:
        BlockingIOError: If somebody has it.
        OSError: If there are no locks here.
    """
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def open_own(path: Path, create: bool = False) -> int:
    """Opens a regular file of this user's that has no other name, never through a link.

    Raises:
        OSError: If it is none.
    """
    descriptor = os.open(path, os.O_RDWR | _FLAGS | (os.O_CREAT if create else 0), 0o600)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EPERM, "not a file of this user", str(path))


def open_left(path: Path) -> int:
    """Opens and locks what a killed run has left.

    Raises:
        OSError: If it is in use, or not this user's.
    """
    descriptor = open_own(path)
    try:
        lock(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_at(path: Path, descriptor: int) -> bool:
    """Whether the path names the open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _create(target: Path) -> tuple[Path, int, bool]:
    """A new file with the target's permissions: its path, its descriptor, and whether it is locked."""
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
    while True:
        path = new_name(target, ".tmp")
        begun(path)
        try:
            with naming(target):
                descriptor = os.open(path, flags, 0o666 if status is None else 0o600)
        except OSError:
            decided(path)
            raise
        is_locked, is_taken = True, False
        try:
            lock(descriptor)
        except BlockingIOError:  # somebody takes it for a leftover at this moment
            is_taken = True
        except OSError:
            is_locked = False
        if not is_taken and is_at(path, descriptor):
            break
        os.close(descriptor)
        decided(path)
    if status is not None and fcntl is not None:
        _permit(descriptor, status)
    return path, descriptor, is_locked


def _permit(descriptor: int, like: os.stat_result) -> None:
    """Gives a file the permissions of another, and those of its group to that group alone."""
    mode = like.st_mode & 0o777
    with suppress(OSError):  # this user need not be in the group
        os.fchown(descriptor, -1, like.st_gid)
    if os.fstat(descriptor).st_gid != like.st_gid:
        mode &= ~0o070
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(descriptor, mode)
