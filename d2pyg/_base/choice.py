"""One of a few names. For a similar name, the error suggests the right one. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

_SHOWN = 60  # characters of a value in an error


def shown(value: Any) -> str:
    """A value as text that is short enough for an error."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        text = "a number of too many digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name that is most similar, if one is similar enough.

    Example:
        >>> nearest("lapacian", ["laplacian", "rbf"]), nearest("cubic", ["laplacian", "rbf"])
        ('laplacian', None)
    """
    return next(iter(get_close_matches(name[:_SHOWN], allowed, n=1)), None)


def check_choice(
    name: str, value: Any, allowed: Sequence[str], remedy: str = "Choose one of these names."
) -> str:
    """One of a few names."""
    if isinstance(value, str) and value in allowed:
        return value
    meant = nearest(value, allowed) if isinstance(value, str) else None
    raise ValueError(
        f"Expected {name!r} to be one of {', '.join(allowed)} (got {shown(value)}). "
        f"{remedy if meant is None else f'Did you mean {meant!r}?'}"
    )
