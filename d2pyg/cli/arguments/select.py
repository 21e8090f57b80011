"""d2pyg select: embeddings and scores in, coreset out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.options import ARRAY_SUFFIXES, CORESET_SUFFIXES, LIST_SUFFIXES, ROWS_SUFFIXES
from d2pyg.cli.arguments import methods, options
from d2pyg.cli.arguments.catalog import names

INPUTS = ("embeddings", "scores", "labels", "initial", "ids")
OPTIONS = (
    "keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff",
    *options.METHOD, "backend", "recall", "engine", "device",
)  # fmt: skip
_OWN = ("command", "datacomp", "files", "help", "import", "json", "kept", "method", "modules", "more",
        "out", "progress", "removed", "rows", "verbose")  # never of a method  # fmt: skip

_EPILOG = """
examples:
  Keep the 30% that are hard and diverse, class by class:
    d2pyg select embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 --out coreset.npz
  DataComp: its subset file, and of each sample the pick that stood in its way:
    d2pyg select clip.npz:l14_img --scores clip.npy --ids uid.txt --metric cosine --keep 0.3 \\
        --out coreset.npz --datacomp subset.npy --rows rows.parquet
  Prune 70% without scores or labels, and list what to delete:
    d2pyg select run.npz:features --prune 0.7 --out kept.npy --removed delete.txt
  With a recorder's file, without samples that the model took for another class:
    d2pyg select embeddings.npy --scores run.pt --cutoff auto --keep 0.3 --out coreset.npz
  As the authors' code does it:
    d2pyg select f.npy --scores s.npy --k 5 --gamma-forward 1 --kernel laplacian --scale none \\
        --budget 5000 --out c.csv
  With another method, to compare:
    d2pyg select --method ccs --scores scores.npy --cutoff 0.1 --seed 0 --keep 0.3 --out ccs.npz

  Another round, after two rounds:
    d2pyg select x.npy --initial round1.npz round2.npz --budget 500 --out round3.npz

  Two selections from one graph:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg select graph.pt --scores scores.npy --k 5 --keep 0.1 --out small.npz
    d2pyg select graph.pt --scores scores.npy --keep 0.3 --out large.npz

--json prints one object on stdout:
  out            the file written
  kept           number of samples kept
  of             number of samples
  seconds        time taken, reading and writing included
  score_before   [lowest, highest] score of all samples (without --scores 1 to 1.004, in a random
                 order; 1 for methods other than d2)
  score_after    [lowest, highest] score after the forward pass, of the samples that the cutoff left;
                 null for methods other than d2
  score_kept     [lowest, highest] score, before the forward pass, of the samples kept
  kept_per_class {label: number kept}, or null without --labels
  settings       every argument, the engine and backend used, and versions
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "select",
        help="keep the samples that are hard and diverse",
        description="Keep the samples that are hard and diverse (D2 Pruning, arXiv:2310.07931), or "
        "those of another\nmethod.",
        epilog=options.FILES + options.GRAPHS + _EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("embeddings", metavar="EMBEDDINGS", nargs="?",
        help="file or folder of N x d floats, or a graph; optional for some methods")  # fmt: skip
    add("--scores", metavar="FILE",
        help="difficulty, N numbers >= 0, higher is harder (default: nearly equal, in a random order); "
        "or the file of a recorder's save(): borderline scores of a TrainingDynamics, mean losses of a "
        "LossDynamics")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers, the classes; each has its own graph and budget")
    add("--ids", metavar="FILE",
        help="N names of the samples, written to the output (default: the column id, uid or key beside "
        "the embeddings; none: no names)")  # fmt: skip
    add("--initial", metavar="FILE", nargs="+", action="extend",
        help="samples already chosen: coresets, masks, lists of indices; they are taken first, file by "
        "file. With --ids, .txt and .json lists are names. If --ids are integers, integers of an array "
        "are names if one of them is no index; if they could be either, that is an error")  # fmt: skip

    add = parser.add_argument_group("budget (exactly one)").add_argument
    add("--keep", type=options.real, metavar="F", help="fraction kept")
    add("--prune", type=options.real, metavar="F", help="fraction removed")
    add("--budget", type=options.whole, metavar="N", help="number of samples kept")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, (*ARRAY_SUFFIXES, *CORESET_SUFFIXES))
    add("--kept", default=None, metavar="FILE",
        help="write the samples kept, in pick order, as names, or as indices without --ids: "
        f"{' '.join(LIST_SUFFIXES)} (one column id)")  # fmt: skip
    add("--removed", default=None, metavar="FILE",
        help="write the samples not kept, in the same formats")  # fmt: skip
    add("--datacomp", default=None, metavar="FILE",
        help="write the samples kept for DataComp's resharder; --ids are its uids: .npy")  # fmt: skip
    add("--rows", default=None, metavar="FILE",
        help="write a table with one row per sample, in order: whether it is kept, its rank and scores, "
        f"and the pick that lowered it most: {' '.join(ROWS_SUFFIXES)}")  # fmt: skip
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
        help="fraction of the hardest samples dropped first (default 0.0); auto, with a recorder's file "
        "as --scores: samples with a negative margin")  # fmt: skip
    add("--clamp", action=argparse.BooleanOptionalAction,
        help="picks at or below 0 send no message")  # fmt: skip
    options.add_messages(add)

    add = parser.add_argument_group("graph").add_argument
    add("--k", type=options.whole, metavar="K",
        help=f"neighbors per sample (default {defaults.K}, or all that a graph has)")  # fmt: skip
    options.add_graph(add)

    more, files = methods.add_options(parser, {*INPUTS, *OPTIONS, *_OWN})
    parser.set_defaults(more=more, files=files)
    add = parser.add_argument_group("expert").add_argument
    options.add_engine(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
