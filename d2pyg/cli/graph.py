"""d2pyg graph: embeddings in, kNN graph out."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from torch_geometric.data import Data

from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg._base.outputs import check_output
from d2pyg.cli import common, streams
from d2pyg.graph.files import save_graph
from d2pyg.graph.knn import knn_graph


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, GRAPH_SUFFIXES)
    given = common.given(arguments, ("embeddings", "labels"))
    common.check_files(given, {"out": out})
    files = common.read_inputs(given).values
    with common.in_words_of_options({"batch": "labels"}):
        graph = knn_graph(
            files["embeddings"],
            arguments.k,
            batch=files.get("labels"),
            **common.given(arguments, ("metric", "backend", "recall", "device", "memory")),
            progress=common.progress(arguments),
        )
    save_graph(graph, out)
    tell_graph(graph, out, started, "joined", arguments.json)


def tell_graph(graph: Data, out: Path, started: float, done: str, as_json: bool) -> None:
    """Says what was done, for people and, if asked for, for programs."""
    summary = {
        "out": str(out),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "k": graph.k,
        "metric": graph.metric,
        "backend": graph.backend,
        "recall": graph.get("recall"),
        "seconds": round(time.perf_counter() - started, 3),
    }
    streams.tell(
        f"{done} {summary['nodes']} samples by {summary['edges']} edges in "
        f"{summary['seconds']:.1f} s -> {out}"
    )
    if as_json:
        streams.say(json.dumps(summary))
