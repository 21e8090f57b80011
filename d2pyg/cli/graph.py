"""d2pyg graph: embeddings in, kNN graph out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from d2pyg._base import defaults
from d2pyg._base.io import read_array
from d2pyg._base.labels import as_labels
from d2pyg._base.outputs import check_output
from d2pyg.cli import common, streams
from d2pyg.graph.files import SUFFIXES, save_graph
from d2pyg.graph.knn import knn_graph

_EPILOG = """
examples:
  A graph with all the neighbors that later settings may need:
    d2pyg graph embeddings.npy --out graph.pt
  One graph a class, for selections with the same labels:
    d2pyg graph embeddings.npy --labels labels.npy --out graph.pt
  What it is for:
    d2pyg select graph.pt --scores scores.npy --k 5 --keep 0.3 --out coreset.npz
    d2pyg sweep graph.pt --scores scores.npy --keep 0.1 0.3 --k 1 5 15 --out sweep.csv

--json prints one object on stdout:
  out            the file written
  nodes          number of samples
  edges          number of edges, each from a sample to one that has it among its nearest
  k              neighbors a sample
  metric         the metric used
  backend        the backend used
  seconds        time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "graph",
        help="embeddings in, kNN graph out, for many selections",
        description="Join every sample with its k nearest others, and write the graph.",
        epilog=common.FILES + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.set_defaults(command=_graph)
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file of N x d floats")
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(SUFFIXES)}")
    add(
        "--k",
        type=common.whole,
        default=defaults.K,
        metavar="K",
        help="neighbors a sample (default %(default)s)",
    )
    add("--labels", metavar="FILE", help="N integers: a graph a class")
    common.add_metric(add)
    add = parser.add_argument_group("how it runs").add_argument
    common.add_running(add)
    add("--memory", type=common.real, metavar="BYTES",
        help="what the search may use, such as 4e9 (default: a quarter of what is free)")  # fmt: skip


def _graph(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    out = check_output("out", arguments.out, SUFFIXES)
    given = common.given(arguments, ("embeddings", "labels"))
    common.check_files(given, {"out": out})
    embeddings = read_array("embeddings", given["embeddings"])
    labels = common.read_inputs({"labels": given.get("labels")})["labels"]
    graph = knn_graph(
        embeddings,
        arguments.k,
        batch=None if labels is None else as_labels("labels", labels, len(embeddings)),
        **common.given(arguments, ("metric", "backend", "device", "memory")),
        progress=common.progress(arguments),
    )
    save_graph(graph, out)
    summary = {
        "out": str(out),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "k": graph.k,
        "metric": graph.metric,
        "backend": graph.backend,
        "seconds": round(time.perf_counter() - started, 3),
    }
    streams.tell(
        f"joined {summary['nodes']} samples by {summary['edges']} edges in "
        f"{summary['seconds']:.1f} s -> {out}",
    )
    if arguments.json:
        streams.say(json.dumps(summary))
