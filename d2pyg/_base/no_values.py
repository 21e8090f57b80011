"""NoValues: what users have of all samples, and pass where values are wanted."""

from __future__ import annotations

from abc import abstractmethod


class NoValues:
    """Is no scores, labels or embeddings, though NumPy may make an array of it."""

    @abstractmethod
    def _instead(self, name: str) -> str:
        """What to pass as that argument."""
