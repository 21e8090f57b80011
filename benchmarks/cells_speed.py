"""Times backend="cells" beside an exact graph and beside approximate searches of the same recall.

Every search gives the k nearest of all samples of a made data set, float32:

- mixture: Gaussian clusters of about a hundred samples in 128 dimensions; one sample in fifty is a copy.
- surface: 16 dimensions, turned into 128, with noise in all of them.
- none: 128 independent normal coordinates, in which no search by cells can be fast.
- any .npy file of [N, d], by --files.

Recall is measured by this script, on 1,000 drawn samples, with plain products in float64. The peers are
tuned on the same samples: the fewest cells that faiss's IVF has to visit, the smallest search list of
its HNSW, the smallest number of neighbors of PyNNDescent that reach the recall of "cells".

    python benchmarks/cells_speed.py --sizes 100000 1000000 --peers ivf pynndescent --out cells-cpu

Writes JSON and a Markdown table beside it. What the columns say:

- exact: seconds of backend="torch"; above --exact-on samples, of that many drawn ones, times the square
  of the ratio, and marked with a star.
- cells, ratio: seconds of backend="cells", and over those of exact.
- found, reported: recall as measured here, and as the graph says, with its 95% interval.
- products: share of all pairs that were compared.
- ivf, hnsw, pynndescent: seconds of training, adding and searching, at the recall in brackets.
"""

import argparse
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch

import d2pyg

from measure import machine, markdown, origin, timed, write

CPU = torch.device("cpu")
DRAWN = 1000
COLUMNS = {
    "data": "data", "nodes": "N", "dim": "d", "exact": "exact, s", "cells_s": "cells, s",
    "ratio": "ratio", "found": "found", "reported": "reported", "products": "products",
}  # fmt: skip


def mixture(total, dim=128):
    rng = np.random.default_rng(0)
    center = rng.standard_normal((max(1, total // 100), dim), dtype=np.float32)
    x = center[rng.integers(0, len(center), total)]
    x += 0.5 * rng.standard_normal(x.shape, dtype=np.float32)
    copies = rng.choice(total, total // 50, replace=False)
    x[copies] = x[rng.integers(0, total, len(copies))]
    return x


def surface(total, dim=128):
    rng = np.random.default_rng(0)
    turn = rng.standard_normal((16, dim), dtype=np.float32)
    x = rng.standard_normal((total, 16), dtype=np.float32) @ turn
    x += 0.1 * rng.standard_normal(x.shape, dtype=np.float32)
    return x


def none(total, dim=128):
    return np.random.default_rng(0).standard_normal((total, dim), dtype=np.float32)


MADE = {"mixture": mixture, "surface": surface, "none": none}


class Truth:
    """How far the k-th neighbor of some rows [C] is, by products in float64."""

    def __init__(self, x, rows, k):
        self.x, self.rows = torch.from_numpy(x), rows
        left = self.x[rows].double()
        value = torch.empty(len(rows), 0, dtype=torch.float64)
        for start in range(0, len(x), 1 << 14):
            right = self.x[start : start + (1 << 14)].double()
            far = left.square().sum(1, keepdim=True) + right.square().sum(1) - 2 * left @ right.T
            number = torch.arange(start, start + len(right))
            value = torch.cat([value, far.masked_fill(number == rows.unsqueeze(1), torch.inf)], 1)
            value = value.topk(min(k, value.shape[1]), largest=False).values
        self.last = value[:, -1:].clamp(min=0) + 1e-9 * left.square().sum(1, keepdim=True)

    def share(self, found):
        """Of k found neighbors [C, k], those that are not farther; ties count as found."""
        far = self.x[found].double() - self.x[self.rows].double().unsqueeze(1)
        return float((far.square().sum(2) <= self.last).double().mean())


def without_itself(found, rows, k):
    """Of k + 1 found, the k that are not the row itself."""
    found = torch.as_tensor(np.asarray(found)).long()
    other = found != torch.as_tensor(rows).unsqueeze(1)
    order = (~other).long().argsort(dim=1, stable=True)
    return found.gather(1, order)[:, :k]


def tuned(values, reach, goal):
    """The first of ascending values that reaches the goal, or the last."""
    for value in values:
        found = reach(value)
        if found >= goal:
            break
    return value, found


def ivf(x, rows, truth, goal, k):
    import faiss

    cells = 2 * int(len(x) ** 0.5)

    def build():
        index = faiss.index_factory(x.shape[1], f"IVF{cells},Flat")
        index.train(x[np.random.default_rng(0).permutation(len(x))[: 64 * cells]])
        index.add(x)
        return index

    build_s, index = timed(build, CPU, 1)

    def reach(probes):
        index.nprobe = probes
        return truth.share(without_itself(index.search(x[rows], k + 1)[1], rows, k))

    steps = [*range(1, 16), *range(16, 64, 4), *range(64, cells, 16)]
    _, found = tuned(steps, reach, goal)
    search_s, _ = timed(partial(index.search, x, k + 1), CPU, 1)
    return build_s + search_s, found


def hnsw(x, rows, truth, goal, k):
    import faiss

    index = faiss.IndexHNSWFlat(x.shape[1], 16)
    index.hnsw.efConstruction = 40
    build_s, _ = timed(partial(index.add, x), CPU, 1)

    def reach(width):
        index.hnsw.efSearch = width
        return truth.share(without_itself(index.search(x[rows], k + 1)[1], rows, k))

    _, found = tuned([16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512], reach, goal)
    search_s, _ = timed(partial(index.search, x, k + 1), CPU, 1)
    return build_s + search_s, found


def pynndescent(x, rows, truth, goal, k):
    from pynndescent import NNDescent

    def reach(count):
        state["seconds"], index = timed(partial(NNDescent, x, n_neighbors=count, random_state=0), CPU, 1)
        return truth.share(without_itself(index.neighbor_graph[0][rows], rows, k))

    state = {}
    NNDescent(x[:2000], n_neighbors=k + 1, random_state=0)  # compiles
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, found = tuned([k + 1, 2 * k, 3 * k], reach, goal)
    return state["seconds"], found


PEERS = {"ivf": ivf, "hnsw": hnsw, "pynndescent": pynndescent}


def measure(name, x, k, wanted, exact_on, peers):
    """A row of the table."""
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(99))[:DRAWN]
    truth = Truth(x, rows, k)
    some = min(len(x), exact_on)
    part = x if some == len(x) else x[np.random.default_rng(1).permutation(len(x))[:some]]
    exact_s, _ = timed(partial(d2pyg.knn_graph, part, k, backend="torch"), CPU, 1)
    exact_s *= (len(x) / some) ** 2
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        search = partial(d2pyg.knn_graph, x, k, backend="cells", recall=wanted)
        cells_s, graph = timed(search, CPU, 1)
    found = truth.share(graph.edge_index[0].view(-1, k)[rows])
    row = {
        "data": name, "nodes": len(x), "dim": x.shape[1], "k": k, "exact_s": round(exact_s, 2),
        "exact_on": some, "cells_s": round(cells_s, 2), "ratio": round(cells_s / exact_s, 4),
        "found": round(found, 4), "recall": graph.recall,
        "products": round(graph.recall["products"], 4), "said": [str(one.message) for one in said],
    }  # fmt: skip
    del graph
    for peer in peers:
        seconds, reached = PEERS[peer](x, rows.numpy(), truth, found, k)
        row[peer] = {"seconds": round(seconds, 2), "found": round(reached, 4)}
    return row


def table(rows, peers, header, command):
    head = (
        f"{origin(header)}, {header['threads']} thread(s) in torch, d2pyg {header['d2pyg']}. A star: "
        f"timed on fewer samples. Columns: see `benchmarks/cells_speed.py`.\n\n    {command}\n\n"
    )
    lines = []
    for row in rows:
        told = row["recall"]
        shown = {
            **row,
            "exact": f"{row['exact_s']:g}{' *' if row['exact_on'] < row['nodes'] else ''}",
            "reported": f"{told['value']:.3f} ({told['low']:.3f} to {told['high']:.3f})",
        }
        others = [f"{row[peer]['seconds']:g} ({row[peer]['found']:.3f})" for peer in peers]
        lines.append([*(shown[key] for key in COLUMNS), *others])
    return head + markdown([*COLUMNS.values(), *(f"{peer}, s" for peer in peers)], lines)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000])
    parser.add_argument("--data", nargs="+", default=list(MADE), choices=MADE)
    parser.add_argument("--files", nargs="*", default=[], metavar="FILE", help=".npy files of [N, d]")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS)
    parser.add_argument("--k", type=int, default=15)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--exact-on", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of all of them")
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    if {"ivf", "hnsw"} & set(arguments.peers):
        import faiss

        faiss.omp_set_num_threads(arguments.threads)
    header = {**machine(CPU), "threads": torch.get_num_threads()}
    files = f" --files {' '.join(Path(file).name for file in arguments.files)}" * bool(arguments.files)
    command = (
        f"python benchmarks/cells_speed.py --sizes {' '.join(map(str, arguments.sizes))} "
        f"--data {' '.join(arguments.data)}{files} --peers {' '.join(arguments.peers)} "
        f"--k {arguments.k} --recall {arguments.recall:g} --threads {header['threads']}"
    )
    with warnings.catch_warnings():  # compiles what is compiled
        warnings.simplefilter("ignore")
        d2pyg.knn_graph(none(20_000, 32), arguments.k)
        d2pyg.knn_graph(none(20_000, 32), arguments.k, backend="cells")
    rows = []
    sets = [(name, partial(MADE[name], size)) for size in arguments.sizes for name in arguments.data]
    sets += [(Path(file).stem, partial(np.load, file)) for file in arguments.files]
    for name, make in sets:
        x = np.ascontiguousarray(make(), dtype=np.float32)
        rows.append(measure(name, x, arguments.k, arguments.recall, arguments.exact_on, arguments.peers))
        print(json.dumps(rows[-1]), flush=True)
        if arguments.out:
            content = {**header, "command": command, "rows": rows}
            write(arguments.out, content, table(rows, arguments.peers, header, command))
    print(table(rows, arguments.peers, header, command))


if __name__ == "__main__":
    main()
