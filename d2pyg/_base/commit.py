"""Renames that belong together: all are made or none, also where the run is killed in between.

Before the first of several renames, a journal beside each target lists them all. A run that is killed
leaves its journals. If all of them are there, the renames were decided, and whoever next comes to one of
the targets makes those that are left. If one is lacking, no rename was made yet, or all were.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from d2pyg._base import temporary

_OLD = re.compile(r"\.d2pyg-[0-9a-f]{16}\.old")
_JOURNAL = re.compile(r"\.d2pyg-[0-9a-f]{16}\.commit")


@dataclass(frozen=True)
class Move:
    """A temporary file that takes the place of a target in the same folder."""

    target: Path
    temporary: Path
    old: Path  # where what is at the target waits until all is done
    before: list[int] | None  # what is at the target, to know whether somebody else has written since

    @classmethod
    def of(cls, target: Path, path: Path) -> Move:
        return cls(target, path, temporary.new_name(target, ".old"), _state(target))


@contextmanager
def journals_of(moves: Sequence[Move]) -> Iterator[list[Journal]]:
    """The journals of all targets, as soon as no other run has them."""
    held: list[Journal] = []
    try:
        for target in sorted(
            move.target for move in moves
        ):  # one order, so that no two wait for each other
            held.append(Journal(target))
        yield held
    finally:
        for journal in held:
            journal.remove()


def rename(moves: Sequence[Move], journals: Sequence[Journal]) -> None:
    """Makes all moves, or none: where one fails, those before it are undone."""
    done: list[Move] = []
    try:
        run = secrets.token_hex(8)
        for journal in journals:
            journal.write(run, moves)
        if journals:
            sync({move.target.parent for move in moves})
        for move in moves[:-1]:
            _keep_old(move)
        for move in moves:
            with temporary.naming(move.target):
                move.temporary.replace(move.target)
            done.append(move)
    except BaseException:
        for move in reversed(done):
            _put_back(move)
        raise
    finally:
        for move in moves:
            move.old.unlink(missing_ok=True)
        for journal in journals:
            journal.remove()
    sync({move.target.parent for move in moves})


def settle(path: str | os.PathLike[str]) -> None:
    """Makes the moves that a killed run had decided and that concern this path."""
    with suppress(OSError, ValueError):  # where they cannot be made, or the path is none
        _settle(_journal_path(Path(os.path.realpath(path))))


def clear(folder: Path) -> None:
    """Makes the moves that killed runs had decided in a folder, and removes their temporary files."""
    left: dict[Path, int] = {}
    try:
        for path in _named(folder, temporary.NAME):
            with suppress(OSError):
                left[path] = temporary.open_left(path)
        # Under these locks: those runs are over, and have written all the journals that they will.
        for path in _named(folder, _JOURNAL):
            _settle(path)
        for path, descriptor in left.items():
            if temporary.is_at(path, descriptor):
                path.unlink()
    except OSError:  # a journal that somebody carries out now, or nobody can, needs what is left
        pass
    finally:
        for descriptor in left.values():
            os.close(descriptor)


class Journal:
    """The moves that concern a target, as a locked file. One run at a time has it."""

    def __init__(self, target: Path) -> None:
        self.target, self.path = target, _journal_path(target)
        while True:
            self._descriptor = temporary.open_own(self.path, create=True)
            try:
                temporary.lock(self._descriptor, wait=True)
                if temporary.is_at(self.path, self._descriptor):
                    if os.fstat(self._descriptor).st_size == 0:
                        return
                    _carry_out(self.path, self._descriptor)
            except BaseException:
                os.close(self._descriptor)
                raise
            os.close(self._descriptor)

    def write(self, run: str, moves: Sequence[Move]) -> None:
        """Brings the moves to the disk, with relative paths, as a folder has other names elsewhere."""
        folder = self.path.parent
        entries = [
            [os.path.relpath(move.target, folder), move.temporary.name, move.old.name, move.before]
            for move in moves
        ]
        with temporary.naming(self.target):
            os.write(self._descriptor, json.dumps({"run": run, "moves": entries}).encode())
            os.fsync(self._descriptor)

    def remove(self) -> None:
        """Gives the targets to the next run."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _settle(path: Path) -> None:
    """Carries out a journal whose run is over."""
    try:
        descriptor = temporary.open_own(path)
    except OSError:  # there is none, or none of this user's
        return
    try:
        temporary.lock(descriptor)
        if temporary.is_at(path, descriptor):
            _carry_out(path, descriptor)
    finally:
        os.close(descriptor)


def _carry_out(path: Path, descriptor: int) -> None:
    """Makes the moves of a journal that is locked here, if they were decided, and removes it."""
    run, moves = _read(path.parent, os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    journals = [_journal_path(move.target) for move in moves]
    if path in journals:
        is_decided = all(_run_of(journal) == run for journal in journals)
        for move in moves:
            if is_decided and _is_file(move.temporary) and _state(move.target) == move.before:
                move.temporary.replace(move.target)
            move.temporary.unlink(missing_ok=True)
            move.old.unlink(missing_ok=True)
        for journal in journals:
            if journal != path and _run_of(journal) == run:
                journal.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _read(folder: Path, text: bytes) -> tuple[str, list[Move]]:
    """The run and its moves; none if the journal is incomplete, or not of this library's names."""
    try:
        content = json.loads(text)
        moves = []
        for name, file, old, before in content["moves"]:
            target = Path(os.path.normpath(folder / name))
            if not temporary.NAME.fullmatch(file) or not _OLD.fullmatch(old):
                return "", []
            moves.append(Move(target, target.with_name(file), target.with_name(old), before))
        return str(content["run"]), moves
    except (ValueError, TypeError, KeyError):
        return "", []


def _run_of(journal: Path) -> str:
    try:
        descriptor = temporary.open_own(journal)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return _read(journal.parent, file.read())[0]


def _journal_path(target: Path) -> Path:
    name = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    return target.with_name(f".d2pyg-{name}.commit")


def _keep_old(move: Move) -> None:
    if move.before is None:
        return
    try:
        os.link(move.target, move.old)
    except OSError:  # no hard links here, or none to another user's file
        with temporary.naming(move.target):
            shutil.copy2(move.target, move.old)


def _put_back(move: Move) -> None:
    if _is_file(move.old):
        move.old.replace(move.target)
    else:
        move.target.unlink(missing_ok=True)


def _state(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return [status.st_mtime_ns, status.st_size]


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if pattern.fullmatch(entry.name)]


def sync(folders: Iterable[Path]) -> None:
    """Brings the names in folders to the disk, where a folder can be asked to."""
    for folder in folders:
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
