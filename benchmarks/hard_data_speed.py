"""Times the exact kNN graph on data that float32 finds hard, beside plain data of the same shape.

Plain data are Gaussian clusters. The others are made from them, or drawn on their own; sizes, shares and
factors of each are drawn by --seed. Every graph is compared on some rows with float64 differences of all
samples: neighbors by (distance, index).

    python benchmarks/hard_data_speed.py --nodes 10000 --dim 128 --out hard-data-cpu

Writes JSON and a Markdown table beside it. What the columns say:

- plain, hard: seconds of both, the medians of the runs; the ratio is what hard data costs.
- peak: bytes beyond the input, over the 268 MB that --memory allows by default, and the graph.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import numpy as np
import torch

import d2pyg

from measure import machine, markdown, origin, peak, timed, write

CPU = torch.device("cpu")
CHECKED = 40  # rows
COLUMNS = {
    "data": "data", "nodes": "N", "dim": "d", "metric": "metric", "plain_s": "plain, s",
    "hard_s": "hard, s", "ratio": "ratio", "peak_MB": "peak, MB", "allowed_MB": "allowed, MB",
}  # fmt: skip


def plain(rng, nodes, dim):
    center = rng.standard_normal((max(1, nodes // 500), dim), dtype=np.float32)
    return center[rng.integers(0, len(center), nodes)] + rng.standard_normal(
        (nodes, dim), dtype=np.float32
    )


def outliers(rng, x):
    rows = rng.choice(len(x), rng.integers(1, 20), replace=False)
    x[rows] *= (10.0 ** rng.uniform(3, 12, len(rows)))[:, None]
    return "outliers of every size"


def one_outlier(rng, x):
    x[0] = 1e8
    return "one row of 1e8"


def far_half(rng, x):
    x[rng.random(len(x)) < 0.5] += 1e4
    return "half of the rows 1e4 away"


def far_clusters(rng, x):
    where = 10.0 ** rng.uniform(2, 6, (8, 1)) * rng.standard_normal((8, x.shape[1]))
    x += where[rng.integers(0, 8, len(x))].astype(np.float32)
    return "clusters far apart"


def offset(rng, x):
    x += np.float32(10.0 ** rng.uniform(2, 4))
    return "all far from the origin"


def unit_of_a_column(rng, x):
    x[:, 0] *= 1e6
    return "a column in other units"


def units_of_columns(rng, x):
    x *= (10.0 ** rng.uniform(-6, 6, x.shape[1])).astype(np.float32)
    return "columns in all units"


def copies_by_the_thousand(rng, x):
    rows = rng.choice(len(x), len(x) // 5, replace=False)
    x[rows] = x[rng.integers(0, 3, len(rows))]
    return "copies by the thousand"


def copied_a_hundred_times(rng, x):
    rows = rng.choice(len(x), len(x) // 2, replace=False)
    x[rows] = x[rng.integers(0, max(1, len(x) // 200), len(rows))]
    return "copies by the hundred"


def nearly_copies(rng, x):
    rows = rng.choice(len(x), len(x) // 2, replace=False)
    x[rows] = x[rng.integers(0, max(1, len(x) // 50), len(rows))]
    x[rows] += 1e-6 * rng.standard_normal((len(rows), x.shape[1]), dtype=np.float32)
    return "copies but for 1e-6"


def counts(rng, x):
    x[:] = rng.poisson(0.02, x.shape)
    return "sparse counts"


def one_hot(rng, x):
    x[:] = 0
    x[np.arange(len(x)), rng.integers(0, x.shape[1], len(x))] = 1
    return "one-hot rows"


def small_integers(rng, x):
    x[:] = x.round()
    return "small integers"


def zeros(rng, x):
    x[rng.random(len(x)) < 0.1] = 0
    return "a tenth of the rows is zero"


HARD = {
    "euclidean": [
        one_outlier, outliers, far_half, far_clusters, offset, unit_of_a_column, units_of_columns,
        copies_by_the_thousand, copied_a_hundred_times, nearly_copies, counts, one_hot, small_integers,
    ],
    "cosine": [outliers, counts, one_hot, zeros, copies_by_the_thousand],
}  # fmt: skip


def check(x, graph, metric, k, what):
    """Some rows against all samples, by float64 differences."""
    rows = np.linspace(0, len(x) - 1, min(CHECKED, len(x))).astype(int)
    neighbor, far = (part.view(len(x), k)[rows] for part in (graph.edge_index[0], graph.edge_attr))
    measure = {"euclidean": d2pyg.graph.EuclideanMetric, "cosine": d2pyg.graph.CosineMetric}[metric]()
    given = torch.from_numpy(x)
    for row, found, distance in zip(rows, neighbor, far, strict=True):
        parts = [measure.distance(part.double(), given[row].double()) for part in given.split(4096)]
        exact = torch.cat(parts)
        exact[row] = torch.inf
        nearest = exact.sort(stable=True).indices[:k]
        if not (nearest.equal(found) and exact[nearest].equal(distance)):
            raise SystemExit(f"The graph is wrong: {what}, row {row}")


def measure(make, metric, nodes, dim, k, memory, repeats, seed):
    """A row of the table."""
    easy = plain(np.random.default_rng(seed), nodes, dim)
    hard = easy.copy()
    name = make(np.random.default_rng(seed + 1), hard)
    build = partial(d2pyg.knn_graph, k=k, metric=metric, memory=memory)
    used = peak(partial(build, hard), CPU)  # a warm-up, too
    seconds = []
    for _ in range(repeats):  # in turn, so that what else the machine does meets both
        plain_s, _ = timed(partial(build, easy), CPU, 1)
        hard_s, graph = timed(partial(build, hard), CPU, 1)
        seconds.append((plain_s, hard_s))
    check(hard, graph, metric, k, name)
    plain_s, hard_s = np.median(seconds, axis=0).tolist()
    return {
        "data": name, "nodes": nodes, "dim": dim, "metric": metric, "k": k, "runs": repeats,
        "plain_s": round(plain_s, 3), "hard_s": round(hard_s, 3), "ratio": round(hard_s / plain_s, 2),
        "peak_MB": round(used / 1e6), "allowed_MB": round((memory + 64 * nodes * k) / 1e6),
    }  # fmt: skip


def table(rows, header, command):
    head = (
        f"{origin(header)}, {header['threads']} thread(s) in torch, d2pyg {header['d2pyg']}. Columns: "
        f"see `benchmarks/hard_data_speed.py`.\n\n    {command}\n\n"
    )
    return head + markdown(COLUMNS.values(), [[row[key] for key in COLUMNS] for row in rows])


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--wide", nargs="*", default=["1500x65536"], metavar="NxD")
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--memory", type=float, default=2.0**28)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    header = {**machine(CPU), "threads": torch.get_num_threads()}
    command = (
        f"python benchmarks/hard_data_speed.py --nodes {arguments.nodes} --dim {arguments.dim} "
        f"--wide {' '.join(arguments.wide)} --k {arguments.k} --repeats {arguments.repeats} "
        f"--seed {arguments.seed} --threads {header['threads']}"
    )
    tasks = [
        (make, metric, arguments.nodes, arguments.dim)
        for metric, makes in HARD.items()
        for make in makes
    ]
    for size in arguments.wide:
        tasks += [(make, "euclidean", *map(int, size.split("x"))) for make in (one_outlier, far_half)]
    rows = []
    for make, metric, nodes, dim in tasks:
        rows.append(
            measure(
                make,
                metric,
                nodes,
                dim,
                arguments.k,
                arguments.memory,
                arguments.repeats,
                arguments.seed,
            )
        )
        print(json.dumps(rows[-1]), flush=True)
        if arguments.out:
            content = {**header, "command": command, "rows": rows}
            write(arguments.out, content, table(rows, header, command))
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
