"""What was read: files, rows and sizes, as a coreset records them, and what has changed since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from d2pyg._base.registry import name_of
from d2pyg.sources.table import Table

_END = 1 << 13  # bytes at each end of a file: headers, footers and directories say much of the rest


def described(tables: Sequence[Table], rows: Sequence[int], **facts: Any) -> dict[str, Any]:
    """What JSON can hold of the files of a source.

    Args:
        tables: The shards.
        rows: How many rows each has.
        facts: What else is to be recorded.
    """
    files = [(file, count) for table, count in zip(tables, rows, strict=True) for file in table.files]
    root = _root([file for file, _ in files])
    for table in tables:
        facts.update(table.facts)
    return {
        "format": name_of(type(tables[0])),
        "rows": sum(rows),
        **facts,
        "files": [
            {"name": _name(file, root), "rows": count, "bytes": file.stat().st_size, "ends": _ends(file)}
            for file, count in files
        ],
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first difference between two descriptions, in words; None if there is none.

    Files of another format can hold the same rows, so nothing is said of them.
    """
    if before.get("format") != now.get("format"):
        return None
    old, new = before.get("files") or [], now.get("files") or []
    if len(old) != len(new):
        names = {file.get("name") for file in old} ^ {file.get("name") for file in new}
        return f"{len(new)} files, not {len(old)}, such as {min(names, default='')!r:.80}"
    for was, file in zip(old, new, strict=True):
        name = f"{file.get('name')!r:.80}"
        if len(old) > 1 and was.get("name") != file.get("name"):  # one file can have moved
            return f"{name} in place of {was.get('name')!r:.80}"
        for what in ("rows", "bytes"):
            if was.get(what) != file.get(what):
                return f"{name} of {file.get(what)} {what}, not {was.get(what)}"
        if was.get("ends") != file.get("ends"):
            return f"{name} with other content"
    for what in before.keys() - {"files", "ids"}:  # names change no pick
        if before[what] != now.get(what):
            return f"{what} {now.get(what)!r:.40}, not {before[what]!r:.40}"
    return None


def _root(files: Sequence[Path]) -> Path:
    """The folder that all are in; a file that is alone keeps its name."""
    folders = {str(file.absolute().parent) for file in files}
    return Path(os.path.commonpath(folders)) if folders else Path()


def _name(file: Path, root: Path) -> str:
    return file.absolute().relative_to(root).as_posix()


def _ends(file: Path) -> str:
    """A checksum of the beginning and the end of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        digest.update(content.read(_END))
        content.seek(max(content.tell(), file.stat().st_size - _END))
        digest.update(content.read())
    return digest.hexdigest()[:16]
