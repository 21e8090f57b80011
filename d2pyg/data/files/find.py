"""The files that a path, a folder, a pattern or a list of these names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from d2pyg._base.natural import natural
from d2pyg._base.outputs import MissingPathError
from d2pyg.data.files.formats import ENDINGS, format_of, format_of_all
from d2pyg.data.files.hugging_face import saved_to_disk
from d2pyg.data.files.shards import Shards

AnyPath = str | os.PathLike[str]


def find(data: AnyPath | Sequence[AnyPath]) -> Shards:
    """The files of a data set.

    Those of a folder, subfolders included, and of a pattern are in natural order. A list keeps its
    order.

    Raises:
        ValueError, TypeError: If there are none, or they are of several kinds or of one that is unknown.
    """
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        if path.is_file():
            return Shards({path.name: path}, format_of_all([path]), None)
        saved = saved_to_disk(path)
        if saved is not None:
            return saved
        data = [data]
    if not isinstance(data, Sequence) or not all(isinstance(path, str | os.PathLike) for path in data):
        raise TypeError(
            f"Expected 'data' to be a path, a pattern or a list of paths (got {type(data).__name__}). "
            f"For a data set in memory, call d2pyg.take."
        )
    if not data:
        raise ValueError("Expected 'data' to be files (got an empty list). Name at least one.")
    files: dict[str, Path] = {}
    for name, file in chain.from_iterable(map(_files_of, data)):
        if name in files:
            raise ValueError(
                f"Expected 'data' to be files of different names (got {name!r:.100} twice). Name the "
                f"folder that they are in."
            )
        files[name] = file
    folders = [Path(path) for path in data if Path(path).is_dir()]
    return Shards(files, format_of_all([*files.values()]), folders)


def _files_of(path: AnyPath) -> Iterator[tuple[str, Path]]:
    """Names and paths of the files of one path."""
    own = Path(path)
    if own.is_file():
        yield own.name, own
        return
    if own.is_dir():
        inside = natural(_inside(own))
        found = [file for file in inside if file.suffix != ".json"] or inside  # others describe the data
    else:
        found = natural(map(Path, glob.glob(os.fspath(path), recursive=True)))  # noqa: PTH207
        found = [file for file in found if file.is_file()]
    if not found:
        raise MissingPathError(
            f"Expected 'data' to be a file, a folder or a pattern of files (got {str(path)!r:.80}, "
            f"where there are none). Check the path; files end in {ENDINGS}, or these and .gz or .zst."
        )
    for file in found:
        yield str(file.relative_to(own)) if own.is_dir() else file.name, file


def _inside(folder: Path) -> Iterator[Path]:
    """Its files of a known kind; hidden ones, and names such as _SUCCESS, are of programs."""
    for path in folder.rglob("*"):
        is_of_programs = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if format_of(path) is not None and not is_of_programs and path.is_file():
            yield path
