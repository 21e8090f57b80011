"""Table: what a format of files says of one shard, its columns and their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from d2pyg._base.text import one_line

Array = np.ndarray[Any, Any]
UNNAMED = ""  # the column of a file that holds one array


class Table(ABC):
    """One shard: a file, or files side by side, with columns of as many rows. A format is a subclass.

    Making one opens no file, so that errors come where a column is asked for.

    Args:
        path: The file or folder.
        argument: The argument that it was given as, named in errors.

    Attributes:
        suffixes: What names of its files end in.
        holds: What its columns are called.
        typed: Whether the format tells numbers from text. Where it does not, as in CSV, all is text.

    Example:
        >>> import pathlib, tempfile
        >>> @d2pyg.register("source", "doc-example")
        ... class Numbers(d2pyg.sources.Table):
        ...     suffixes = (".numbers",)
        ...     columns = ("vector",)
        ...
        ...     def length(self, column):
        ...         return len(self.path.read_text().split())
        ...
        ...     def blocks(self, column, start, stop):
        ...         yield np.array(self.path.read_text().split(), dtype=float)[start:stop, None]
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.numbers"
        >>> _ = path.write_text("0 1 5")
        >>> d2pyg.open(path).rows(slice(1, 3))
        array([[1.],
               [5.]])
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    holds: ClassVar[str] = "columns"
    typed: ClassVar[bool] = True

    def __init__(self, path: Path, argument: str = "path") -> None:
        self.path = path
        self.argument = argument

    @classmethod
    def claims(cls, path: Path) -> bool:
        """Whether a file or folder is of this format."""
        return bool(cls.suffixes) and path.name.endswith(cls.suffixes) and path.is_file()

    @classmethod
    def tables(cls, path: Path, argument: str = "path") -> list[Table]:
        """The shards of a file or folder that this format claims, in order."""
        return [cls(path, argument)]

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of the columns; an array without a name is the column ``""``."""

    @abstractmethod
    def length(self, column: str) -> int:
        """The number of rows of a column."""

    @abstractmethod
    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        """The rows from ``start`` up to ``stop``, [n] or [n, d], as parts in order."""

    @property
    def files(self) -> list[Path]:
        """The files that it is read from."""
        return [self.path]

    @property
    def facts(self) -> dict[str, Any]:
        """What else says which data these are, such as a version, as JSON can hold it."""
        return {}

    def sample(self, column: str) -> Array | None:
        """The first row, [1] or [1, d]; None if there is none."""
        return next((block[:1] for block in self.blocks(column, 0, 1) if len(block)), None)

    def pick(self, key: str | None) -> str:
        """The column of that key; without a key, the only one."""
        if UNNAMED in self.columns:
            if key is not None:
                raise ValueError(
                    f"Expected {self.argument!r} without a key, as {self} holds one array (got key "
                    f"{key!r}). Leave out ':{key}'."
                )
            return UNNAMED
        if key is None and len(self.columns) == 1:
            return self.columns[0]
        if key is None or self.columns.count(key) != 1:
            got = "no key" if key is None else f"key {key!r}"
            raise ValueError(
                f"Expected {self.argument!r} to name one of the {self.holds} in {self}: "
                f"{', '.join(self.columns):.100} (got {got}). Write it as "
                f"{self.path}:{self.columns[0] if self.columns else 'key'}."
            )
        return key

    def misfit(self, column: str, rule: str, got: str, remedy: str) -> ValueError:
        """The error about a column that breaks a rule."""
        what = f"column {column!r:.40} of {self}" if column else str(self)
        return ValueError(f"Expected {what} to {rule} (got {got}). {remedy}")

    def missing(self, column: str, count: int, first: int, of: str = "rows") -> ValueError:
        """The error about nulls."""
        got = f"null in {count} {of}, the first at row {first}"
        remedy = "Fill them in, or leave out these samples."
        return self.misfit(column, "have a value in every row", got, remedy)

    def __str__(self) -> str:
        return named(self.path)


def named(path: Path | str) -> str:
    """A path in an error; of a long one, both ends."""
    return repr(one_line(str(path), 60))
