"""d2pyg sweep: many settings in, a table of measures out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.options import TABLE_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  Nine settings at two sizes, from one graph; all sizes of a setting come from one run:
    d2pyg sweep embeddings.npy --scores scores.npy --keep 0.1 0.3 --k 1 5 15 \\
        --gamma-reverse 0 0.1 1 --out sweep.csv
  Four cutoffs, class by class:
    d2pyg sweep embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 \\
        --cutoff 0 0.1 0.2 0.3 --out sweep.csv
  From a saved graph:
    d2pyg sweep graph.pt --scores scores.npy --budget 1000 --no-clamp --clamp --out sweep.csv
  Then select with the settings you chose:
    d2pyg select embeddings.npy --scores scores.npy --keep 0.3 --k 15 --out coreset.npz

columns, one row per combination:
  keep, prune or budget, k, gamma_forward, gamma_reverse, clamp, cutoff
                  the settings
  kept            number of samples kept
  coverage_radius largest distance of any sample to its nearest kept one; lower covers better;
                  empty if only a graph was given
  score_entropy   entropy of the kept samples' scores in 50 bins, in nats; higher is a wider mix
  overlap         share of the samples in common with the first row (of the smaller coreset)
  seconds         time the selection took, shared by the sizes of one run

--json prints one object on stdout:
  out             the file written
  rows            the table, a list of objects
  seconds         time taken, reading, the graph and writing included
"""


class _EachFlag(argparse.BooleanOptionalAction):
    """A flag and its opposite. Each one given is a value to try, in that order."""

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
    parser = options.add_command(
        commands,
        "sweep",
        help="try many settings on one graph, and measure each coreset",
        description="Try every combination of settings on one graph, and measure each coreset.",
        epilog=options.FILES + options.GRAPHS + _EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file or folder of N x d floats, or a graph")
    add("--scores", metavar="FILE",
        help="difficulty, N numbers >= 0, higher is harder (default: nearly equal, in a random "
        "order)")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers, the classes; each has its own graph and budget")

    add = parser.add_argument_group("budget (exactly one)").add_argument
    add("--keep", type=options.real, nargs="+", metavar="F", help="fractions kept")
    add("--prune", type=options.real, nargs="+", metavar="F", help="fractions removed")
    add("--budget", type=options.whole, nargs="+", metavar="N", help="numbers of samples kept")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, TABLE_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("tried in every combination").add_argument
    add("--k", type=options.whole, nargs="+", metavar="K",
        help=f"neighbors per sample (default {defaults.K}, or all that a graph has)")  # fmt: skip
    add("--gamma-forward", type=options.real, nargs="+", metavar="G",
        help="decays of forward messages with distance (default "
        f"{defaults.GAMMA_FORWARD:g})")  # fmt: skip
    add("--gamma-reverse", type=options.real, nargs="+", metavar="G",
        help="decays of reverse messages with distance (default "
        f"{defaults.GAMMA_REVERSE:g})")  # fmt: skip
    add("--cutoff", type=options.real, nargs="+", metavar="F",
        help="fractions of the hardest samples dropped first (default 0.0)")  # fmt: skip
    add("--clamp", action=_EachFlag,
        help="picks at or below 0 send no message; pass --no-clamp as well to try both")  # fmt: skip

    options.add_messages(parser.add_argument_group("method, for all").add_argument)
    options.add_graph(parser.add_argument_group("graph, for all").add_argument)
    add = parser.add_argument_group("expert").add_argument
    options.add_engine(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
