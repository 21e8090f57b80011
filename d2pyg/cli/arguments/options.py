"""Options that several commands share, and parsers of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from d2pyg._base.options import BALANCES, FLOWS, MARGINS, SCALES, UPDATES
from d2pyg.cli.arguments.catalog import names

FILES = """\
files:
  Arrays are read from .npy (memory-mapped), .npz, .pt and .safetensors files, columns from .parquet,
  .jsonl and .csv (also .gz, .zst), names from .txt files, one per line. If a file holds several, write
  file.npz:key. Embeddings can be in shards: a folder (also of Lance, datasets, DataComp or
  clip-retrieval) or a pattern in quotes. For a column beside the embeddings, write :NAME, such as
  --scores :loss --labels :source --ids :uid. Nothing is ever unpickled.
"""
GRAPH_JSON = """
--json prints one object on stdout:
  out            the file written
  nodes          number of samples
  edges          number of edges, each from a neighbor to its sample
  k              neighbors per sample
  metric         the metric used
  backend        the backend used
  recall         of an approximate search: what it found, measured on drawn samples; else null
  seconds        time taken, reading and writing included
"""
GRAPHS = """\
  Instead of embeddings, you can pass a graph that d2pyg graph wrote.
"""

METHOD = (
    "kernel", "scale", "update", "forward", "reverse", "flow", "metric", "balance",
    "min_per_class",
)  # fmt: skip

Add = Callable[..., Any]


def add_command(commands: Any, name: str, **texts: Any) -> argparse.ArgumentParser:
    """The parser of a command. :func:`add_last` adds ``--help`` last, so that inputs come first."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        **texts,
    )
    parser.set_defaults(command=name)
    return parser


def add_last(add: Add) -> None:
    """The options of every command."""
    add("--verbose", action="store_true", default=False,
        help="log the memory plan of the graph; show a traceback after an internal error")  # fmt: skip
    add("--import", action="append", default=[], dest="modules", metavar="MODULE",
        help="import a Python module first, such as one that registers your own names; the current "
        "folder is searched first, as with python -m; can be repeated")  # fmt: skip
    add("-h", "--help", action="help", help="show this help message and exit")


def allowed() -> dict[str, Sequence[str]]:
    """The names that are allowed, by option."""
    return {
        **{family: names(family) for family in ("method", "kernel", "forward", "reverse", "metric")},
        **{family: ["auto", *names(family)] for family in ("engine", "backend")},
        "update": UPDATES,
        "flow": FLOWS,
        "balance": BALANCES,
        "margin": MARGINS,
    }


def add_out(add: Add, suffixes: Sequence[str]) -> None:
    """The file that the command writes."""
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(suffixes)}")


def add_json(add: Add) -> None:
    """An option to print a summary."""
    add("--json", action="store_true", default=False, help="print a summary for programs on stdout")


def add_messages(add: Add) -> None:
    """The options of :data:`METHOD` that are about messages and classes."""
    add("--balance", metavar="NAME",
        help=f"how classes share the budget: {', '.join(BALANCES)} (default proportional)")  # fmt: skip
    add("--min-per-class", type=whole, metavar="N",
        help="seats each class gets first (default 0)")  # fmt: skip
    add("--kernel", metavar="NAME",
        help=f"weight of an edge by distance: {', '.join(names('kernel'))} (default rbf)")  # fmt: skip
    add("--update", metavar="NAME",
        help=f"forward step: {', '.join(UPDATES)} (default sum; without scores none)")  # fmt: skip
    add("--forward", metavar="NAME",
        help=f"forward layer: {', '.join(names('forward'))} (default weighted)")  # fmt: skip
    add("--reverse", metavar="NAME",
        help=f"reverse message: {', '.join(names('reverse'))} (default weighted)")  # fmt: skip


def add_graph(add: Add) -> None:
    """The options of :data:`METHOD` that are about the graph."""
    add_metric(add)
    add("--scale", type=_scale, metavar="S",
        help="distances are divided by: median, local, none or a number (default median)")  # fmt: skip
    add("--flow", metavar="NAME",
        help=f"direction of messages: {FLOWS[0]}, an edge joins both samples (default with scores); "
        f"{FLOWS[1]}, a pick lowers its own k nearest; {FLOWS[2]}, a pick lowers the samples "
        "that have it among their k nearest (default without scores)")  # fmt: skip
    add_backend(add)
    add_recall(add)


def add_metric(add: Add) -> None:
    """The distance between samples."""
    add("--metric", metavar="NAME", help=f"distance: {', '.join(names('metric'))} (default euclidean)")


def add_backend(add: Add) -> None:
    """The kNN search."""
    add("--backend", metavar="NAME",
        help=f"kNN search: auto, {', '.join(names('backend'))} (default auto)")  # fmt: skip


def add_recall(add: Add) -> None:
    """How many neighbors an approximate search has to find."""
    add("--recall", type=real, metavar="R",
        help="with --backend cells: share of the neighbors to find (default 0.95)")  # fmt: skip


def add_engine(add: Add) -> None:
    """The engine of the greedy loop."""
    add("--engine", metavar="NAME",
        help=f"greedy loop: auto, {', '.join(names('engine'))} (default auto)")  # fmt: skip


def add_memory(add: Add) -> None:
    """Memory of a search."""
    add("--memory", type=real, metavar="BYTES",
        help="bytes for the search, such as 4e9 (default: a quarter of the free memory)")  # fmt: skip


def add_device(add: Add) -> None:
    """The device to compute on."""
    add("--device", metavar="NAME", help="where to compute: cpu, cuda, cuda:1, ... (default cpu)")


def add_progress(add: Add) -> None:
    """Whether to show progress bars."""
    add("--progress", action=argparse.BooleanOptionalAction, default=None,
        help="show progress bars (default: on a terminal)")  # fmt: skip


def whole(text: str) -> int:
    """The value of an option, in digits of ASCII."""
    try:
        return int(text.encode("ascii"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from None


def real(text: str) -> float:
    """The value of an option, in digits of ASCII."""
    try:
        return float(text.encode("ascii"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None


def fraction_or_auto(text: str) -> str | float:
    """The value of --cutoff."""
    if text == "auto":
        return text
    try:
        return real(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected auto or a number (got {text!r})") from None


def _scale(text: str) -> str | float | None:
    if text in (*SCALES, "none"):
        return None if text == "none" else text
    try:
        return real(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(SCALES)}, none or a number (got {text!r})"
        ) from None
