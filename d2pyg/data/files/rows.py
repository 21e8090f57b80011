"""Which rows of files are kept: by their names where there are some, else by their numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from torch import Tensor

from d2pyg._base.choice import shown
from d2pyg._base.names import Names
from d2pyg._base.progress import Progress

COLUMNS = ("id", "uid", "key", "__key__", "_curator_dedup_id")  # where names are looked for
_WAY_OUT = "Name the column with 'ids', or go by row numbers with 'ids=False'."
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class RowsError(ValueError):
    """Rows that are not the samples of the coreset; other errors are of files that cannot be read."""


class Rows:
    """The rows of a data set as they are read, file by file, and which of them are kept.

    Args:
        wanted: bool [N], the samples of the coreset that are kept.
        names: Theirs [N], or None.
        ids: The column of names; None: the first of :data:`COLUMNS` that is there; False: rows go by
            number.
        bar: Counts rows.
    """

    def __init__(
        self, wanted: Tensor, names: Names | None, ids: str | bool | None, bar: Progress
    ) -> None:
        self.files: list[Path] = []
        self.count = 0  # rows of which is known whether they are kept
        self.num_kept = 0
        self.asked = ids if isinstance(ids, str) else None
        self.column: str | None = None  # of names, once a file with rows was read
        self._wanted = wanted.cpu().numpy()
        self._names = None if ids is False else names
        self._first_rows: list[int] = []
        self._bar = bar
        self._table: dict[Any, int] = {}  # samples by name, once a row is not at its sample's place
        self._row_of = np.empty(0, dtype=np.int64)  # [N] then, -1 for samples without a row yet
        self._num_repeated = 0
        self._repeated: tuple[Any, int, int] | None = None  # a name, its first row, the next one

    def begin(self, path: Path) -> None:
        """The next rows are of this file."""
        self.files.append(path)
        self._first_rows.append(self.count)

    @property
    def first(self) -> int:
        """The first row of the last file."""
        return self._first_rows[-1]

    @property
    def empty(self) -> list[Path]:
        """Files without rows."""
        ends = [*self._first_rows[1:], self.count]
        sizes = zip(self.files, self._first_rows, ends, strict=True)
        return [path for path, first, end in sizes if first == end]

    def column_among(self, columns: Sequence[str]) -> str | None:
        """The column of names, which is decided by the first file with rows; None: there is none."""
        if self._names is None:
            return None
        column = self.column
        if column is None and self.count == 0:
            column = self.asked or next((name for name in COLUMNS if name in columns), None)
        if column is not None and column not in columns:
            raise RowsError(
                f"Expected 'data' to have the column {shown(column)} of ids in all files (got "
                f"{', '.join(map(str, columns))!s:.80} in {self._place(self.count)}). {_WAY_OUT}"
            )
        self.column = column
        return column

    def keep(self, count: int, names: Sequence[Any] | None = None) -> Mask:
        """Which of the next rows are kept, bool [count]; with the names of all, where there are some."""
        start, self.count = self.count, self.count + count
        self._bar.update(count)
        if names is None or self._names is None:
            part: Mask = self._wanted[start : self.count]  # there may be fewer samples than rows
            mask: Mask = np.pad(part, (0, count - len(part)))
        else:
            mask = self._by_name(start, names, self._names)
        self.num_kept += int(mask.sum())
        return mask

    def end(self) -> None:
        """All rows have been read.

        Raises:
            RowsError: If they are not the samples of the coreset, each once.
        """
        total = len(self._wanted)
        if self._repeated:
            name, first, again = self._repeated
            raise RowsError(
                f"Expected 'data' to have each id once (got {_counted(self._num_repeated, 'row')} with "
                f"the id of an earlier one, the first {shown(name)} in {self._place(again)}, as in "
                f"{self._place(first)}). Remove repeated rows, or select by row, without ids."
            )
        if self.count != total:
            empty = f", {len(self.empty)} of them empty" if self.empty else ""
            raise RowsError(
                f"Expected 'data' to have a row for each of the {total} samples of the coreset (got "
                f"{_counted(self.count, 'row')} in {_counted(len(self.files), 'file')}{empty}"
                f"{self._first_missing()}). Check that all files are there, and none besides."
            )

    def fail(self, row: int, problem: str, remedy: str) -> NoReturn:
        """Raises an error of a row among the next ones."""
        raise RowsError(
            f"Expected 'data' to hold rows that can be read (got {problem} in "
            f"{self._place(self.count + row)}). {remedy}"
        )

    def _by_name(self, start: int, given: Sequence[Any], ids: Names) -> Mask:
        is_text = ids.dtype.kind in "UO"
        names = [self._as_name(name, is_text, start + i) for i, name in enumerate(given)]
        if not self._table and ids[start : start + len(names)].tolist() == names:
            part: Mask = self._wanted[start : start + len(names)]
            return part
        if not self._table:
            self._table = {name: sample for sample, name in enumerate(ids.tolist())}
            self._row_of = np.full(len(ids), -1)
            self._row_of[:start] = np.arange(min(start, len(ids)))
        samples = np.empty(len(names), dtype=np.int64)
        for i, name in enumerate(names):
            sample = self._table.get(name)
            if sample is None:
                raise RowsError(
                    f"Expected the ids of 'data' to be those of the coreset (got {self.column} "
                    f"{shown(given[i])} in {self._place(start + i)}, and in the coreset "
                    f"{shown(ids.tolist()[0])}, ...). {_WAY_OUT}"
                )
            if self._row_of[sample] >= 0:
                self._num_repeated += 1
                self._repeated = self._repeated or (name, int(self._row_of[sample]), start + i)
            else:
                self._row_of[sample] = start + i
            samples[i] = sample
        mask: Mask = self._wanted[samples]
        return mask

    def _as_name(self, name: Any, is_text: bool, row: int) -> Any:
        """A name as the coreset has them, whose kind may be another: numbers are text in a .csv file."""
        if type(name) is bytes:
            name = name.decode("utf-8", "surrogateescape")
        if type(name) is str:
            return name if is_text else _as_integer(name)
        if type(name) is int:
            return str(name) if is_text else name
        raise RowsError(
            f"Expected the ids of 'data' to be text or integers (got {self.column} {shown(name)} in "
            f"{self._place(row)}). {_WAY_OUT}"
        )

    def _first_missing(self) -> str:
        if self._names is None or self.column is None or self.count >= len(self._wanted):
            return ""
        missing = (self._row_of < 0).nonzero()[0] if self._table else [self.count]
        return f", none of them {shown(self._names[missing[0] : missing[0] + 1].tolist()[0])}"

    def _place(self, row: int) -> str:
        """A row and its file, for errors."""
        at = bisect_right(self._first_rows, row) - 1
        text = str(self.files[at])
        return f"row {row - self._first_rows[at]} of {text if len(text) <= 60 else '...' + text[-57:]}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _as_integer(text: str) -> int | str:
    """The integer that is written so, or the text if none is."""
    try:
        number = int(text)
    except ValueError:
        return text
    return number if str(number) == text else text
