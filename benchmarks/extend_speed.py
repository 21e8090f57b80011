"""Times d2pyg.extend_graph and shrink_graph beside new graphs of the same samples, in one process.

Made data: Gaussian clusters in d dimensions, float32, one sample in fifty a copy of another. M new
samples join N. Then one in a thousand of all, drawn at random, leaves. All graphs are compared bit by
bit with new ones.

    python benchmarks/extend_speed.py --sizes 200000+10000x256 --out extend-cpu
    python benchmarks/extend_speed.py --device cuda --out extend-cuda

Writes JSON and a Markdown table beside it. What the columns say:

- new graph: seconds that d2pyg.knn_graph takes for all N + M samples, the median of the runs.
- extend, shrink: seconds for M more, and for one in a thousand less; the ratios are to that.
- pairs: those with a new sample, of all pairs: what the first ratio would be if only products counted.
- lost: rows that lost a neighbor, of those that stay: the others are not searched.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import torch

import d2pyg

from measure import machine, markdown, origin, timed, write

SIZES = {"cpu": ["200000+10000x256"], "cuda": ["1000000+50000x256"]}
COLUMNS = {
    "old": "N", "new": "M", "dim": "d", "k": "k", "runs": "runs", "graph_s": "new graph, s",
    "extend_s": "extend, s", "extend_ratio": "ratio", "pairs": "pairs",
    "shrink_s": "shrink, s", "shrink_ratio": "ratio", "lost": "lost",
}  # fmt: skip


def samples(total, dim, device):
    generator = torch.Generator().manual_seed(0)
    center = torch.randn(max(1, total // 500), dim, generator=generator)
    which = torch.randint(len(center), (total,), generator=generator)
    x = center[which] + torch.randn(total, dim, generator=generator)
    copies = torch.randperm(total, generator=generator)[: total // 50]
    x[copies] = x[torch.randint(total, (len(copies),), generator=generator)]
    return x.to(device)


def check(one, two, what):
    if not (one.edge_index.equal(two.edge_index) and one.edge_attr.equal(two.edge_attr)):
        raise SystemExit(f"The graphs differ: {what}")


def measure(old, new, dim, k, repeats, device):
    """A row of the table."""
    x = samples(old + new, dim, device)
    stay = torch.ones(old + new, dtype=torch.bool)
    leave = max(1, (old + new) // 1000)
    stay[torch.randperm(old + new, generator=torch.Generator().manual_seed(1))[:leave]] = False
    before = d2pyg.knn_graph(x[:old], k)
    left = d2pyg.knn_graph(x[stay.to(device)], k)
    seconds = []
    for _ in range(repeats):  # in turn, so that what else the machine does meets all three
        graph_s, graph = timed(partial(d2pyg.knn_graph, x, k), device, 1)
        extend_s, grown = timed(partial(d2pyg.extend_graph, before, x[:old], x[old:]), device, 1)
        shrink_s, shrunk = timed(partial(d2pyg.shrink_graph, graph, x, stay), device, 1)
        seconds.append((graph_s, extend_s, shrink_s))
        check(grown, graph, "more samples")
        check(shrunk, left, "less samples")
    source, target = graph.edge_index.cpu()
    lost = len(target[stay[target] & ~stay[source]].unique())
    graph_s, extend_s, shrink_s = np.median(seconds, axis=0).tolist()
    return {
        "old": old, "new": new, "dim": dim, "k": k, "runs": repeats, "graph_s": round(graph_s, 3),
        "extend_s": round(extend_s, 3), "extend_ratio": round(extend_s / graph_s, 3),
        "pairs": round(1 - old * (old - 1) / ((old + new) * (old + new - 1)), 3),
        "shrink_s": round(shrink_s, 3), "shrink_ratio": round(shrink_s / graph_s, 3),
        "lost": round(lost / int(stay.sum()), 3),
    }  # fmt: skip


def table(rows, header, command):
    head = (
        f"{origin(header)}, {header['threads']} thread(s) in torch, d2pyg {header['d2pyg']}. Columns: "
        f"see `benchmarks/extend_speed.py`.\n\n    {command}\n\n"
    )
    return head + markdown(COLUMNS.values(), [[row[key] for key in COLUMNS] for row in rows])


def size(text):
    """N, M and d of ``200000+10000x256``."""
    samples, _, dim = text.partition("x")
    old, _, new = samples.partition("+")
    return int(old), int(new), int(dim)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", metavar="N+MxD")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    device = torch.device(arguments.device)
    sizes = arguments.sizes or SIZES[device.type]
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    header = {**machine(device), "threads": torch.get_num_threads()}
    command = (
        f"python benchmarks/extend_speed.py --sizes {' '.join(sizes)} --device {device} "
        f"--k {arguments.k} --repeats {arguments.repeats} --threads {header['threads']}"
    )
    d2pyg.knn_graph(torch.rand(5000, 8), 5)  # compiles what is compiled
    rows = []
    for old, new, dim in map(size, sizes):
        rows.append(measure(old, new, dim, arguments.k, arguments.repeats, device))
        print(json.dumps(rows[-1]), flush=True)
        if arguments.out:
            content = {**header, "command": command, "rows": rows}
            write(arguments.out, content, table(rows, header, command))
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
