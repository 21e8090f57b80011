"""d2pyg compare: coresets in, a table of measures out."""

from __future__ import annotations

from typing import Any

from d2pyg._base.options import CORESET_SUFFIXES, FIGURE_SUFFIXES, TABLE_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  Two coresets of one data set, side by side:
    d2pyg compare d2.npz random.npy --embeddings x.npy --scores s.npy --labels y.npy
  With a table for a spreadsheet, and a figure:
    d2pyg compare a.npz b.csv c.npy --embeddings x.npy --scores s.npy --out t.csv --figure f.png
  Only how much they have in common:
    d2pyg compare a.npz b.npz

columns, one row per coreset; a column whose file is not given is left out:
  kept             number of samples kept
  coverage_radius  largest distance of any sample to its nearest kept one; lower covers better
  aucpr            mean distance of the other samples to the nearest kept one; lower covers better
  score_entropy    entropy of the kept samples' scores in 50 bins, in nats; higher is a wider mix
  class_balance    1 for equal numbers of each class, 0 for a single class
  near_duplicates  share of kept samples with another kept one closer than the threshold
  overlap          share of samples in common with the first coreset (of the smaller one)
  mean_score       mean score of the samples kept

--json prints one object on stdout, instead of the table:
  out, figure      the files written, or null
  threshold        the threshold used, or null
  rows             the table, a list of objects
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "compare",
        help="measure several coresets of one data set",
        description="Measure coresets of one data set, side by side.",
        epilog=options.FILES + _EPILOG,
    )
    add = parser.add_argument_group("input").add_argument
    add("coresets", nargs="+", metavar="CORESET",
        help=f"file of d2pyg select: {' '.join(CORESET_SUFFIXES)}; or .npy of indices")  # fmt: skip
    add("--embeddings", metavar="FILE", help="file of N x d floats")
    add("--scores", metavar="FILE", help="difficulty, N numbers")
    add("--labels", metavar="FILE", help="N integers, the classes")

    add = parser.add_argument_group("output").add_argument
    add("--out", metavar="FILE", help=f"write the table too: {' '.join(TABLE_SUFFIXES)}")
    add("--figure", metavar="FILE",
        help="draw difficulty and picks; needs embeddings and scores: "
        f"{' '.join(FIGURE_SUFFIXES)}")  # fmt: skip
    options.add_json(add)

    add = parser.add_argument_group("measures").add_argument
    options.add_metric(add)
    add("--threshold", type=options.real, metavar="T",
        help="samples closer than this are near-duplicates (default: half the median distance of all "
        "samples to their nearest neighbor)")  # fmt: skip

    add = parser.add_argument_group("expert").add_argument
    options.add_progress(add)
    options.add_last(add)
