"""Times d2pyg.duplicates beside the kNN graph that it builds first.

Samples are Gaussian, float32, by cosine distance. Three kinds of data: "none" has no near-duplicates; in
"pairs" a tenth of the samples are copies of others, with noise below the threshold; in "crowd" a
twentieth are copies of one sample, so that their neighbors in the graph are not all of them. Seconds are
medians of runs that take turns, so that what else the machine does falls on all of them. ``memory`` is
what a run needs at its peak beyond the embeddings.

    python benchmarks/duplicates_speed.py [--sizes NxD ...] [--threads T] [--repeats R] [--out OUT]

Results: OUT.json and OUT.md.
"""

import argparse
from pathlib import Path

import torch

import d2pyg
from d2pyg._base.defaults import K

from measure import machine, markdown, origin, peak, timed, write

THRESHOLD = 1e-3
NAMES = ("data", "samples", "dim", "removed", "groups", "graph_seconds", "seconds", "memory")


def data(kind, total, dim):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(total, dim, generator=generator)
    if kind == "none":
        return x
    copies = total // (10 if kind == "pairs" else 20)
    source = x[:copies] if kind == "pairs" else x[:1]
    x[-copies:] = source + 1e-4 * torch.randn(copies, dim, generator=generator)
    return x[torch.randperm(total, generator=generator)]


def measured(kind, total, dim, repeats):
    x, device = data(kind, total, dim), torch.device("cpu")
    seconds, graph_seconds = [], []
    for _ in range(repeats):
        graph_seconds.append(timed(lambda: d2pyg.knn_graph(x, K, metric="cosine"), device, 1)[0])
        taken, found = timed(lambda: d2pyg.duplicates(x, THRESHOLD), device, 1)
        seconds.append(taken)
    return {
        "data": kind,
        "samples": total,
        "dim": dim,
        "removed": len(found.removed),
        "groups": len(found.groups),
        "graph_seconds": float(torch.tensor(graph_seconds).median()),
        "seconds": float(torch.tensor(seconds).median()),
        "memory": peak(lambda: d2pyg.duplicates(x, THRESHOLD), device),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["50000x128", "200000x64"], metavar="NxD")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("duplicates-cpu"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes]
    rows = [
        measured(kind, *size, arguments.repeats) for size in sizes for kind in ("none", "pairs", "crowd")
    ]
    head = {**machine(torch.device("cpu")), "threads": arguments.threads}
    cells = [
        [*(row[name] for name in NAMES[:5]),
         f"{row['graph_seconds']:.1f}", f"{row['seconds']:.1f}", f"{row['memory'] / 2**20:.0f} MiB"]
        for row in rows
    ]  # fmt: skip
    command = f"python benchmarks/duplicates_speed.py --threads {arguments.threads}"
    command += f" --repeats {arguments.repeats} --sizes {' '.join(arguments.sizes)}"
    table = (
        f"{origin(head)}, {arguments.threads} threads. Medians of {arguments.repeats} runs. Columns: "
        f"see `benchmarks/duplicates_speed.py`.\n\n    {command}\n\n"
    )
    table += markdown(NAMES, cells)
    write(arguments.out, {**head, "repeats": arguments.repeats, "rows": rows}, table)
    print(table, end="")


if __name__ == "__main__":
    main()
