"""Outputs: written beside their target, and put in place when they are complete."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from d2pyg._base.commit import Move, clear, journals_of, rename
from d2pyg._base.temporary import Temporary, about
from d2pyg._base.temporary import discard_temporary as discard_temporary

_RECORDS: list[list[Path]] = []
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the block ends, and only if it ends well.

    See :func:`replacing_all`, of which this is the case of one.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "out.txt"
        >>> with replacing(path) as file:
        ...     _ = file.write(b"whole")
        >>> path.read_bytes()
        b'whole'
    """
    with replacing_all(path) as (file,):
        yield file


@contextmanager
def replacing_all(*paths: str | os.PathLike[str]) -> Iterator[list[IO[bytes]]]:
    """Binary files that take the places of ``paths`` when the block ends: all of them, or none.

    What stands at a path stays whole until then, whatever happens: readers see one content or the
    other, runs that write to one path at once do not meet, and the last one counts. If the run is
    killed, the next that writes into a folder clears it; between two renames, the next that comes to
    one of the paths makes the renames that are left. A link stays, and what it points at is replaced. A
    file keeps its permissions.

    The files can be written to from start to end.

    Raises:
        ValueError: If two of the paths are one file.
        OSError: If a write failed, whatever a library made of it.
    """
    targets = [Path(os.path.realpath(path)) for path in paths]
    if len(set(targets)) < len(targets):
        raise ValueError(
            f"Expected outputs to be different files (got {', '.join(map(str, paths))}). Name two files."
        )
    for folder in {target.parent for target in targets}:
        clear(folder)
    files: list[Temporary] = []
    try:
        for target in targets:
            files.append(Temporary(target))
        with failed_writes(files):
            yield cast(list[IO[bytes]], files)
            for file in files:
                file.finish()
        moves = [Move.of(file.target, file.path) for file in files]
        several = len(files) > 1 and all(file.is_locked for file in files)
        with journals_of(moves if several else []) as journals, signals_deferred():
            for file in files:
                file.decide()
            rename(moves, journals)
            put_in_place(map(Path, paths))
    finally:
        for file in files:
            file.discard()


@contextmanager
def recorded() -> Iterator[list[Path]]:
    """A list of the paths that this process puts in place within the block, in order.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/out.txt"
        >>> with recorded() as written:
        ...     with replacing(path) as file:
        ...         _ = file.write(b"whole")
        >>> [path.name for path in written]
        ['out.txt']
    """
    record: list[Path] = []
    _RECORDS.append(record)
    try:
        yield record
    finally:
        _RECORDS[:] = [other for other in _RECORDS if other is not record]


def put_in_place(paths: Iterable[Path]) -> None:
    """Tells every :func:`recorded` list."""
    named = [*paths]
    for record in _RECORDS:
        record.extend(named)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP wait until the block has ended, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread
        return
    seen: list[int] = []
    handlers: dict[int, Any] = {}
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) is not None:  # None: not Python's, and cannot be put back
                handlers[number] = signal.signal(number, lambda number, _: seen.append(number))
        yield
    finally:
        for number, handler in reversed(handlers.items()):  # SIGINT, which can interrupt this, last
            signal.signal(number, handler)
        for number in seen:
            signal.raise_signal(number)


@contextmanager
def failed_writes(files: Sequence[Temporary]) -> Iterator[None]:
    """Raises the first write that failed as what it was."""
    try:
        yield
    except Exception as error:
        for file in files:
            if file.error is not None and file.error.errno is not None:
                raise about(file.error, file.target) from error
        raise


def check_suffix(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> str:
    """The suffix, one of those allowed."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"Expected {name!r} to be a path (got {type(path).__name__}). Pass a str or a pathlib.Path."
        )
    suffix = Path(path).suffix
    if suffix not in allowed:
        raise ValueError(
            f"Expected {name!r} to end in one of {', '.join(allowed)} (got {str(path)!r}). "
            f"The suffix says the format."
        )
    return suffix


def check_output(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> Path:
    """A path that can be written to; asked before work begins, so that no result is lost."""
    check_suffix(name, path, allowed)
    try:
        target = Path(os.path.realpath(path))
        status = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    except (OSError, ValueError) as error:
        raise _of_kind(error)(
            f"Expected {name!r} to be a path that can be written to (got {_short(path)}: "
            f"{_reason(error)}). Choose another name."
        ) from error
    check_place(name, path, target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise ValueError(
            f"Expected {name!r} to be a file (got the folder {_short(path)}). Name a file in it."
        )
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise ValueError(
            f"Expected {name!r} to be a regular file (got {_short(path)}, a pipe, socket or device). "
            f"Name another file."
        )
    if status is not None and not (os.access(target, os.W_OK) and _is_replaceable(target, status)):
        raise PermissionError(
            f"Expected {name!r} to be a file that can be written to (got {_short(path)}, which is "
            f"read-only or another user's). Choose another name."
        )
    try:
        Temporary(target).discard()
    except OSError as error:
        raise _of_kind(error)(
            f"Expected {name!r} to be in a folder where files can be made (got {_short(path)}: "
            f"{_reason(error)}). Choose another folder."
        ) from error
    return Path(path)


def check_place(name: str, path: str | os.PathLike[str], target: Path) -> None:
    """The folder that a path is in is there, and can be written to."""
    if not target.parent.is_dir():
        raise MissingPathError(
            f"Expected {name!r} to be in a folder that exists (got {_short(path)}). "
            f"Make the folder first."
        )
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(
            f"Expected {name!r} to be in a folder that can be written to (got {_short(path)}). "
            f"Choose another folder."
        )


def _is_replaceable(target: Path, status: os.stat_result) -> bool:
    """In a folder such as /tmp, only its owner can rename something to a file."""
    folder = target.parent.stat()
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in (0, status.st_uid, folder.st_uid)


def _of_kind(error: Exception) -> type[Exception]:
    return type(error) if isinstance(error, OSError) else ValueError


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _short(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    return repr(text if len(text) <= 100 else f"...{text[-97:]}")


class MissingPathError(FileNotFoundError, ValueError):
    """A file or folder that is not there."""
