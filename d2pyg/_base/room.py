"""Memory that has to be there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def room_for(name: str, count: int) -> Iterator[None]:
    """Says which count was too large where torch finds no memory for so many numbers."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            f"Expected {name!r} to fit into memory (got {count}). It is len(dataset)."
        ) from error
