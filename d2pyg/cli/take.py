"""d2pyg take: a coreset and the files of a data set in, the rows that it keeps out."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from pathlib import Path

from d2pyg._base.natural import natural
from d2pyg.cli import common, streams
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.duplicates import Duplicates
from d2pyg.coreset.duplicates_file import NotDuplicatesError
from d2pyg.data.files.take import take_files


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    common.check_files({"CORESET": arguments.coreset}, {"out": Path(arguments.out)})
    data = natural(map(Path, arguments.data))  # a shell that expands a pattern has 10 before 2
    with common.in_words_of_options({"path": "CORESET"}):
        coreset = _read(arguments.coreset)
    with common.in_words_of_options({"ids=False": "--no-ids"}):
        taken = take_files(
            data[0] if len(data) == 1 else data,
            coreset,
            arguments.out,
            removed=arguments.removed,
            ids=arguments.ids,
            progress=common.progress(arguments),
        )
    seconds = round(time.perf_counter() - started, 3)
    files = f"{len(taken.files)} files" if len(taken.files) > 1 else str(taken.files[0])
    empty = f", {len(taken.empty)} of them without rows" if taken.empty else ""
    by = "their numbers" if taken.column is None else f"the ids in {taken.column}"
    streams.tell(
        f"took {taken.kept} of {taken.rows} rows of {files}{empty}, by {by}, in {seconds:.1f} s "
        f"-> {arguments.out}"
    )
    if arguments.json:
        summary = {
            "out": arguments.out,
            "files": [str(path) for path in taken.files],
            "empty": [str(path) for path in taken.empty],
            "rows": taken.rows,
            "kept": taken.kept,
            "ids": taken.column,
            "seconds": seconds,
        }
        streams.say(json.dumps(summary))


def _read(path: str) -> Coreset | Duplicates:
    """What ``d2pyg select`` or ``d2pyg duplicates`` wrote."""
    if path.endswith(".json"):
        with suppress(NotDuplicatesError):
            return Duplicates.load(path)
    return Coreset.load(path)
