"""d2pyg take: a coreset and the files of a data set in, the rows that it keeps out."""

from __future__ import annotations

from typing import Any

from d2pyg._base.options import CORESET_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  The rows that were kept, of one file:
    d2pyg take coreset.npz train.jsonl.gz --out few.jsonl.gz
  Of all files in a folder, to files of the same names in another:
    d2pyg take coreset.npz shards/ --out few/
  Of some files in it:
    d2pyg take coreset.npz 'shards/*.parquet' --out few/
  What was not kept, by the ids in another column:
    d2pyg take coreset.npz rows.csv --removed --ids uid --out rest.csv

DATA is one of
  .jsonl .ndjson .json   JSON lines; what is kept stays as it is, byte by byte
  .csv .tsv              with a header; what is kept stays as it is, byte by byte
  .parquet               schema, metadata and compression stay
  .tar                   WebDataset: all members of a sample, as bytes
  .arrow                 in a folder that Hugging Face's save_to_disk wrote
and text and tar files may be compressed: .gz, .zst. Files are read once, row by row, in the order of the
numbers in their names: shard 2 before shard 10. Nothing is ever unpickled.

Where the coreset and the rows have ids, a row is the sample of its id, and each id has to be there,
once. Else rows are samples in order, and there have to be as many.

--json prints one object on stdout:
  out        the file or folder written
  files      the files that were read, in order
  empty      those among them without rows
  rows       number of rows read
  kept       number of rows written
  ids        the column of ids that rows were found by, or null
  seconds    time taken
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "take",
        help="the rows that a coreset keeps, from files of a data set",
        description="Copy the rows that a coreset keeps, from files to files of the same kind.",
        epilog=_EPILOG,
    )
    add = parser.add_argument_group("input").add_argument
    add(
        "coreset",
        metavar="CORESET",
        help=f"file of d2pyg select: {' '.join(CORESET_SUFFIXES)}; or .json of d2pyg duplicates",
    )
    add("data", metavar="DATA", nargs="+",
        help="what it was selected from: a file, a folder, a pattern or several files")  # fmt: skip
    add("--ids", metavar="NAME",
        help="the column of ids; of WebDataset, the name in a sample's .json member (default: id, uid, "
        "key, __key__ or _curator_dedup_id, where there is one; of WebDataset, the key)")  # fmt: skip
    add(
        "--no-ids",
        action="store_false",
        dest="ids",
        help="rows are samples in order, whatever their ids",
    )

    add = parser.add_argument_group("output").add_argument
    add("--out", required=True, metavar="PATH",
        help="where to write: for one file a file of the same kind, else a folder, new or "
        "empty")  # fmt: skip
    add("--removed", action="store_true", help="write the other rows: what was not kept")
    options.add_json(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_progress(add)
    options.add_last(add)
