"""The order in which files are read: by the numbers in their names."""

from __future__ import annotations

import re
from pathlib import Path

_DIGITS = re.compile(r"([0-9]+)")


def natural_key(path: Path) -> list[tuple[str, int, str]]:
    """A key to sort paths by, in which numbers are compared as numbers, whether zero-padded or not.

    Example:
        >>> names = ["part-10.npy", "part-2.npy", "part-02.npy"]
        >>> [path.name for path in sorted(map(Path, names), key=natural_key)]
        ['part-02.npy', 'part-2.npy', 'part-10.npy']
    """
    parts = _DIGITS.split(str(path))
    parts.append("")
    return [
        (text, int(digits or 0), digits) for text, digits in zip(parts[::2], parts[1::2], strict=True)
    ]
