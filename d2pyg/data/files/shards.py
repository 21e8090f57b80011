"""The files that a data set consists of: which there are, in which order, and of which kind."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from d2pyg._base.compressed import suffixes_of
from d2pyg._base.natural import natural
from d2pyg._base.outputs import MissingPathError
from d2pyg.data.files.arrow import ArrowStream
from d2pyg.data.files.csv_rows import Csv, Tsv
from d2pyg.data.files.format import Format
from d2pyg.data.files.lines import JsonLines
from d2pyg.data.files.parquet import Parquet
from d2pyg.data.files.webdataset import WebDataset

FORMATS: tuple[Format, ...] = (JsonLines(), Csv(), Tsv(), Parquet(), WebDataset(), ArrowStream())
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
Beside = Callable[[str], dict[str, bytes]]  # of what was kept: files beside the shards, by name


@dataclass(frozen=True)
class Shards:
    """The files of a data set, in order.

    Attributes:
        files: Their paths.
        names: What those of the same rows are called in another folder.
        format: Theirs.
        is_one: It was named as one file, and not as a folder or as several files.
        beside: What belongs beside them in a folder.
    """

    files: list[Path]
    names: list[str]
    format: Format
    is_one: bool
    beside: Beside = field(default=lambda _: {})


def shards_of(data: Paths) -> Shards:
    """The files that a path, a folder, a pattern or a list of paths names.

    Files of folders, subfolders included, and of patterns are in natural order, those of a list as they
    are given.

    Raises:
        ValueError, TypeError: If there are none, or they are of several kinds or of one that is unknown.
    """
    if not isinstance(data, str | os.PathLike):
        if not isinstance(data, Sequence) or not all(isinstance(p, str | os.PathLike) for p in data):
            raise TypeError(
                f"Expected 'data' to be a path, a pattern or a list of paths (got "
                f"{type(data).__name__}). For a data set in memory, call d2pyg.take."
            )
        paths = [Path(path) for path in data]
        return _several(paths)
    path = Path(data)
    if path.is_file():
        return Shards([path], [path.name], _format_of([path]), is_one=True)
    if (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        return _saved_to_disk(path)
    if (path / "dataset_dict.json").is_file():
        splits = json.loads((path / "dataset_dict.json").read_text(encoding="utf-8")).get("splits", [])
        raise ValueError(
            f"Expected 'data' to be one split of a data set (got {str(data)!r:.100}, with "
            f"{', '.join(splits)}). Name one, such as {path / (splits or ['train'])[0]}."
        )
    files = natural(_in_folder(path) if path.is_dir() else _matches(data))
    if not files:
        kinds = ", ".join(suffix for one in FORMATS for suffix in one.suffixes)
        raise MissingPathError(
            f"Expected 'data' to be a file, a folder or a pattern of files (got {str(data)!r:.100}, "
            f"where there are none). Check the path; files end in {kinds}, or these and .gz or .zst."
        )
    return _several(files, path if path.is_dir() else None)


def _in_folder(folder: Path) -> Iterator[Path]:
    """Its files of a known kind; hidden ones, and names such as _SUCCESS, are of programs."""
    known = {suffix for one in FORMATS for suffix in one.suffixes}
    for path in folder.rglob("*"):
        is_of_programs = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if suffixes_of(path)[0] in known and not is_of_programs and path.is_file():
            yield path


def _matches(pattern: str | os.PathLike[str]) -> Iterator[Path]:
    found = map(Path, glob.glob(os.fspath(pattern), recursive=True))  # noqa: PTH207
    return (path for path in found if path.is_file())


def _several(files: list[Path], folder: Path | None = None) -> Shards:
    """Files that are named as in a folder, or by their own names."""
    one = _format_of(files)
    names = [path.name if folder is None else str(path.relative_to(folder)) for path in files]
    again = next((name for name, count in Counter(names).items() if count > 1), None)
    if again is not None:
        raise ValueError(
            f"Expected 'data' to be files of different names (got {again!r:.100} in several folders). "
            f"Name the folder that these are in."
        )
    return Shards(files, names, one, is_one=False)


def format_of(path: Path) -> Format | None:
    """The format that the suffix says, if one is known."""
    suffix, compression = suffixes_of(path)
    for one in FORMATS:
        if suffix in one.suffixes and (one.may_be_compressed or not compression):
            return one
    return None


def _format_of(files: Sequence[Path]) -> Format:
    """The format of all files."""
    if not files:
        raise ValueError("Expected 'data' to be files (got an empty list). Name at least one.")
    for path in files:
        if not path.is_file():
            raise MissingPathError(
                f"Expected 'data' to be files that exist (got {str(path)!r:.150}). Check the path."
            )
    formats = {path: format_of(path) for path in files}
    unknown = [path for path, one in formats.items() if one is None]
    if unknown:
        kinds = ", ".join(suffix for one in FORMATS for suffix in one.suffixes)
        raise ValueError(
            f"Expected 'data' to end in {kinds}, or in these and .gz or .zst (got "
            f"{str(unknown[0])!r:.100}). The suffix says the format."
        )
    counts = Counter(suffixes_of(path)[0] for path in files)
    if len(set(formats.values())) > 1:
        several = ", ".join(f"{count} {suffix}" for suffix, count in counts.items())
        raise ValueError(
            f"Expected 'data' to be files of one kind (got {several}). Name those, such as with "
            f"'{files[0].parent}/*{suffixes_of(files[0])[0]}'."
        )
    (one,) = set(formats.values())
    assert one is not None
    return one


def _saved_to_disk(folder: Path) -> Shards:
    """What Hugging Face's ``save_to_disk`` wrote; nothing in it is unpickled."""
    info, text = (folder / "dataset_info.json").read_bytes(), (folder / "state.json").read_bytes()
    try:
        state = json.loads(text)
        names = [str(entry["filename"]) for entry in state["_data_files"]]
        is_complete = bool(names) and not state.get("_indices_data_files")
    except (ValueError, TypeError, LookupError, AttributeError):
        is_complete = False
    if not is_complete or any(Path(name).name != name for name in names):
        raise ValueError(
            f"Expected 'data' to be as save_to_disk writes it (got {str(folder)!r:.100}, whose "
            f"state.json names other files or none). Load it, and save it again."
        )

    def beside(kept: str) -> dict[str, bytes]:
        """The fingerprint is of the content, and caches of datasets go by it."""
        own = {**state, "_fingerprint": hashlib.sha256(text + kept.encode()).hexdigest()[:16]}
        return {"dataset_info.json": info, "state.json": json.dumps(own, indent=2).encode()}

    paths = [folder / name for name in names]
    return Shards(paths, names, _format_of(paths), is_one=False, beside=beside)
