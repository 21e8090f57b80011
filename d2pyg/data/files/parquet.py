"""Parquet files, row group by row group."""

from __future__ import annotations

from typing import IO, Any

from d2pyg._base.extras import require
from d2pyg._base.options import GROUP_ROWS
from d2pyg.data.files.batches import BYTES, kept_tables
from d2pyg.data.files.format import Format
from d2pyg.data.files.rows import Rows

_BUFFER = 1 << 20  # bytes of a column that are read ahead, where it would be all of the row group


class Parquet(Format):
    """Schema, metadata and the compression of each column stay; row groups have at most 25,000 rows."""

    suffixes = (".parquet", ".pq")
    may_be_compressed = False

    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        parquet = require("pyarrow.parquet", "pyarrow")
        content = parquet.ParquetFile(source, buffer_size=_BUFFER)
        schema = content.schema_arrow
        batches = content.iter_batches(batch_size=_rows_at_once(content.metadata))
        codecs = _codecs(content.metadata)
        with parquet.ParquetWriter(
            target,
            schema,
            compression=codecs,
            use_compliant_nested_type=False,  # names as they are
        ) as writer:
            for table in kept_tables(schema, batches, rows, GROUP_ROWS):
                writer.write_table(table, row_group_size=GROUP_ROWS)


def _codecs(metadata: Any) -> dict[str, str] | str:
    """The compression of each column, as the first row group has it."""
    if metadata.num_row_groups == 0:
        return "snappy"
    group = metadata.row_group(0)
    codecs = {}
    for i in range(group.num_columns):
        codec = group.column(i).compression.lower()
        codecs[group.column(i).path_in_schema] = "none" if codec == "uncompressed" else codec
    return codecs


def _rows_at_once(metadata: Any) -> int:
    """As many rows as fit into a few MB, since one may hold an image."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    size = int(sum(group.total_byte_size for group in groups))
    return max(1, min(GROUP_ROWS, BYTES * int(metadata.num_rows) // max(1, size)))
