"""d2pyg select: embeddings and scores in, coreset out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.options import ARRAY_SUFFIXES, CORESET_SUFFIXES, LIST_SUFFIXES
from d2pyg.cli.arguments import methods, options
from d2pyg.cli.arguments.catalog import names

INPUTS = ("embeddings", "scores", "labels", "initial", "ids")
OPTIONS = (
    "keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff",
    *options.METHOD, "backend", "engine", "device",
)  # fmt: skip
_OWN = ("command", "files", "help", "import", "json", "method", "modules", "more", "out", "progress",
        "removed", "verbose")  # of the command itself, never a method's  # fmt: skip

_EPILOG = """
examples:
  Keep the 30% that are hard and diverse, class by class:
    d2pyg select embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 --out coreset.npz
  Prune 70% without scores or labels, and list what to delete:
    d2pyg select run.npz:features --prune 0.7 --out kept.npy --removed delete.txt
  From what a training run recorded, without what it took for another class:
    d2pyg select embeddings.npy --scores run.pt --cutoff auto --keep 0.3 --out coreset.npz
  As the authors' code does it:
    d2pyg select f.npy --scores s.npy --k 5 --gamma-forward 1 --kernel laplacian --scale none \\
        --budget 5000 --out c.csv
  Another method, to compare with:
    d2pyg select --method ccs --scores scores.npy --cutoff 0.1 --seed 0 --keep 0.3 --out ccs.npz

  Another round, on top of two that were kept:
    d2pyg select x.npy --initial round1.npz round2.npz --budget 500 --out round3.npz

  A graph that is built once, for two selections:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg select graph.pt --scores scores.npy --k 5 --keep 0.1 --out small.npz
    d2pyg select graph.pt --scores scores.npy --keep 0.3 --out large.npz

--json prints one object on stdout:
  out            the file written
  kept           number of samples kept
  of             number of samples
  seconds        time taken, reading and writing included
  score_before   [lowest, highest] score given (without --scores 1 to 1.004, in a drawn order; other
                 methods than d2: 1)
  score_after    [lowest, highest] score after the forward pass, of samples past the cutoff; null for
                 other methods than d2
  score_kept     [lowest, highest] score given, of the samples kept
  kept_per_class {label: number kept}, or null without --labels
  settings       every argument, the engine and backend used, and versions
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "select",
        help="embeddings and difficulty scores in, coreset out",
        description="Keep the samples that are hard and diverse (D2 Pruning, arXiv:2310.07931), or "
        "those that another method would keep.",
        epilog=options.FILES + options.GRAPHS + _EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("embeddings", metavar="EMBEDDINGS", nargs="?",
        help="file or folder of N x d floats, or a graph; some methods do without")  # fmt: skip
    add("--scores", metavar="FILE",
        help="difficulty, N numbers >= 0, higher is harder (default: all alike); or what a recorder's "
        "save() wrote: TrainingDynamics, for its borderline scores; LossDynamics, for its mean "
        "loss")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers: a graph and a budget a class")
    add("--ids", metavar="FILE",
        help="N names of the samples, carried into the output (default: those beside the embeddings, "
        "id, uid or key; none: no names)")  # fmt: skip
    add("--initial", metavar="FILE", nargs="+", action="extend",
        help="chosen already, they come first, file by file: coresets, masks, lists of indices; with "
        "--ids, .txt and .json lists are names. Where --ids are integers, those of an array are "
        "names if one is no index, and refused if they could be either")  # fmt: skip

    add = parser.add_argument_group("budget (exactly one)").add_argument
    add("--keep", type=options.real, metavar="F", help="fraction kept")
    add("--prune", type=options.real, metavar="F", help="fraction removed")
    add("--budget", type=options.whole, metavar="N", help="number of samples kept")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, (*ARRAY_SUFFIXES, *CORESET_SUFFIXES))
    add("--removed", default=None, metavar="FILE",
        help="write what is not kept: names, or indices without --ids: "
        f"{' '.join(LIST_SUFFIXES)}")  # fmt: skip
    options.add_json(add)

    add = parser.add_argument_group("method").add_argument
    add("--method", default="d2", metavar="NAME",
        help=f"{', '.join(names('method'))} (default %(default)s)")  # fmt: skip
    add("--gamma-forward", type=options.real, metavar="G",
        help="decay of forward messages with distance (default "
        f"{defaults.GAMMA_FORWARD:g})")  # fmt: skip
    add("--gamma-reverse", type=options.real, metavar="G",
        help="decay of reverse messages with distance (default "
        f"{defaults.GAMMA_REVERSE:g})")  # fmt: skip
    add("--cutoff", type=options.fraction_or_auto, metavar="F",
        help="fraction of the hardest samples dropped first (default 0.0); auto: those with a negative "
        "margin, where --scores is a recorder's file")  # fmt: skip
    add("--clamp", action=argparse.BooleanOptionalAction,
        help="picks at or below 0 send no message")  # fmt: skip
    options.add_messages(add)

    add = parser.add_argument_group("graph").add_argument
    add("--k", type=options.whole, metavar="K",
        help=f"neighbors a sample (default {defaults.K}, or all that a graph has)")  # fmt: skip
    options.add_graph(add)

    more, files = methods.add_options(parser, {*INPUTS, *OPTIONS, *_OWN})
    parser.set_defaults(more=more, files=files)
    add = parser.add_argument_group("expert").add_argument
    options.add_engine(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
