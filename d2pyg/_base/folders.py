"""Folders as outputs: filled beside their target, and put in its place when they are complete."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from d2pyg._base import temporary
from d2pyg._base.commit import sync
from d2pyg._base.outputs import check_place, failed_writes, put_in_place, signals_deferred

_SUFFIX = ".dir"
_NAME = re.compile(r"\.d2pyg-[0-9a-f]{16}\.dir")


class Folder:
    """A folder that is being filled, file by file."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path, self._descriptor = _create(target)

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """A file in the folder, which is there when the block ends well.

        Raises:
            OSError: If a write failed, whatever a library made of it.
        """
        with temporary.naming(self.target / name):
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            file = temporary.Temporary(self.path / name)
        file.target = self.target / name  # named in errors
        try:
            with failed_writes([file]):
                yield cast(IO[bytes], file)
                file.finish()
            file.path.replace(self.path / name)
        finally:
            file.discard()

    def put(self) -> None:
        """Puts the folder in its place, where nothing or an empty folder may be."""
        temporary.decided(self.path)
        with temporary.naming(self.target):
            if self.target.is_dir():
                shutil.copymode(self.target, self.path)
                self.target.rmdir()  # fails where somebody has put something since
            self.path.replace(self.target)
        sync({self.target, self.target.parent})

    def discard(self) -> None:
        """Removes what was not put in place."""
        shutil.rmtree(self.path, ignore_errors=True)
        temporary.decided(self.path)
        if self._descriptor is not None:
            os.close(self._descriptor)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Folder]:
    """A folder that takes the place of ``path`` when the block ends, and only if it ends well.

    Nothing is at ``path`` until then, or the empty folder that was there. If the run is killed, the next
    that makes a folder beside it clears what is left.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "out"
        >>> with replacing_folder(path) as folder, folder.file("a.txt") as file:
        ...     _ = file.write(b"whole")
        >>> (path / "a.txt").read_bytes()
        b'whole'
    """
    target = Path(os.path.realpath(path))
    _clear(target.parent)
    folder = Folder(target)
    try:
        yield folder
        with signals_deferred():
            folder.put()
            put_in_place([Path(path)])
    finally:
        folder.discard()


def check_folder(name: str, path: str | os.PathLike[str]) -> Path:
    """A folder that is not there yet, or is empty; asked before work begins."""
    target = Path(os.path.realpath(path))
    check_place(name, path, target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "a folder with content" if target.is_dir() else "a file"
        raise ValueError(
            f"Expected {name!r} to be a folder that is not there yet, or is empty (got "
            f"{str(path)!r:.100}, {what}). Name another, or remove it first."
        )
    Folder(target).discard()
    return Path(path)


def _create(target: Path) -> tuple[Path, int | None]:
    """A new folder beside the target, locked where there are locks."""
    while True:
        path = temporary.new_name(target, _SUFFIX)
        temporary.begun(path)
        with temporary.naming(target):
            path.mkdir()
        descriptor = None
        with suppress(OSError):  # Windows opens no folders
            descriptor = os.open(path, os.O_RDONLY)
            temporary.lock(descriptor)
        if descriptor is None or temporary.is_at(path, descriptor):
            return path, descriptor
        os.close(descriptor)  # somebody took it for a leftover at this moment
        temporary.decided(path)


def _clear(parent: Path) -> None:
    """Removes the folders that killed runs of this user have left."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_left(Path(entry.path))


def _remove_left(path: Path) -> None:
    if path.lstat().st_uid != os.geteuid():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        temporary.lock(descriptor)
        if temporary.is_at(path, descriptor):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)
