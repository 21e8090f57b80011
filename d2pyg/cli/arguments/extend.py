"""d2pyg extend: a kNN graph and new samples in, the graph of all out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  Compare new samples with all others, and nothing else:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg extend graph.pt embeddings.npy new.npy --out larger.pt
  One graph per class:
    d2pyg graph embeddings.npy --labels labels.npy --out graph.pt
    d2pyg extend graph.pt embeddings.npy new.npy --labels new_labels.npy --out larger.pt

  The new samples are numbered after the old ones. The result is what d2pyg graph builds from all
  samples, with the k and the metric of GRAPH. An estimated covariance stays as it is. Graphs of
  approximate backends are refused.
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "extend",
        help="add new samples to a kNN graph",
        description="Add new samples to a kNN graph, and write the graph of all samples.",
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
    add("new", metavar="NEW", help="file or folder of M x d floats, the new samples")
    add("--labels", metavar="FILE", help="M integers, the classes of the new samples")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, GRAPH_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_memory(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
