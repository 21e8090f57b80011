"""d2pyg sweep: many settings in, a table of measures out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.outputs import check_output, replacing
from d2pyg.cli import common, streams
from d2pyg.evaluate.sweeping import sweep

_INPUTS = ("embeddings", "scores", "labels")
_SWEPT = ("keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff")
_SUFFIXES = (".csv",)

_EPILOG = """
examples:
  Nine settings at two sizes, from one graph; all sizes of a setting come from one run:
    d2pyg sweep embeddings.npy --scores scores.npy --keep 0.1 0.3 --k 1 5 15 \\
        --gamma-reverse 0 0.1 1 --out sweep.csv
  How much of the hardest to drop, class by class:
    d2pyg sweep embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 \\
        --cutoff 0 0.1 0.2 0.3 --out sweep.csv
  From a graph that was built before:
    d2pyg sweep graph.pt --scores scores.npy --budget 1000 --no-clamp --clamp --out sweep.csv
  Then, with the setting you chose:
    d2pyg select embeddings.npy --scores scores.npy --keep 0.3 --k 15 --out coreset.npz

columns, a row a combination:
  keep, prune or budget, k, gamma_forward, gamma_reverse, clamp, cutoff
                  the setting
  kept            number of samples kept
  coverage_radius largest distance of any sample to its nearest kept one; lower covers better;
                  empty where only a graph was given
  score_entropy   entropy of the kept samples' scores in 50 bins, in nats; higher is a wider mix
  overlap         share of the samples in common with the first row (of the smaller coreset)
  seconds         time the selection took, shared by the sizes of one run

--json prints one object on stdout:
  out             the file written
  rows            the table, a list of objects
  seconds         time taken, reading, the graph and writing included
"""


class _EachFlag(argparse.BooleanOptionalAction):
    """A flag and its opposite, each a value to try, in the order given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest, [])
        super().__call__(parser, namespace, values, option_string)
        setattr(namespace, self.dest, [*before, getattr(namespace, self.dest)])


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "sweep",
        help="many settings on one graph, a table of measures out",
        description="Try every combination of settings on one graph, and measure each coreset.",
        epilog=common.FILES + common.GRAPHS + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(command=_sweep)
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file of N x d floats, or a graph")
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(_SUFFIXES)}")
    add("--scores", metavar="FILE",
        help="difficulty, N numbers >= 0, higher is harder (default: all alike)")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers: a graph and a budget a class")

    group = parser.add_argument_group("how many (exactly one)")
    group.add_argument("--keep", type=common.real, nargs="+", metavar="F", help="fractions kept")
    group.add_argument("--prune", type=common.real, nargs="+", metavar="F", help="fractions removed")
    group.add_argument(
        "--budget", type=common.whole, nargs="+", metavar="N", help="numbers of samples kept"
    )

    add = parser.add_argument_group("tried in every combination").add_argument
    add("--k", type=common.whole, nargs="+", metavar="K",
        help=f"neighbors a sample (default {defaults.K}, or all that a graph has)")  # fmt: skip
    add("--gamma-forward", type=common.real, nargs="+", metavar="G",
        help="decays of forward messages with distance (default "
        f"{defaults.GAMMA_FORWARD:g})")  # fmt: skip
    add("--gamma-reverse", type=common.real, nargs="+", metavar="G",
        help="decays of reverse messages with distance (default "
        f"{defaults.GAMMA_REVERSE:g})")  # fmt: skip
    add("--clamp", action=_EachFlag,
        help="picks at or below 0 send no message; with --no-clamp besides, both are tried")  # fmt: skip
    add("--cutoff", type=common.real, nargs="+", metavar="F",
        help="fractions of the hardest samples dropped first (default 0.0)")  # fmt: skip

    common.add_method(parser.add_argument_group("the method, for all").add_argument)
    add = parser.add_argument_group("how it runs").add_argument
    common.add_engine(add)
    common.add_running(add)


def _sweep(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    out = check_output("out", arguments.out, _SUFFIXES)
    given = common.given(arguments, _INPUTS)
    common.check_files(given, {"out": out})
    files = common.read_inputs(given)
    names = (*_SWEPT, *common.METHOD, "backend", "engine", "device")
    options = common.given(arguments, names)
    rows = sweep(files.pop("embeddings"), **files, **options, progress=common.progress(arguments))
    with replacing(out) as file:
        file.write(common.as_csv(rows))
    seconds = round(time.perf_counter() - started, 3)
    streams.tell(f"tried {len(rows)} settings in {seconds:.1f} s -> {out}")
    if arguments.json:
        streams.say(json.dumps({"out": str(out), "rows": rows, "seconds": seconds}))
