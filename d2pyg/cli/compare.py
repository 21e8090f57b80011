"""d2pyg compare: coresets in, a table of measures out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from d2pyg._base.io import read_array
from d2pyg._base.outputs import check_output, replacing_all
from d2pyg._base.text import printable
from d2pyg.cli import common, streams
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.formats import READERS
from d2pyg.evaluate.comparison import compare, duplicate_threshold
from d2pyg.plot import FORMATS, plot_coresets

_SUFFIXES = (".csv",)

_EPILOG = """
examples:
  Two coresets of one data set, side by side:
    d2pyg compare d2.npz random.npy --embeddings x.npy --scores s.npy --labels y.npy
  As a table for a spreadsheet, and drawn:
    d2pyg compare a.npz b.csv c.npy --embeddings x.npy --scores s.npy --out t.csv --figure f.png
  How much they have in common, and no more:
    d2pyg compare a.npz b.npz

columns, a row a coreset; what needs a file that is not given is left out:
  kept             number of samples kept
  coverage_radius  largest distance of any sample to its nearest kept one; lower covers better
  aucpr            mean distance of the others to the nearest kept one; lower covers better
  score_entropy    entropy of the kept samples' scores in 50 bins, in nats; higher is a wider mix
  class_balance    1 is as many of each class, 0 one class alone
  near_duplicates  share of kept samples with another kept one closer than the threshold
  overlap          share of samples in common with the first coreset (of the smaller one)
  mean_score       of the samples kept

--json prints one object on stdout, in place of the table:
  out, figure      the files written, or null
  threshold        the one used, or null
  rows             the table, a list of objects
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "compare",
        help="coresets in, a table of measures out",
        description="Measure coresets of one data set, side by side.",
        epilog=common.FILES + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_compare)
    add = parser.add_argument
    add("coresets", nargs="+", metavar="CORESET",
        help=f"file of d2pyg select: {' '.join(READERS)}; or .npy of indices")  # fmt: skip
    add("--embeddings", metavar="FILE", help="file of N x d floats")
    add("--scores", metavar="FILE", help="difficulty, N numbers")
    add("--labels", metavar="FILE", help="N integers")
    common.add_metric(add)
    add("--threshold", type=common.real, metavar="T",
        help="closer is a near-duplicate (default: half the median distance of all samples to their "
        "nearest other)")  # fmt: skip
    add("--out", metavar="FILE", help=f"write the table too: {' '.join(_SUFFIXES)}")
    add("--figure", metavar="FILE",
        help=f"draw difficulty and picks; needs embeddings and scores: {' '.join(FORMATS)}")  # fmt: skip
    common.add_reporting(parser.add_argument_group("how it reports").add_argument)


def _compare(arguments: argparse.Namespace) -> None:
    out = None if arguments.out is None else check_output("out", arguments.out, _SUFFIXES)
    figure = None if arguments.figure is None else check_output("figure", arguments.figure, FORMATS)
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
    read: dict[str, Any] = {
        name: None if file is None else read_array(name, file) for name, file in given.items()
    }
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
