"""d2pyg extend: a kNN graph and new samples in, the graph of all out."""

from __future__ import annotations

import argparse
from typing import Any

from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  More samples, for the price of comparing them with all:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg extend graph.pt embeddings.npy new.npy --out larger.pt
  A graph a class:
    d2pyg graph embeddings.npy --labels labels.npy --out graph.pt
    d2pyg extend graph.pt embeddings.npy new.npy --labels new_labels.npy --out larger.pt

  The new samples follow the old ones, in numbers too. The graph is what d2pyg graph makes of all, with
  the k and the metric of GRAPH: a covariance stays as it was estimated. GRAPH has to be exact.

--json prints one object on stdout:
  out            the file written
  nodes          number of samples, old and new
  edges          number of edges, each from a sample to one that has it among its nearest
  k              neighbors a sample
  metric         the metric of the graph
  backend        the backend that it was first built with
  seconds        time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "extend",
        help="a kNN graph and new samples in, the graph of all out",
        description="Add samples to a kNN graph, and write the graph of all.",
        epilog=options.FILES + _EPILOG,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument_group("input").add_argument
    add("graph", metavar="GRAPH", help="what d2pyg graph wrote: .pt")
    add("embeddings", metavar="EMBEDDINGS", help="file of N x d floats that it was built from")
    add("new", metavar="NEW", help="file of M x d floats, the samples to add")
    add("--labels", metavar="FILE", help="M integers, of the new samples, for a graph a class")

    add = parser.add_argument_group("output").add_argument
    options.add_out(add, GRAPH_SUFFIXES)
    options.add_json(add)

    add = parser.add_argument_group("expert").add_argument
    options.add_memory(add)
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
