"""What a kind of file has to say of itself, so that rows can be taken from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import IO, ClassVar

from d2pyg.data.files.rows import Rows


class Format(ABC):
    """A kind of file that holds rows.

    Attributes:
        suffixes: Of its files.
        may_be_compressed: Whether ``.gz`` or ``.zst`` may follow.
    """

    suffixes: ClassVar[tuple[str, ...]]
    may_be_compressed: ClassVar[bool] = True

    @abstractmethod
    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        """Reads a file from start to end, and writes one of the same kind with the rows that are kept.

        Args:
            source: Decompressed.
            target: To be written from start to end.
            rows: Says of the next rows which are kept, and is asked in their order.

        Raises:
            RowsError: If a row cannot be read.
            Exception: Of any kind, where the file is damaged.
        """
