"""The order of shards: numbers in names count as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def natural(paths: Iterable[Path]) -> list[Path]:
    """Paths by their names, folder by folder: 2 before 10, zero-padded or not.

    Example:
        >>> [path.name for path in natural(map(Path, ["b1", "a10", "a2", "a02"]))]
        ['a02', 'a2', 'a10', 'b1']
    """
    return sorted(paths, key=lambda path: ([_key(part) for part in path.parts], path.parts))


def _key(name: str) -> list[tuple[int, int, str]]:
    """Text and numbers in turn, numbers by their value."""
    parts = re.split("([0-9]+)", name)
    return [(1, int(part), "") if place % 2 else (0, 0, part) for place, part in enumerate(parts)]
