"""d2pyg shrink: a kNN graph and what to keep in, the graph of that out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  The graph of a coreset:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg select graph.pt --keep 0.9 --out coreset.npz
    d2pyg shrink graph.pt embeddings.npy coreset.npz --out smaller.pt
  Without near-duplicates:
    d2pyg duplicates embeddings.npy --threshold 0.01 --out d.csv --kept kept.npy
    d2pyg shrink graph.pt embeddings.npy kept.npy --out smaller.pt

  The samples kept are numbered anew, in the order of EMBEDDINGS. The result is what d2pyg graph builds
  from them, with the k and the metric of GRAPH. An estimated covariance stays as it is. Graphs of
  approximate backends are refused.
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "shrink",
        help="keep some samples of a kNN graph",
        description="Keep some samples of a kNN graph, and search again only where a neighbor is gone.",
        epilog=options.FILES + _EPILOG + options.GRAPH_JSON,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("graph", metavar="GRAPH", help="file that d2pyg graph wrote: .pt")
    add(
        "embeddings",
        metavar="EMBEDDINGS",
        help="file or folder of N x d floats, the samples of the graph",
    )
    add("keep", metavar="KEEP",
        help="file of the samples to keep: a coreset, a mask or a list of indices; with --ids, .txt "
        "and .json lists hold names")  # fmt: skip
    add("--ids", metavar="FILE",
        help="N names of the samples (default: the column id, uid or key beside the embeddings; "
        "none: no names)")  # fmt: skip

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, GRAPH_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_memory(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
