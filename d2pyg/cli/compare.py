"""d2pyg compare: coresets in, a table of measures out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from d2pyg._base.options import FIGURE_SUFFIXES, TABLE_SUFFIXES
from d2pyg._base.outputs import check_output, replacing_all
from d2pyg._base.text import printable
from d2pyg.cli import common, streams
from d2pyg.coreset.coreset import Coreset
from d2pyg.evaluate.comparison import compare, duplicate_threshold
from d2pyg.plot import plot_coresets
from d2pyg.sources.spec import read_array


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    out = None if arguments.out is None else check_output("out", arguments.out, TABLE_SUFFIXES)
    figure = (
        None if arguments.figure is None else check_output("figure", arguments.figure, FIGURE_SUFFIXES)
    )
    given = {name: getattr(arguments, name) for name in ("embeddings", "scores", "labels")}
    common.check_files(
        {**given, **{path: path for path in arguments.coresets}}, {"out": out, "figure": figure}
    )
    for name in ("embeddings", "scores"):
        if figure and given[name] is None:
            raise ValueError(
                f"Expected {name!r} with 'figure' (got none). Pass --{name} {name}.npy, or leave out "
                f"--figure."
            )
    coresets = {path: _read(path) for path in arguments.coresets}
    read = common.read_inputs(given).values
    threshold = arguments.threshold
    if threshold is None and read["embeddings"] is not None:
        bars = common.progress(arguments)
        threshold = duplicate_threshold(read["embeddings"], arguments.metric, bars)
    rows = compare(coresets, **read, metric=arguments.metric, threshold=threshold)
    with replacing_all(*(path for path in (out, figure) if path)) as targets:
        if out:
            targets[0].write(common.as_csv(rows))
        if figure:
            from d2pyg._base.figures import save_figure  # imports matplotlib

            drawn = plot_coresets(coresets, read["embeddings"], read["scores"])
            save_figure(drawn, targets[-1], figure.suffix)

    if threshold is not None:
        streams.tell(f"near-duplicates are closer than {threshold:.4g}")
    if arguments.json:
        files = {"out": arguments.out, "figure": arguments.figure}
        streams.say(json.dumps({**files, "threshold": threshold, "rows": rows}))
    else:
        streams.say(_aligned(rows))


def _read(path: str) -> Any:
    return read_array("CORESET", path) if Path(path).suffix == ".npy" else Coreset.load(path)


def _aligned(rows: list[dict[str, Any]]) -> str:
    """The table as text, names to the left and numbers to the right."""
    table = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in table
    )


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))
