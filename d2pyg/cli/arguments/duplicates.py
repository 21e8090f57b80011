"""d2pyg duplicates: embeddings in, near-duplicates and what to keep of them out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base.options import DUPLICATES_SUFFIXES, LIST_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  Which samples to delete, and which samples they duplicate:
    d2pyg duplicates embeddings.npy --threshold 0.05 --out duplicates.csv
  Also the samples to train on; the highest score of each group is kept:
    d2pyg duplicates embeddings.npy --threshold 0.05 --scores s.npy --out d.csv --kept kept.npy
  With names instead of indices:
    d2pyg duplicates embeddings.npy --threshold 0.05 --ids names.txt --out d.csv --kept kept.txt

columns of --out, one row per removed sample:
  index           the sample, numbered from 0
  duplicate_of    the sample of its group that is kept
  distance        distance between the two; in a chain of duplicates it can exceed the threshold
  group_size      samples in the group
  id, duplicate_of_id
                  the names of the first two, with --ids

--json prints one object on stdout:
  out, kept       the files written, or null
  samples         number of samples
  removed         number of samples that duplicate a sample kept
  groups          number of groups of at least two
  largest         samples in the largest group, 1 if there is none
  seconds         time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "duplicates",
        help="find near-duplicates, and keep one of each group",
        description="Find all near-duplicates, and keep one sample of each group.",
        epilog=options.FILES + _EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file or folder of N x d floats")
    add("--threshold", required=True, type=options.real, metavar="T",
        help="samples at this distance or closer are duplicates")  # fmt: skip
    add("--scores", metavar="FILE",
        help="N numbers; the highest of each group is kept (default: the lowest index)")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers; duplicates have the same label")

    add("--ids", metavar="FILE",
        help="N names of the samples, written to the output (default: the column id, uid or key beside "
        "the embeddings; none: no names)")  # fmt: skip

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, DUPLICATES_SUFFIXES)
    add("--kept", default=None, metavar="FILE",
        help="write the samples kept, as names, or as indices without --ids: "
        f"{' '.join(LIST_SUFFIXES)} (one column id)")  # fmt: skip
    add("--removed", default=None, metavar="FILE", help="write the other samples, in the same formats")
    options.add_json(add)

    add = parser.add_argument_group("graph").add_argument
    add("--metric", metavar="NAME", help="distance: cosine, euclidean, mahalanobis (default cosine)")
    options.add_backend(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
