"""Errors for counts that do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def room_for(name: str, count: int) -> Iterator[None]:
    """If torch runs out of memory, raises an error that names the count that was too large."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            f"Expected {name!r} to fit into memory (got {count}). It is len(dataset)."
        ) from error
