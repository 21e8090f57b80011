"""NoValues: a base for objects that are no values of samples, such as a recorder or a coreset."""

from __future__ import annotations

from abc import abstractmethod


class NoValues:
    """Refused as scores, labels or embeddings, even if NumPy can make an array of it."""

    @abstractmethod
    def _instead(self, name: str) -> str:
        """The advice of the error: what to pass as that argument."""
