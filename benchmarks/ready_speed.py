"""Times d2pyg.select on a ready kNN graph beside the heap alone on the same problem, in one process.

The ratio says what the way to the picks and back costs: the checks, the median of the distances, both
directions of the edges, the forward pass, the messages' weights, the order of the result. Graphs are
the ones of `select_speed.py`, as k-d tree neighbors make them: directed, in units of the embeddings.

    python benchmarks/ready_speed.py --nodes 1000000 10000000 --out ready-cpu

Writes JSON and a Markdown table beside it. What the columns say:

- edges, in both directions: of the kNN graph, and of the graph that messages go along.
- select, heap: the medians of their runs. The heap works on the problem that select made.
- memory: the kNN graph and what select needed beside it at its peak, over the graph.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
from select_speed import clusters, curve, neighbors_of

import d2pyg
from d2pyg.greedy.run import run

from measure import machine, markdown, origin, peak, timed, write

CPU = torch.device("cpu")
COLUMNS = {
    "data": "data", "nodes": "nodes", "edges": "edges", "edges_both": "in both directions",
    "keep": "keep", "runs": "runs", "select_s": "select, s", "heap_s": "heap, s", "ratio": "ratio",
    "memory_over_graph": "memory",
}  # fmt: skip


def measure(name, graph, score, keep, repeats):
    """A row of the table, for one graph."""
    budget = int(keep * graph.num_nodes)

    def select():
        return d2pyg.select(graph, score, budget=budget, engine="heap")

    memory = peak(select, CPU)  # a warm-up, too
    seconds = []
    for _ in range(repeats):  # in turn, so that what else the machine does meets both
        coreset = None  # of the run before: its memory is given back first
        select_s, coreset = timed(select, CPU, 1)
        heap_s, (picks, _) = timed(partial(run, coreset.trace.problem, "heap", False), CPU, 1)
        seconds.append((select_s, heap_s))
        if not picks.index.equal(coreset.index):
            raise SystemExit(f"The picks differ: {name}, {graph.num_nodes} nodes")
    select_s, heap_s = np.median(seconds, axis=0).tolist()
    return {
        "data": name, "nodes": graph.num_nodes, "edges": graph.num_edges,
        "edges_both": len(coreset.trace.problem.distance), "keep": keep, "runs": repeats,
        "select_s": round(select_s, 4), "heap_s": round(heap_s, 4),
        "ratio": round(select_s / heap_s, 2),
        "memory_over_graph": round(1 + memory / (24 * graph.num_edges), 2),
    }  # fmt: skip


def table(rows, header, command):
    head = (
        f"{origin(header)}, {header['threads']} thread(s) in torch, PyG {header['torch_geometric']}, "
        f"numpy {header['numpy']}, d2pyg {header['d2pyg']}. Columns: see `benchmarks/ready_speed.py`.\n"
        f"\n    {command}\n\n"
    )
    return head + markdown(COLUMNS.values(), [[row[key] for key in COLUMNS] for row in rows])


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--keep", type=float, default=0.3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of torch; the heap has one")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    header = {**machine(CPU), "threads": torch.get_num_threads()}
    command = (
        f"python benchmarks/ready_speed.py --nodes {' '.join(map(str, arguments.nodes))} "
        f"--k {arguments.k} --keep {arguments.keep} --repeats {arguments.repeats} "
        f"--threads {header['threads']}"
    )
    rows = []
    for nodes in arguments.nodes:
        for make in clusters, curve:
            points, score = make(nodes, np.random.default_rng(0))
            graph = neighbors_of(points, arguments.k)
            row = measure(make.__name__, graph, score, arguments.keep, arguments.repeats)
            rows.append(row)
            print(json.dumps(row), flush=True)
            if arguments.out:
                content = {**header, "command": command, "k": arguments.k, "rows": rows}
                write(arguments.out, content, table(rows, header, command))
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
