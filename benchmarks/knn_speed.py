"""Times the kNN backends, and the libraries behind them alone, side by side in one run.

Made data: Gaussian clusters in d dimensions, float32. Recall is measured against float64 brute force on
some rows. Slow peers run on fewer samples, their seconds multiplied by the square of the ratio, and
are marked. The rate is 2 N^2 d operations over the seconds, and its share that of one plain matrix
product of the same shape, in float32 on the CPU and in float16 on CUDA, measured in the same run.

    python benchmarks/knn_speed.py --out knn-cpu
    python benchmarks/knn_speed.py --device cuda --out knn-cuda

Writes JSON and a Markdown table beside it.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
import torch

import d2pyg
from d2pyg import register  # noqa: F401  # with it all names are registered
from d2pyg._base.registry import choices

from measure import machine, markdown, origin, peak, timed, write

SIZES = {
    "cpu": [(5_000, 64), (20_000, 64), (20_000, 512), (50_000, 512)],
    "cuda": [(5_000, 64), (100_000, 64), (100_000, 512), (1_280_000, 512)],
}
# Operations that a slow peer is given, 2 N^2 d; the others are given all.
SLOW = {
    "cpu": {"torch_cluster": 4e9, "torch_cluster alone": 4e9, "pynndescent": 1e11},
    "cuda": {"torch_cluster": 2e12, "torch_cluster alone": 2e12, "faiss": 1e12, "faiss alone": 1e12,
             "pynndescent": 1e11},
}  # fmt: skip
MODULES = {"faiss": "faiss", "torch_cluster": "torch_cluster", "pyg_lib": "pyg_lib",
           "pynndescent": "pynndescent", "torch": "torch", "cells": "torch"}  # fmt: skip
CHECKED = 200  # rows


def clusters(nodes, dim, device):
    generator = torch.Generator().manual_seed(0)
    center = torch.randn(max(1, nodes // 500), dim, generator=generator)
    which = torch.randint(len(center), (nodes,), generator=generator)
    return (center[which] + torch.randn(nodes, dim, generator=generator)).to(device)


def faiss_alone(x, k):
    import faiss

    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x.cpu().numpy())
    return torch.as_tensor(index.search(x.cpu().numpy(), k + 1)[1][:, 1:])


def torch_cluster_alone(x, k):
    import torch_cluster

    row, neighbor = torch_cluster.knn(x, x, k + 1)
    other = torch.full((len(x), k + 1), -1)
    place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
    other[row.cpu(), place.cpu()] = neighbor.cpu()
    return other[:, 1:]


def backend_runs(device):
    """Name, and what finds the neighbors [N, k]; what is installed alone."""
    for name in choices("backend"):
        if importlib.util.find_spec(MODULES[name]):
            yield (
                name,
                lambda x, k, b=name: d2pyg.knn_graph(x, k, backend=b).edge_index[0].view(-1, k),
            )
    for module, alone in ("faiss", faiss_alone), ("torch_cluster", torch_cluster_alone):
        if importlib.util.find_spec(module):
            yield f"{module} alone", alone


def recall(x, neighbor, k):
    """Of the true neighbors of some rows, by float64 differences, the share that was found."""
    rows = torch.linspace(0, len(x) - 1, min(CHECKED, len(x))).long()
    found = 0
    for row in rows.tolist():
        squared = torch.cat(
            [(part.double() - x[row].double()).square().sum(1) for part in x.split(1 << 16)]
        )
        squared[row] = torch.inf
        last = squared.topk(k, largest=False).values[-1]
        found += int((squared[neighbor[row].to(x.device)] <= last).sum())
    return found / (k * len(rows))


def product_rate(x):
    """Operations a second of one plain product of a chunk of rows with all rows."""
    x = x.half() if x.is_cuda else x
    rows = min(len(x), max(256, (1 << (29 if x.is_cuda else 23)) // len(x)))
    seconds, _ = timed(lambda: x[:rows] @ x.T, x.device, 5)
    return 2.0 * rows * len(x) * x.shape[1] / seconds


def measure(nodes, dim, k, device, repeats):
    plain = product_rate(clusters(nodes, dim, device))
    for name, run in backend_runs(device):
        operations = 2.0 * nodes * nodes * dim
        some = int(min(nodes, (SLOW[device.type].get(name, np.inf) / 2 / dim) ** 0.5))
        x = clusters(some, dim, device)
        memory = peak(lambda x=x, run=run: run(x, k), device)  # a warm-up, too
        seconds, neighbor = timed(lambda x=x, run=run: run(x, k), device, repeats)
        seconds *= (nodes / some) ** 2
        yield {
            "nodes": nodes, "dim": dim, "k": k, "backend": name, "seconds": round(seconds, 4),
            "timed_on": some, "recall": round(recall(x, neighbor, k), 5),
            "tflops": round(operations / seconds / 1e12, 4),
            "share_of_product": round(operations / seconds / plain, 3),
            "memory_GB": round(memory / 1e9, 3) if some == nodes else None,
        }  # fmt: skip


def table(rows, header, command):
    lines = []
    head = [
        f"{origin(header)}, "
        f"PyG {header['torch_geometric']}, d2pyg {header['d2pyg']}. A star: timed on fewer samples. "
        f"Memory: beyond the input, at the peak. Columns: see `benchmarks/knn_speed.py`.",
        f"\n    {command}\n",
    ]
    names = (
        "N", "d", "k", "backend", "seconds", "recall", "Tflop/s", "share of a plain product",
        "memory, GB",
    )  # fmt: skip
    for row in rows:
        star = "" if row["timed_on"] == row["nodes"] else f" * ({row['timed_on']})"
        lines.append((
            row["nodes"], row["dim"], row["k"], row["backend"], f"{row['seconds']:.3g}{star}",
            row["recall"], row["tflops"], row["share_of_product"], row["memory_GB"] or "",
        ))  # fmt: skip
    return "\n".join([*head, markdown(names, lines)])


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", metavar="NxD", help="such as 5000x64 (default: a grid)")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    device = torch.device(arguments.device)
    sizes = SIZES[device.type]
    if arguments.sizes:
        sizes = [tuple(map(int, size.split("x"))) for size in arguments.sizes]
    header = machine(device)
    command = f"python benchmarks/knn_speed.py --device {device} --k {arguments.k} --sizes "
    command += " ".join(f"{nodes}x{dim}" for nodes, dim in sizes)
    rows = []
    for nodes, dim in sizes:
        for row in measure(nodes, dim, arguments.k, device, arguments.repeats):
            rows.append(row)
            print(json.dumps(row), flush=True)
            if arguments.out:
                content = {**header, "command": command, "rows": rows}
                write(arguments.out, content, table(rows, header, command))
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
