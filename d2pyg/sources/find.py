"""Shards from a path, a folder, a pattern or a list of these, in their order."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from d2pyg._base.commit import settle
from d2pyg._base.natural import natural
from d2pyg._base.outputs import MissingPathError
from d2pyg._base.registry import choices, look_up, name_of
from d2pyg.sources.table import Table, named

AnyPath = str | os.PathLike[str]
Format = type[Table]
_HIDDEN = (".", "_")  # what names of files begin with that hold no data, such as _SUCCESS


def find(
    paths: AnyPath | Sequence[AnyPath], argument: str, only: str | Format | None = None
) -> list[Table]:
    """The shards of all paths, all of one format.

    Args:
        paths: A file, a folder, a pattern with ``*`` or a list of these, of which the order is kept.
        argument: What they were given as, named in errors.
        only: A format, or its name; default: by the names of the files.
    """
    several: Sequence[Any] = paths if isinstance(paths, list | tuple) else [paths]
    formats = [look_up("source", name) for name in ([only] if only else choices("source"))]
    found = list(chain.from_iterable(_of_path(path, argument, formats) for path in several))
    by_format = Counter(name_of(type(table)) for table in found)
    if len(by_format) > 1:
        counts = ", ".join(f"{count} of {name}" for name, count in by_format.items())
        raise ValueError(
            f"Expected {argument!r} to be files of one format (got {counts}). Name those you want by a "
            f"pattern such as 'folder/*.parquet', or pass format=."
        )
    paths_found = Counter(table.path.resolve() for table in found)
    twice = [path for path, count in paths_found.items() if count > 1]
    if twice:
        raise ValueError(
            f"Expected {argument!r} to name each file once (got {named(twice[0])} "
            f"{paths_found[twice[0]]} times). Leave out the others."
        )
    if not found:
        raise ValueError(f"Expected {argument!r} to be at least one file (got []). Name one.")
    return found


def exists(path: AnyPath) -> bool:
    """Whether a path names something, as it is or as a pattern."""
    return Path(path).exists() or bool(_matches(path))


def suffixes(formats: Iterable[Format] | None = None) -> tuple[str, ...]:
    """What names of files end in; of these formats, or of all."""
    every = map(partial(look_up, "source"), choices("source")) if formats is None else formats
    return tuple(sorted({suffix for own in every for suffix in own.suffixes}))


def _of_path(path: Any, argument: str, formats: list[Format]) -> list[Table]:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"Expected {argument!r} to be a path or a list of paths (got {type(path).__name__}). Pass a "
            f"str or a pathlib.Path."
        )
    path = Path(path)
    settle(path)
    if not path.exists():
        matches = natural(map(Path, _matches(path)))
        found = list(chain.from_iterable(_of_folder(match, argument, formats) for match in matches))
        if found:
            return found
        if not matches and "." in path.name and not path.name.endswith(suffixes(formats)):
            raise _unread(path, argument, formats)
        raise MissingPathError(
            f"Expected {argument!r} to be a file that exists (got {str(path)!r}). Check the path."
        )
    found = _of_folder(path, argument, formats)
    if found:
        return found
    if path.is_dir():
        there = sorted({file.suffix for file in path.rglob("*") if file.is_file()})
        raise ValueError(
            f"Expected {argument!r} to be a folder with files of a kind that is read (got "
            f"{named(path)}, with {', '.join(there)[:60] or 'no file'}). Name one with "
            f"{', '.join(suffixes(formats)):.100}."
        )
    raise _unread(path, argument, formats)


def _of_folder(path: Path, argument: str, formats: list[Format]) -> list[Table]:
    """The shards of a path that a format claims, or else of what is in the folder."""
    claims = [own for own in formats if own.claims(path)]
    if len(claims) > 1:
        names = ", ".join(map(name_of, claims))
        raise ValueError(
            f"Expected {argument!r} to be of one format (got {named(path)}, which {names} claim). Pass "
            f"format=, or register a format with a suffix of its own."
        )
    if claims:
        return claims[0].tables(path, argument)
    if not path.is_dir():
        return []
    inside = natural(child for child in path.iterdir() if not child.name.startswith(_HIDDEN))
    return list(chain.from_iterable(_of_folder(child, argument, formats) for child in inside))


def _matches(path: AnyPath) -> list[str]:
    pattern = os.fspath(path)
    return glob.glob(pattern, recursive=True) if glob.has_magic(pattern) else []  # noqa: PTH207


def _unread(path: Path, argument: str, formats: list[Format]) -> ValueError:
    return ValueError(
        f"Expected {argument!r} to end in one of {', '.join(suffixes(formats))} (got {named(path)}). "
        f"The suffix says the format."
    )
