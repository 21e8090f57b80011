"""d2pyg duplicates: embeddings in, near-duplicates and what to keep of them out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from d2pyg._base.outputs import check_output, replacing_all
from d2pyg.cli import common, streams
from d2pyg.coreset.duplicates import WRITERS
from d2pyg.coreset.formats import name_list
from d2pyg.selection.duplicates import duplicates

_INPUTS = ("embeddings", "scores", "labels")
_LISTS = (".npy", ".json", ".txt")

_EPILOG = """
examples:
  What to delete, and of what it is a duplicate:
    d2pyg duplicates embeddings.npy --threshold 0.05 --out duplicates.csv
  The rest, for training; of each group the sample with the highest score:
    d2pyg duplicates embeddings.npy --threshold 0.05 --scores s.npy --out d.csv --kept kept.npy

columns of --out, a row a sample that is removed:
  index           the sample, numbered from 0
  duplicate_of    the sample of its group that is kept
  distance        between the two; in a chain of duplicates it can exceed the threshold
  group_size      samples in the group

--json prints one object on stdout:
  out, kept       the files written, or null
  samples         number of samples
  removed         number of samples that are duplicates of one that is kept
  groups          number of groups of at least two
  largest         samples in the largest group, 1 where there is none
  seconds         time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "duplicates",
        help="near-duplicates by a threshold, in groups, and which to keep",
        description="Find all near-duplicates, and keep one sample of each group.",
        epilog=common.FILES + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(command=_duplicates)
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file of N x d floats")
    add("--threshold", required=True, type=common.real, metavar="T",
        help="samples at this distance or closer are duplicates")  # fmt: skip
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(WRITERS)}")
    add("--kept", default=None, metavar="FILE",
        help=f"write the indices of what is kept: {' '.join(_LISTS)}")  # fmt: skip
    add("--scores", metavar="FILE",
        help="N numbers; the highest of a group is kept (default: the lowest index)")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers: samples of different labels are no duplicates")
    add("--metric", metavar="NAME", help="cosine, euclidean, mahalanobis (default cosine)")
    common.add_running(parser.add_argument_group("how it runs").add_argument)


def _duplicates(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    out = check_output("out", arguments.out, WRITERS)
    kept = None if arguments.kept is None else check_output("kept", arguments.kept, _LISTS)
    given = common.given(arguments, _INPUTS)
    common.check_files(given, {"out": out, "kept": kept})
    files = common.read_inputs(given)
    found = duplicates(
        files.pop("embeddings"),
        arguments.threshold,
        **files,
        **common.given(arguments, ("metric", "backend", "device")),
        progress=common.progress(arguments),
    )
    with replacing_all(*(path for path in (out, kept) if path)) as targets:
        WRITERS[out.suffix](found, targets[0])
        if kept:
            targets[1].write(name_list(found.index.numpy(), kept.suffix))
    sizes = found.representative.bincount()
    summary = {
        "out": str(out),
        "kept": None if kept is None else str(kept),
        "samples": len(found.mask),
        "removed": len(found.removed),
        "groups": int((sizes > 1).sum()),
        "largest": int(sizes.max()),
        "seconds": round(time.perf_counter() - started, 3),
    }
    streams.tell(
        f"{summary['removed']} of {summary['samples']} samples are near-duplicates, in "
        f"{summary['groups']} groups of up to {summary['largest']}, {summary['seconds']:.1f} s -> {out}"
    )
    if arguments.json:
        streams.say(json.dumps(summary))
