"""d2pyg graph: embeddings in, kNN graph out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  A graph with all the neighbors that later selections need:
    d2pyg graph embeddings.npy --out graph.pt
  One graph per class, for selections with the same labels:
    d2pyg graph embeddings.npy --labels labels.npy --out graph.pt
  Then select from it:
    d2pyg select graph.pt --scores scores.npy --k 5 --keep 0.3 --out coreset.npz
    d2pyg sweep graph.pt --scores scores.npy --keep 0.1 0.3 --k 1 5 15 --out sweep.csv
  Add new samples, or keep only some:
    d2pyg extend graph.pt embeddings.npy new.npy --out larger.pt
    d2pyg shrink graph.pt embeddings.npy coreset.npz --out smaller.pt
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "graph",
        help="build a kNN graph once, for many selections",
        description="Join every sample to its k nearest neighbors, and write the graph.",
        epilog=options.FILES + _EPILOG + options.GRAPH_JSON,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file or folder of N x d floats")
    add("--labels", metavar="FILE", help="N integers, the classes; each has its own graph")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, GRAPH_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("graph").add_argument
    add("--k", type=options.whole, default=defaults.K, metavar="K",
        help="neighbors per sample (default %(default)s)")  # fmt: skip
    options.add_metric(add)
    options.add_backend(add)
    options.add_recall(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_memory(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
