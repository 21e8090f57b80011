"""Times the selection engines against per-pick argmax loops, side by side in one run.

Graphs are k-d tree neighbors of points in three-dimensional clusters, made undirected, distances
divided by their median; scores are log-normal. `curve` is ordered data, points along a smooth curve
with smooth scores, where rounds make long chains. The argmax loop is what the authors' code does: numpy,
one argmax over all samples for every pick. On CUDA the same loop runs in torch on the GPU, too. Both
are timed on their first picks and extrapolated. That the engines' picks are equal is checked.

    python benchmarks/select_speed.py --nodes 10000 100000 1000000 10000000 --out select-cpu
    python benchmarks/select_speed.py --nodes 50000 1280000 --k 10 --device cuda --out select-cuda

Writes JSON and a Markdown table beside it. What the columns say:

- ratio: seconds of the argmax loop over seconds of the engine.
- rounds, to heap: data-parallel rounds, and the share of the picks that the heap made after them.
- edges read: rows read in all rounds together, over the edges of the graph.
- bytes: operands of every torch operation of the rounds engine, over those of one pass over the graph
  (rows, weights and scores). What an operation reads again inside, as a sort does, is not in it.
- memory: the graph and what selection needed beside it at its peak, over the graph.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.data import Data

import d2pyg
from d2pyg.graph.edges import edges_of, median_distance
from d2pyg.graph.order import both_directions

from measure import machine, markdown, origin, peak, timed, write

PREFIX = 200  # picks of the argmax loops that are timed
SEQUENTIAL_UP_TO = 50_000  # nodes
GRID_UP_TO = 2_000_000  # nodes
GRID = [(gamma, keep, clamp) for gamma in (0.1, 1.0) for keep in (0.1, 0.3) for clamp in (False, True)]
PHASES = ("d2pyg.rounds", "d2pyg.hand_over", "d2pyg.copy")


def clusters(nodes, rng):
    """Points around centers, and scores of a heavy tail."""
    center = rng.normal(size=(max(1, nodes // 500), 3))
    points = center[rng.integers(0, len(center), nodes)] + 0.05 * rng.normal(size=(nodes, 3))
    return points, rng.lognormal(size=nodes)


def curve(nodes, rng):
    """Points in order along a curve, with scores that vary slowly along it."""
    at = np.linspace(0, 20 * np.pi, nodes)
    points = np.stack([np.cos(at), np.sin(at), 0.1 * at], axis=1)
    return points, 2 + np.sin(at / 3)


def neighbors_of(points, k):
    """The kNN graph, directed, as d2pyg.knn_graph makes it."""
    distance, neighbor = cKDTree(points).query(points, k + 1, workers=-1)
    source = torch.as_tensor(neighbor[:, 1:].reshape(-1))
    target = torch.arange(len(points)).repeat_interleave(k)
    keep = source != target  # where points coincide, the first neighbor may not be the point itself
    return Data(
        edge_index=torch.stack([source, target])[:, keep],
        edge_attr=torch.as_tensor(distance[:, 1:].reshape(-1))[keep],
        num_nodes=len(points),
        k=k,
    )


def undirected(graph):
    """Both directions of every edge, distances divided by their median."""
    edges = both_directions(edges_of(graph))
    graph.edge_index, graph.edge_attr = edges.edge_index, edges.distance / median_distance(edges)
    return graph


def numpy_loop(score, graph, gamma, picks, clamp):
    """Seconds for ``picks`` picks, one argmax over all samples each."""
    target = graph.edge_index[1].numpy()
    ptr = np.searchsorted(target, np.arange(graph.num_nodes + 1))
    neighbor = graph.edge_index[0].numpy()
    weight = np.exp(-gamma * graph.edge_attr.numpy() ** 2)
    score = score.copy()
    started = time.perf_counter()
    for _ in range(picks):
        best = int(score.argmax())
        value = score[best]
        score[best] = -np.inf
        if not (clamp and value <= 0):
            row = slice(ptr[best], ptr[best + 1])
            score[neighbor[row]] -= weight[row] * value
    return time.perf_counter() - started


def gpu_loop(score, graph, gamma, picks, clamp):
    """The same in torch, on the GPU."""
    target = graph.edge_index[1]
    ptr = torch.searchsorted(target, torch.arange(graph.num_nodes + 1, device=target.device)).tolist()
    neighbor, weight = graph.edge_index[0], torch.exp(-gamma * graph.edge_attr**2)
    score = score.clone()
    for timed_picks in 20, picks:  # the first few are a warm-up
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(timed_picks):
            best = int(score.argmax())
            value = score[best].clone()
            score[best] = -torch.inf
            if not (clamp and value <= 0):
                row = slice(ptr[best], ptr[best + 1])
                score[neighbor[row]] -= weight[row] * value
        torch.cuda.synchronize()
    return time.perf_counter() - started


class Bytes(TorchDispatchMode):
    """Counts the bytes that operations read and write; of gathers and scatters, what they touch."""

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, arguments=(), kwargs=None):
        result = function(*arguments, **(kwargs or {}))
        if not function.is_view:
            tensors = [t for t in flat((arguments, result)) if isinstance(t, torch.Tensor)]
            some = [t.numel() * t.itemsize for t in tensors]
            if "index" in str(function):  # the largest operand is touched at the indexed places alone
                some.remove(max(some))
                some.append(max(some))
            self.total += sum(some)
        return result


def flat(values):
    for value in values if isinstance(values, list | tuple) else [values]:
        if isinstance(value, list | tuple):
            yield from flat(value)
        else:
            yield value


def phases(run):
    """Seconds in the parts of the rounds engine, by the labels it sets."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        run()
    return {
        event.key.removeprefix("d2pyg."): round(event.cpu_time_total / 1e6, 4)
        for event in profiler.key_averages()
        if event.key in PHASES
    }


def measure(name, graph, score, gamma, keep, clamp, engines, device, repeats):
    """A row for each engine, on one graph and setting."""
    nodes, edges = graph.num_nodes, graph.edge_index.shape[1]
    budget = int(keep * nodes)
    prefix = min(PREFIX, budget)
    there, score_there = graph.clone().to(device), torch.as_tensor(score).to(device)
    loops = {"argmax_loop_s": numpy_loop(score, graph, gamma, prefix, clamp) * budget / prefix}
    if device.type == "cuda":
        loop = gpu_loop(score_there, there, gamma, prefix, clamp)
        loops["gpu_argmax_loop_s"] = loop * budget / prefix
    setting = {
        "data": name, "nodes": nodes, "edges": edges, "gamma": gamma, "keep": keep, "clamp": clamp,
        **{key: round(value, 4) for key, value in loops.items()},
    }  # fmt: skip
    picks = []
    for engine in engines:
        if engine == "sequential" and nodes > SEQUENTIAL_UP_TO:
            continue

        def run(engine=engine):
            options = {"gamma_reverse": gamma, "clamp": clamp, "engine": engine}
            return d2pyg.greedy_select(score_there, there, budget, **options)

        memory = peak(run, device)  # compiles and warms up, too
        seconds, coreset = timed(run, device, repeats)
        picks.append(coreset.index.cpu())
        report = coreset.settings["engine_report"]
        row = {**setting, "engine": engine, "seconds": round(seconds, 4)}
        row["ratios"] = {key: round(value / seconds, 1) for key, value in loops.items()}
        row["us_per_pick"] = round(1e6 * seconds / budget, 2)
        row["memory_over_graph"] = round(1 + memory / (24 * edges), 2)
        row["report"] = report
        if engine == "rounds":
            with Bytes() as counted:
                run()
            row["edges_read_over_edges"] = round(report["edges_read"] / edges, 3)
            row["bytes_over_one_pass"] = round(counted.total / (16 * edges + 16 * nodes), 1)
            row["phases_s"] = phases(run)
        yield row
    if not all(p.equal(picks[0]) for p in picks):
        raise SystemExit(f"The picks differ: {setting}")


def table(rows, header, command):
    lines = []
    head = [
        f"{origin(header)}, "
        f"PyG {header['torch_geometric']}, numpy {header['numpy']}, d2pyg {header['d2pyg']}. Loops "
        f"are extrapolated from {PREFIX} picks. Columns: see `benchmarks/select_speed.py`.",
        f"\n    {command}\n",
    ]
    names = (
        "data", "nodes", "edges", "gamma", "keep", "clamp", "argmax loop, s", "engine", "seconds",
        "ratio", "us a pick", "rounds", "to heap", "edges read", "bytes", "memory",
    )  # fmt: skip
    for row in rows:
        report = row["report"]
        rounds = len(report["picks_per_round"]) if row["engine"] == "rounds" else ""
        left = f"{report.get('left_to_heap', 0) / (row['keep'] * row['nodes']):.0%}" if rounds else ""
        loop, ratio = list(row["ratios"].items())[-1]  # of the GPU, where there is one
        lines.append((
            row["data"], row["nodes"], row["edges"], row["gamma"], row["keep"], row["clamp"],
            f"{row[loop]:.3g}", row["engine"], f"{row['seconds']:.3g}", f"{ratio:.3g}",
            row["us_per_pick"], rounds, left, row.get("edges_read_over_edges", ""),
            row.get("bytes_over_one_pass", ""), row["memory_over_graph"],
        ))  # fmt: skip
    return "\n".join([*head, markdown(names, lines)])


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engines", nargs="+", default=["heap", "rounds", "sequential"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    device = torch.device(arguments.device)
    header = machine(device)
    command = f"python benchmarks/select_speed.py --nodes {' '.join(map(str, arguments.nodes))} "
    command += f"--k {arguments.k} --device {device}"
    points, score = clusters(100, np.random.default_rng(0))
    tiny = undirected(neighbors_of(points, 3))
    for engine in arguments.engines:  # compiled and loaded before anything is measured
        d2pyg.greedy_select(score, tiny, 9, engine=engine)
    rows = []
    for nodes in arguments.nodes:
        settings, repeats = GRID, arguments.repeats
        if nodes > GRID_UP_TO:
            settings, repeats = [(0.1, 0.3, False), (1.0, 0.1, True)], 1
        for make in clusters, curve:
            points, score = make(nodes, np.random.default_rng(0))
            graph = undirected(neighbors_of(points, arguments.k))
            for gamma, keep, clamp in settings if make is clusters else [(1.0, 0.3, False)]:
                case = make.__name__, graph, score, gamma, keep, clamp
                for row in measure(*case, arguments.engines, device, repeats):
                    rows.append(row)
                    print(json.dumps(row), flush=True)
                    if arguments.out:
                        content = {**header, "command": command, "k": arguments.k, "rows": rows}
                        write(arguments.out, content, table(rows, header, command))
            del graph
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
