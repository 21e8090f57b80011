"""Lists of what is kept or removed: names, or indices where samples have no names."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from d2pyg._base.extras import require
from d2pyg._base.names import Names, as_text, decoded, encoded
from d2pyg._base.options import LIST_SUFFIXES
from d2pyg._base.outputs import check_output
from d2pyg.coreset.tables import text_column, write_table

_UID = re.compile("[0-9a-fA-F]{32}")


def check_target(name: str, path: str | os.PathLike[str], datacomp: bool = False) -> Path:
    """A path that a list can be written to; asked before work begins, so that none is lost."""
    target = check_output(name, path, (".npy",) if datacomp else LIST_SUFFIXES)
    if target.suffix == ".parquet":
        require("pyarrow", "pyarrow")
    return target


def name_list(name: str, names: Names, suffix: str) -> bytes:
    """A file of names or indices.

    ``.npy``; ``.json``; ``.txt``, one a line; ``.parquet``, one column ``id``.

    Args:
        name: The argument that it is for, named in errors.
        names: What is listed.
        suffix: The format.

    Raises:
        ValueError: If the format cannot hold them.
    """
    is_text = names.dtype.kind in "UO"
    if suffix == ".json":
        return json.dumps(names.tolist()).encode()
    if suffix == ".parquet":
        buffer = io.BytesIO()
        column = text_column(names)[0] if is_text else require("pyarrow", "pyarrow").array(names)
        write_table({"id": column}, "{}", buffer)
        return buffer.getvalue()
    if suffix == ".npy":
        array = as_text(names.tolist()) if is_text else names
        if array.dtype.kind == "O":
            raise _unfit(name, suffix, "names of very different lengths", max(array, key=len))
        return _npy(array)
    if not is_text:
        return "".join(f"{entry}\n" for entry in names.tolist()).encode()
    for entry in names.tolist():
        if len(f"{entry}.".splitlines()) > 1 or entry.startswith("\ufeff"):  # a mark that readers drop
            raise _unfit(name, suffix, "names that are not one line of text", entry)
    return b"".join(entry + b"\n" for entry in encoded(names))


def read_list(path: Path) -> list[Any] | None:
    """The names or indices of a ``.parquet`` list; None, if the file is no list but a table."""
    parquet = require("pyarrow.parquet", "pyarrow")
    with path.open("rb") as file:
        content = parquet.ParquetFile(file)
        if content.schema_arrow.names != ["id"]:
            return None
        entries: list[Any] = content.read().column("id").to_pylist()
    return decoded(entries).tolist() if entries and isinstance(entries[0], bytes) else entries


def datacomp_list(name: str, names: Names | None) -> bytes:
    """A ``.npy`` file of dtype ``u8,u8``, sorted: DataComp's uids, of 32 hex digits, as two halves each.

    Raises:
        ValueError: If the names are no such uids.
    """
    uids: list[Any] = [] if names is None else names.tolist()
    wrong = [uid for uid in uids if not isinstance(uid, str) or not _UID.fullmatch(uid)]
    if wrong or names is None:
        got = f"{len(wrong)} others, the first {wrong[0]!r:.60}" if wrong else "none"
        raise ValueError(
            f"Expected {name!r} for ids that are DataComp's uids, of 32 hex digits (got {got}). Pass "
            f"the column 'uid' as ids."
        )
    halves = [(int(uid[:16], 16), int(uid[16:], 16)) for uid in uids]
    return _npy(np.sort(np.array(halves, dtype="u8,u8")))


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _unfit(name: str, suffix: str, what: str, entry: str) -> ValueError:
    others = ".txt or .json" if suffix == ".npy" else ".json or .npy"
    return ValueError(
        f"Expected {name!r} to be a {others} file for {what} (got {suffix} and {entry!a:.60}). Choose "
        f"another suffix."
    )
