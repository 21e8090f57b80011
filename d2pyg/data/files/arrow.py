"""Arrow streams, the shards of data sets that Hugging Face's ``save_to_disk`` wrote."""

from __future__ import annotations

from typing import IO

from d2pyg._base.extras import require
from d2pyg.data.files.batches import kept_tables
from d2pyg.data.files.format import Format
from d2pyg.data.files.rows import Rows

_BATCH = 1000  # rows, as datasets writes them


class ArrowStream(Format):
    """Schema and metadata stay, and with them the features of a data set."""

    suffixes = (".arrow",)
    may_be_compressed = False

    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        ipc = require("pyarrow", "pyarrow").ipc
        with ipc.open_stream(source) as batches, ipc.new_stream(target, batches.schema) as writer:
            for table in kept_tables(batches.schema, batches, rows, _BATCH):
                writer.write_table(table.combine_chunks())
