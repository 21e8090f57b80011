"""d2pyg duplicates: embeddings in, near-duplicates and what to keep of them out."""

from __future__ import annotations

import argparse
import json
import time

from d2pyg._base.outputs import check_output, replacing_all
from d2pyg.cli import common, streams
from d2pyg.coreset.duplicates import WRITERS
from d2pyg.coreset.lists import check_target, name_list
from d2pyg.selection.duplicates import duplicates

_INPUTS = ("embeddings", "scores", "labels", "ids")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, WRITERS)
    asked = {"kept": arguments.kept, "removed": arguments.removed}
    listed = {name: check_target(name, path) for name, path in asked.items() if path is not None}
    given = common.given(arguments, _INPUTS)
    common.check_files(given, {"out": out, **listed})
    files = common.read_inputs(given, named=True).values
    found = duplicates(
        files.pop("embeddings"),
        arguments.threshold,
        **files,
        **common.given(arguments, ("metric", "backend", "device")),
        progress=common.progress(arguments),
    )
    with replacing_all(out, *listed.values()) as (target, *others):
        WRITERS[out.suffix](found, target)
        for (name, path), file in zip(listed.items(), others, strict=True):
            index = (found.index if name == "kept" else found.removed).numpy()
            names = index if found.ids is None else found.ids[index]
            file.write(name_list(name, names, path.suffix))
    sizes = found.representative.bincount()
    summary = {
        "out": str(out),
        "kept": arguments.kept,
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
