"""d2pyg sweep: many settings in, a table of measures out."""

from __future__ import annotations

import argparse
import json
import time

from d2pyg._base.options import TABLE_SUFFIXES
from d2pyg._base.outputs import check_output, replacing
from d2pyg.cli import common, streams
from d2pyg.cli.arguments.options import METHOD
from d2pyg.evaluate.sweeping import sweep

_INPUTS = ("embeddings", "scores", "labels")
_SWEPT = ("keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, TABLE_SUFFIXES)
    given = common.given(arguments, _INPUTS)
    common.check_files(given, {"out": out})
    files = common.read_inputs(given).values
    names = (*_SWEPT, *METHOD, "backend", "recall", "engine", "device")
    options = common.given(arguments, names)
    rows = sweep(files.pop("embeddings"), **files, **options, progress=common.progress(arguments))
    with replacing(out) as file:
        file.write(common.as_csv(rows))
    seconds = round(time.perf_counter() - started, 3)
    streams.tell(f"tried {len(rows)} settings in {seconds:.1f} s -> {out}")
    if arguments.json:
        streams.say(json.dumps({"out": str(out), "rows": rows, "seconds": seconds}))
