"""open: from paths to a source, with its columns found or named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from d2pyg._base.choice import shown
from d2pyg._base.columns import package_of
from d2pyg._base.outputs import MissingPathError
from d2pyg.sources import (  # noqa: F401  # they register themselves
    clip_retrieval,
    csv,
    datacomp,
    json_lines,
    lance,
    npy,
    npz,
    parquet,
    pt,
    safetensors,
    txt,
)
from d2pyg.sources.find import AnyPath, find
from d2pyg.sources.hugging_face import HuggingFace
from d2pyg.sources.source import Source
from d2pyg.sources.table import Table, named

VECTORS = ("embedding", "embeddings", "vector", "emb")
TOWERS = ("img_emb", "text_emb", "l14_img", "l14_txt", "b32_img", "b32_txt")
IDS = ("id", "uid", "key", "_curator_dedup_id")


def open(  # noqa: A001
    path: AnyPath | Sequence[AnyPath] | Any,
    column: str | Sequence[str] | None = None,
    *,
    ids: str | None = "auto",
    format: str | type[Table] | None = None,  # noqa: A002
    work: AnyPath | None = None,
) -> Source:
    """Embeddings from files as you have them: one or many, with the ids and the scores beside them.

    Formats: ``.npy``, ``.npz``, ``.pt``, ``.safetensors``, ``.parquet``; ``.jsonl`` and ``.csv``, also
    as ``.gz`` and ``.zst``; folders of Lance, of ``datasets``' ``save_to_disk``, of DataComp (pairs
    ``.parquet`` and ``.npz``) and of clip-retrieval (``img_emb``, ``text_emb``, ``metadata``); and your
    own, see :func:`d2pyg.register`. Nothing is ever unpickled.

    Args:
        path: A file; a folder, of which all files are taken, subfolders included; a pattern with ``*``;
            or a list of these. Numbers in names count as numbers, so shard 2 comes before shard 10. A
            list keeps its order. Or a data set of ``datasets``.
        column: The column of vectors, the array of a file, or a list of them, such as
            ``["l14_img", "l14_txt"]``. Default: the only array of a file, or else the one that is there
            of ``embedding``, ``embeddings``, ``vector`` and ``emb``, or of the towers.
        ids: The column of ids; None for none. Default: the first of ``id``, ``uid``, ``key`` and
            ``_curator_dedup_id`` that is there.
        format: The name of a format, or a :class:`d2pyg.sources.Table`; default: by the names of files.
        work: A folder for a temporary file that holds the vectors of all shards in place of the memory.
            One mapped ``.npy`` needs none.

    Returns:
        A :class:`d2pyg.sources.Source`. Headers have been read, and compared between shards. Values are
        read when they are asked for.

    Raises:
        ValueError, TypeError: If a file, a shard or a column breaks a rule; the message says which.
        FileNotFoundError: If there is no such file.
        ImportError: If the package of a format is not installed.

    Example:
        >>> import numpy, pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for shard in range(3):
        ...     x = numpy.full((4, 2), shard, "float16")
        ...     numpy.savez(folder / f"{shard}.npz", emb=x, loss=x[:, 0])
        >>> source = d2pyg.open(folder)
        >>> source, source["loss"].shape
        (Source(12 rows of 2 x float16 in 3 shards), (12,))
        >>> coreset = d2pyg.select(source, source["loss"], budget=2, k=1)
        >>> [file["rows"] for file in coreset.settings["read"]["embeddings"]["files"]]
        [4, 4, 4]
    """
    if package_of(path) == "datasets":
        tables: list[Table] = [HuggingFace.of(path)]
    else:
        tables = find(path, "path", format)
    return source_of(tables, column, ids, work)


def source_of(
    tables: Sequence[Table],
    column: str | Sequence[str] | None = None,
    ids: str | None = "auto",
    work: AnyPath | None = None,
) -> Source:
    """A source of these shards, with its columns of vectors and of ids found or named."""
    first = tables[0]
    vectors = [_vectors(first)] if column is None else [column] if isinstance(column, str) else column
    if not isinstance(vectors, list | tuple) or not vectors:
        raise TypeError(
            f"Expected 'column' to be the name of a column, or a list of names (got {shown(column)}). "
            f"Columns: {', '.join(first.columns):.100}."
        )
    if ids == "auto":
        ids = next((name for name in IDS if name in first.columns and name not in vectors), None)
    source = Source(tables, vectors, ids, None if work is None else _folder(work))
    source.tell()
    return source


def _folder(work: AnyPath) -> Path:
    """A folder that a file can be made in; asked before anything is read."""
    folder = Path(work)
    if not folder.is_dir():
        raise MissingPathError(
            f"Expected 'work' to be a folder that exists (got {named(folder)}). Make it first."
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"Expected 'work' to be a folder that can be written to (got {named(folder)}). Choose "
            f"another."
        )
    return folder


def _vectors(table: Table) -> str:
    """The column of vectors, by its name or because there is no other."""
    for names in VECTORS, TOWERS:
        found = [name for name in names if name in table.columns]
        if len(found) == 1:
            return found[0]
        if found:
            break
    if len(table.columns) == 1:
        return table.columns[0]
    there = found or [*table.columns]
    raise ValueError(
        f"Expected {table.argument!r} to name one of the {table.holds} in {table}: "
        f"{', '.join(there):.100} (got none). Pass column={there[0]!r:.40}, or on "
        f"the command line {table.path}:{there[0]:.40}."
    )
