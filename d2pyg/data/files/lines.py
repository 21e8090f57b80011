"""JSON lines: an object a line. Lines that are kept stay as they are, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

from d2pyg.data.files.format import Format
from d2pyg.data.files.rows import Rows

_LINES = 1024  # looked at together


class JsonLines(Format):
    """Lines of nothing but spaces are no rows, and are left out."""

    suffixes = (".jsonl", ".ndjson", ".json")

    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        column: str | None = None
        for number, lines in enumerate(_blocks(line for line in source if not line.isspace())):
            contents = [_parsed(line, rows, i) for i, line in enumerate(lines)]
            if number == 0:
                column = rows.column_among([*contents[0]])
            names = None
            if column is not None:
                names = [_named(content, column, rows, i) for i, content in enumerate(contents)]
            kept = rows.keep(len(lines), names)
            target.write(b"".join(line for line, is_kept in zip(lines, kept, strict=True) if is_kept))


def _parsed(line: bytes, rows: Rows, row: int) -> dict[str, Any]:
    """Every line is parsed: one that was cut, or a file of another kind, would be copied else."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        start = line[:40].decode("utf-8", "replace").strip()
        rows.fail(row, f"{start!r}: {error!s:.60}", "Write one JSON object a line, in UTF-8.")
    if not isinstance(content, dict):
        rows.fail(row, f"a {type(content).__name__}", "Write one JSON object a line.")
    return content


def _named(content: dict[str, Any], column: str, rows: Rows, row: int) -> Any:
    if column not in content:
        rows.fail(row, f"no {column!r}", "Give every row an id, or go by row numbers with 'ids=False'.")
    return content[column]


def _blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(lines)
    while block := [*islice(left, _LINES)]:
        yield block
