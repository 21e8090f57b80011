"""Rows of Arrow's record batches that are kept, gathered to tables of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from d2pyg._base.extras import require
from d2pyg.data.files.rows import Rows

BYTES = 1 << 26  # of rows that are held, unless one alone takes more: 64 MiB


def kept_tables(schema: Any, batches: Iterable[Any], rows: Rows, most: int) -> Iterator[Any]:
    """Tables of the rows that are kept, in order, none empty.

    Args:
        schema: Of all batches.
        batches: Record batches, in order.
        rows: Says which rows are kept.
        most: Rows of a table.
    """
    pa = require("pyarrow", "pyarrow")
    held: list[Any] = []
    count = size = 0
    column: str | None = None
    for number, batch in enumerate(batches):
        if number == 0:
            column = rows.column_among(schema.names)
        names = None if column is None else batch.column(schema.names.index(column)).to_pylist()
        kept = pa.Table.from_batches([batch]).filter(pa.array(rows.keep(batch.num_rows, names)))
        while len(kept):
            part = kept[: most - count]
            held.append(part)
            kept = kept[len(part) :]
            count, size = count + len(part), size + part.nbytes
            if count == most or size >= BYTES:
                yield pa.concat_tables(held)
                held, count, size = [], 0, 0
    if held:
        yield pa.concat_tables(held)
