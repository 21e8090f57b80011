"""Embeddings and arrays as they are written on the command line: ``path``, or ``path:column``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from d2pyg.sources.arrays import ArrayTable
from d2pyg.sources.description import described
from d2pyg.sources.find import exists, find, suffixes
from d2pyg.sources.opening import source_of
from d2pyg.sources.shards import Shards
from d2pyg.sources.source import Source
from d2pyg.sources.table import Array


def open_spec(name: str, spec: str, ids: str | None = "auto") -> Source:
    """The embeddings that ``path``, ``path:column`` or ``path:column,column`` says."""
    path, key = split(spec)
    tables = find(path, name)
    columns: str | list[str] | None = key
    if key is not None and key not in tables[0].columns:
        columns = [tables[0].pick(part) for part in key.split(",")]
    return source_of(tables, columns, ids)


def read_array(name: str, spec: str | os.PathLike[str]) -> Array:
    """Reads one array.

    Args:
        name: The argument it is for, named in errors.
        spec: A path, or ``path:key`` for files of several arrays or columns. Of one file of arrays what
            it holds, such as a mapped ``.npy``; of shards and tables the values of all rows, one after
            the other. Nothing is ever unpickled.

    Raises:
        ValueError: If the suffix is unknown, the key is missing or needed, the file is damaged, holds
            pickled objects, or more than fits into memory.
        OSError: If the file cannot be opened.
    """
    return read_column(name, spec)[0]


def read_column(name: str, spec: str | os.PathLike[str]) -> tuple[Array, dict[str, Any]]:
    """:func:`read_array`, and a description of what was read."""
    path, key = split(os.fspath(spec))
    tables = find(path, name)
    column = tables[0].pick(key)
    if len(tables) == 1 and isinstance(tables[0], ArrayTable):
        array = tables[0].whole(column)
        lengths = [len(array) if array.ndim else 1]
    else:
        shards = Shards(tables, column)
        shards.tell()
        array = shards.names(column) if name == "ids" else shards.column(column)
        lengths = shards.lengths
    return array, described(tables, lengths, column=column)


def path_of(spec: str) -> Path:
    """The path that ``path:key`` or ``path`` names."""
    return Path(split(spec)[0])


def split(spec: str) -> tuple[str, str | None]:
    """The path and the key of ``path:key`` or ``path``; a path that exists is one."""
    path, colon, key = spec.rpartition(":")
    if not colon or exists(spec) or not path:
        return spec, None
    return (path, key) if path.endswith(suffixes()) or exists(path) else (spec, None)
