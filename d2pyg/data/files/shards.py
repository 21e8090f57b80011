"""The files of a data set, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from d2pyg.data.files.format import Format

Beside = Callable[[str], dict[str, bytes]]


@dataclass(frozen=True)
class Shards:
    """The files of a data set, in order.

    Attributes:
        files: Their paths, by what those of the same rows are called in another folder.
        format: Theirs.
        folders: Those that were named, or None: one file was.
        beside: Other files that belong into the folder, by name, from a digest of what is kept.
    """

    files: dict[str, Path]
    format: Format
    folders: list[Path] | None
    beside: Beside = field(default=lambda _: {})

    @property
    def is_one(self) -> bool:
        """One file was named, and not a folder or several files."""
        return self.folders is None
