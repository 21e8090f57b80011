"""d2pyg duplicates: embeddings in, near-duplicates and what to keep of them out."""

from __future__ import annotations

import argparse
import json
import time

from d2pyg._base.options import LIST_SUFFIXES
from d2pyg._base.outputs import check_output, replacing_all
from d2pyg.cli import common, streams
from d2pyg.coreset.duplicates import WRITERS
from d2pyg.coreset.formats import name_list
from d2pyg.selection.duplicates import duplicates

_INPUTS = ("embeddings", "scores", "labels", "ids")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, WRITERS)
    kept = None if arguments.kept is None else check_output("kept", arguments.kept, LIST_SUFFIXES)
    given = common.given(arguments, _INPUTS)
    common.check_files(given, {"out": out, "kept": kept})
    files = common.read_inputs(given, named=True).values
    found = duplicates(
        files.pop("embeddings"),
        arguments.threshold,
        **files,
        **common.given(arguments, ("metric", "backend", "device")),
        progress=common.progress(arguments),
    )
    with replacing_all(*(path for path in (out, kept) if path)) as targets:
        WRITERS[out.suffix](found, targets[0])
        if kept:
            index = found.index.numpy()
            names = index if found.ids is None else found.ids[index]
            targets[1].write(name_list(names, kept.suffix))
    sizes = found.representative.bincount()
    summary = {
        "out": str(out),
        "kept": None if kept is None else str(kept),
        "samples": len(found.mask),
        "removed": len(found.removed),
        "groups": int((sizes > 1).sum()),
        "largest": int(sizes.max()),
        "seconds": round(time.perf_counter() - started, 3),
    }
    streams.tell(
        f"{summary['removed']} of {summary['samples']} samples are near-duplicates, in "
        f"{summary['groups']} groups of up to {summary['largest']}, {summary['seconds']:.1f} s -> {out}"
    )
    if arguments.json:
        streams.say(json.dumps(summary))
