"""Located: rows that lie in files, so that errors can say where."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Located(ABC):
    """What holds samples of which each is somewhere."""

    @abstractmethod
    def place_of(self, row: int) -> str:
        """The number of a row, and where it is."""
