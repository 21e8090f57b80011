"""CSV and TSV files with a header. Rows that are kept stay as they are written, byte by byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from d2pyg._base.long_fields import long_fields
from d2pyg.data.files.format import Format
from d2pyg.data.files.rows import Rows


class Csv(Format):
    """Fields may hold quotes and line ends, as the csv module reads them. Empty lines are no rows."""

    suffixes = (".csv",)
    delimiter = ","

    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        text = io.TextIOWrapper(source, encoding="utf-8", errors="surrogateescape", newline="")
        try:
            with long_fields():
                self._copy(text, target, rows)
        except csv.Error as error:
            rows.fail(0, str(error), "Quote fields that hold quotes, delimiters or line ends.")
        finally:
            with suppress(ValueError, OSError, EOFError):
                text.detach()  # else it would close the source

    def _copy(self, text: io.TextIOWrapper, target: IO[bytes], rows: Rows) -> None:
        lines: list[str] = []  # of the row that is being read

        def remembered() -> Iterator[str]:
            for line in text:
                lines.append(line)
                yield line.removeprefix("\ufeff")

        records = csv.reader(remembered(), delimiter=self.delimiter, strict=True)
        header: list[str] = []
        column = None
        for record in records:
            written = "".join(lines)
            lines.clear()
            if not record:
                continue
            if not header:
                if "\0" in written:
                    rows.fail(0, "NUL characters", "Write the file in UTF-8.")
                header = record
                target.write(_encoded(written))
                continue
            if column is None:
                column = rows.column_among(header)
            if len(record) != len(header):
                rows.fail(
                    0,
                    f"{len(record)} fields under a header of {len(header)}",
                    "Give every row the fields of the header.",
                )
            names = None if column is None else [record[header.index(column)]]
            if rows.keep(1, names)[0]:
                target.write(_encoded(written))


class Tsv(Csv):
    """The same with tabs."""

    suffixes = (".tsv",)
    delimiter = "\t"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
