"""d2pyg extend: a kNN graph and new samples in, the graph of all out."""

from __future__ import annotations

import argparse
import time

from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg._base.outputs import check_output
from d2pyg.cli import common
from d2pyg.cli.graph import tell_graph
from d2pyg.graph.extend import extend_graph
from d2pyg.graph.files import read_graph, save_graph
from d2pyg.sources.spec import open_spec


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, GRAPH_SUFFIXES)
    given = common.given(arguments, ("graph", "embeddings", "new", "labels"))
    common.check_files(given, {"out": out})
    graph = read_graph("graph", given["graph"])
    embeddings, new = (open_spec(name, given[name], ids=None) for name in ("embeddings", "new"))
    with common.in_words_of_options({"batch": "labels"}):
        more = extend_graph(
            graph,
            embeddings,
            new,
            common.read_inputs({"labels": given.get("labels")}).values["labels"],
            **common.given(arguments, ("device", "memory")),
            progress=common.progress(arguments),
        )
    save_graph(more, out)
    tell_graph(more, out, started, f"added {len(new)}, joined", arguments.json)
