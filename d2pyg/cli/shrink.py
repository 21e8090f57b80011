"""d2pyg shrink: a kNN graph and what to keep in, the graph of that out."""

from __future__ import annotations

import argparse
import time

from d2pyg._base.names import as_ids
from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg._base.outputs import check_output
from d2pyg.cli import common
from d2pyg.cli.graph import tell_graph
from d2pyg.cli.initial import content_of, of_content
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.files import read_graph, save_graph
from d2pyg.graph.shrink import shrink_graph


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = check_output("out", arguments.out, GRAPH_SUFFIXES)
    given = common.given(arguments, ("graph", "embeddings", "keep", "ids"))
    common.check_files(given, {"out": out})
    graph = read_graph("graph", given["graph"])
    total = int(graph.num_nodes or 0)
    files = common.read_inputs(common.given(arguments, ("embeddings", "ids")), named=True).values
    ids = None if files["ids"] is None else as_ids(files["ids"], total)
    with common.in_words_of_options({"initial": "keep"}):
        content = content_of(given["keep"])
        keep = content if isinstance(content, Coreset) else of_content(content, total, ids)
    less = shrink_graph(
        graph,
        files["embeddings"],
        keep,
        **common.given(arguments, ("device", "memory")),
        progress=common.progress(arguments),
    )
    save_graph(less, out)
    gone = total - int(less.num_nodes or 0)
    tell_graph(less, out, started, f"removed {gone}, joined", arguments.json)
