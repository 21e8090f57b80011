"""take_files: the rows of files that a coreset keeps, as files of the same kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from d2pyg._base.commit import settle
from d2pyg._base.compressed import compressed, decompressed, suffixes_of
from d2pyg._base.folders import check_folder, replacing_folder
from d2pyg._base.outputs import check_output, replacing
from d2pyg._base.progress import progress_bar
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.duplicates import Duplicates
from d2pyg.data.files.find import AnyPath, find
from d2pyg.data.files.formats import format_of
from d2pyg.data.files.rows import Rows, RowsError
from d2pyg.data.files.shards import Shards


@dataclass(frozen=True)
class TakenFiles:
    """What :func:`d2pyg.take_files` has done.

    Attributes:
        files: The files that were read, in order.
        empty: Those among them without rows.
        rows: Rows that were read.
        kept: Rows that were written.
        column: The column of ids that rows were found by; None: by their numbers.
    """

    files: list[Path]
    empty: list[Path]
    rows: int
    kept: int
    column: str | None


def take_files(
    data: AnyPath | Sequence[AnyPath],
    coreset: Coreset | Duplicates,
    out: str | os.PathLike[str],
    *,
    removed: bool = False,
    ids: str | bool | None = None,
    progress: bool = False,
) -> TakenFiles:
    """Writes the rows of a coreset, from files of a data set to files of the same kind.

    ====================================  ==============================================================
    data set                              what stays as it is
    ====================================  ==============================================================
    ``.jsonl``, ``.ndjson``, ``.json``:   the bytes of each line
    JSON lines
    ``.csv``, ``.tsv``                    the header, and the bytes of each row
    ``.parquet``                          schema, metadata, and compression of each column; row groups
                                          have at most 25,000 rows
    ``.tar``: WebDataset                  all members of a sample, as bytes
    ``.arrow``: a folder of Hugging       schema, features and format
    Face's ``save_to_disk``
    ====================================  ==============================================================

    Text and tar files may be compressed: ``.jsonl.gz``, ``.csv.zst`` (needs zstandard). Parquet and
    Arrow need pyarrow. Rows are read and written one after the other, and never held together. Their
    order stays. Nothing is unpickled.

    Where both have ids, each row is the sample of its id, and every id has to be there, once. Else rows
    are samples in order, and there have to be as many. Files of a folder, subfolders included, and of a
    pattern are read in natural order, 2 before 10; those of a list as they are given. In a folder,
    ``.json`` files beside others describe them, and are left out.

    Args:
        data: A file, a folder, a pattern such as ``"shards/*.jsonl.gz"``, or a list of these.
        coreset: Selected from these rows; or the result of :func:`d2pyg.duplicates`.
        out: For one file, a file of the same kind, which is replaced. Else a folder that is not there
            yet, or is empty; in it files have the names that they have in ``data``. Nothing is there
            until all is.
        removed: Write the other rows instead, as :attr:`Coreset.removed` has them.
        ids: The column of ids; for WebDataset the name in the ``.json`` member of each sample. None:
            the first there is of ``id``, ``uid``, ``key``, ``__key__``, ``_curator_dedup_id``; for
            WebDataset the key. False: rows go by their numbers.
        progress: Show a progress bar.

    Returns:
        The files read, and how many rows were.

    Raises:
        ValueError, TypeError: If the rows are not those of the coreset, files are damaged, of several
            kinds or not there, or an argument breaks its rule.
        OSError: If something cannot be read or written.
        ImportError: If pyarrow or zstandard is needed and not installed.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "all.jsonl").write_text('{"id": "a"}\\n{"id": "b"}\\n{"id": "c"}\\n')
        >>> x = torch.tensor([[0.0], [0.1], [5.0]])
        >>> coreset = d2pyg.select(x, scores=[1, 2, 9], budget=2, k=1, ids=["a", "b", "c"])
        >>> take_files(folder / "all.jsonl", coreset, folder / "few.jsonl").kept
        2
        >>> print((folder / "few.jsonl").read_text().strip())
        {"id": "b"}
        {"id": "c"}
    """
    if not isinstance(coreset, Coreset | Duplicates):
        raise TypeError(
            f"Expected 'coreset' to be a Coreset (got {type(coreset).__name__}). Load a file with "
            f"d2pyg.Coreset.load."
        )
    if ids is True or not isinstance(ids, str | bool | None):
        raise TypeError(
            f"Expected 'ids' to be a column's name, None or False (got {ids!r:.60}). Name it."
        )
    if isinstance(ids, str) and coreset.ids is None:
        raise ValueError(
            f"Expected a coreset with ids for 'ids' (got {ids!r:.60} and one without). Leave it out, or "
            f"select with ids."
        )
    shards = find(data)
    target = _checked(shards, out)
    wanted = coreset.mask
    if removed:
        wanted = torch.zeros_like(wanted).index_fill(0, coreset.removed, True)
    with progress_bar(len(wanted), "take", "rows", progress) as bar:
        rows = Rows(wanted, coreset.ids, ids, bar)
        if shards.is_one:
            with replacing(target) as file:
                (path,) = shards.files.values()
                _copy(shards, path, file, suffixes_of(target)[1], rows)
                rows.end()
        else:
            with replacing_folder(target) as folder:
                for name, path in shards.files.items():
                    with folder.file(name) as file:
                        _copy(shards, path, file, suffixes_of(path)[1], rows)
                rows.end()
                for name, content in shards.beside(_digest(wanted)).items():
                    with folder.file(name) as file:
                        file.write(content)
    return TakenFiles(rows.files, rows.empty, rows.count, rows.num_kept, rows.column)


def _checked(shards: Shards, out: str | os.PathLike[str]) -> Path:
    """Where to write; asked before work begins."""
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"Expected 'out' to be a path (got {type(out).__name__}). Pass a str or a Path.")
    target = Path(out)
    if target.resolve() in {path.resolve() for path in shards.files.values()}:
        raise ValueError(
            f"Expected 'out' to differ from 'data' (got {str(out)!r:.100}). Name another file."
        )
    if not shards.is_one:
        inside = [
            folder
            for folder in shards.folders or []
            if target.resolve().is_relative_to(folder.resolve())
        ]
        if inside and target.resolve() != inside[0].resolve():
            raise ValueError(
                f"Expected 'out' to be outside of the folder of 'data' (got {str(out)!r:.100} in "
                f"{str(inside[0])!r:.60}), whose files would be read the next time. Name another."
            )
        if format_of(target) is not None:
            raise ValueError(
                f"Expected 'out' to be a folder, as 'data' is a folder or several files (got "
                f"{str(out)!r:.100}). Name one without the suffix of a file."
            )
        return check_folder("out", target)
    if format_of(target) is not shards.format:
        endings = ", ".join(shards.format.suffixes)
        raise ValueError(
            f"Expected 'out' to be of the kind of 'data', and end in {endings} (got {str(out)!r:.100}). "
            f"Change its suffix."
        )
    return check_output("out", target, [target.suffix])


def _copy(shards: Shards, path: Path, file: IO[bytes], suffix: str, rows: Rows) -> None:
    settle(path)
    rows.begin(path)
    with _readable(path, rows), decompressed(path) as source, compressed(file, suffix) as target:
        shards.format.copy(source, target, rows)


@contextmanager
def _readable(path: Path, rows: Rows) -> Iterator[None]:
    """Turns what libraries raise at a damaged file into one error that says so."""
    try:
        yield
    except (RowsError, ImportError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the file system
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"Expected 'data' to be files that can be read to their end (got {str(path)!r:.100}: "
            f"{reason:.80}, after {rows.count - rows.first} rows). Download it, or write it again."
        ) from error


def _digest(wanted: Tensor) -> str:
    return hashlib.sha256(wanted.cpu().numpy().tobytes()).hexdigest()
