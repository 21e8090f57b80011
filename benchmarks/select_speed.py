"""Times the selection engines against the per-pick argmax loop, side by side in one run.

Graphs are k-d tree neighbours of points in three-dimensional clusters, made undirected, distances
divided by their median; scores are log-normal. `curve` is ordered data, points along a smooth curve
with smooth scores, where rounds make long chains. The argmax loop (numpy, one argmax over all samples
for every pick, without the grid) is timed on its first picks and extrapolated. That the engines'
picks are equal is checked.

    python benchmarks/select_speed.py --nodes 10000 100000 1000000 [--device cuda] [--out results.json]

Writes JSON, and prints a Markdown table.
"""

import argparse
import json
import os
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch_geometric.data import Data

import d2pyg
from d2pyg.coreset import versions
from d2pyg.graph.edges import both_directions, edges_of, median_distance

PREFIX = 200  # picks of the argmax loop that are timed


def clusters(nodes, k, rng):
    """Points around centres, and scores of a heavy tail."""
    centre = rng.normal(size=(max(1, nodes // 500), 3))
    points = centre[rng.integers(0, len(centre), nodes)] + 0.05 * rng.normal(size=(nodes, 3))
    return graph_of(points, k), rng.lognormal(size=nodes)


def curve(nodes, k, rng):
    """Points in order along a curve, with scores that vary slowly along it."""
    at = np.linspace(0, 20 * np.pi, nodes)
    points = np.stack([np.cos(at), np.sin(at), 0.1 * at], axis=1)
    return graph_of(points, k), 2 + np.sin(at / 3)


def graph_of(points, k):
    distance, neighbour = cKDTree(points).query(points, k + 1, workers=-1)
    source = torch.as_tensor(neighbour[:, 1:].reshape(-1))
    target = torch.arange(len(points)).repeat_interleave(k)
    keep = source != target  # where points coincide, the first neighbour may not be the point itself
    graph = Data(
        edge_index=torch.stack([source, target])[:, keep],
        edge_attr=torch.as_tensor(distance[:, 1:].reshape(-1))[keep],
        num_nodes=len(points),
    )
    edges = both_directions(edges_of(graph))
    graph.edge_index, graph.edge_attr = edges.edge_index, edges.distance / median_distance(edges)
    return graph


def argmax_loop(score, graph, gamma, picks, clamp):
    """Seconds for ``picks`` picks, one argmax over all samples each."""
    target = graph.edge_index[1].numpy()
    ptr = np.searchsorted(target, np.arange(graph.num_nodes + 1))
    neighbour = graph.edge_index[0].numpy()
    weight = np.exp(-gamma * graph.edge_attr.numpy() ** 2)
    score = score.copy()
    started = time.perf_counter()
    for _ in range(picks):
        best = int(score.argmax())
        value = score[best]
        score[best] = -np.inf
        if not (clamp and value <= 0):
            row = slice(ptr[best], ptr[best + 1])
            score[neighbour[row]] -= weight[row] * value
    return time.perf_counter() - started


def timed(run, device):
    run()  # warm-up: compilation, caches
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        result = run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)), result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--engines", nargs="+", default=["heap", "rounds"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    rows = []
    print("| data | nodes | edges | kept | gamma | clamp | argmax loop | engine | seconds | ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for nodes in arguments.nodes:
        for make in clusters, curve:
            graph, score = make(nodes, arguments.k, np.random.default_rng(0))
            there, score_there = graph.clone().to(device), torch.as_tensor(score).to(device)
            for gamma, keep, clamp in [(0.1, 0.3, False), (1.0, 0.3, False), (1.0, 0.1, True)]:
                budget = int(keep * nodes)
                prefix = argmax_loop(score, graph, gamma, min(PREFIX, budget), clamp)
                loop = prefix * budget / min(PREFIX, budget)
                picks = []
                for engine in arguments.engines:
                    options = {"gamma_reverse": gamma, "clamp": clamp, "engine": engine}
                    seconds, coreset = timed(
                        lambda g=there, s=score_there, b=budget, o=options: d2pyg.greedy_select(
                            s, g, b, **o
                        ),
                        device,
                    )
                    picks.append(coreset.index.cpu())
                    row = {
                        "data": make.__name__, "nodes": nodes, "edges": graph.edge_index.shape[1],
                        "kept": budget, "gamma": gamma, "clamp": clamp,
                        "argmax_loop_extrapolated_s": round(loop, 3), "engine": engine,
                        "seconds": round(seconds, 4), "ratio": round(loop / seconds, 1),
                    }  # fmt: skip
                    rows.append(row)
                    print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
                if not all(p.equal(picks[0]) for p in picks):
                    raise SystemExit(f"The picks differ: {make.__name__} {nodes} {gamma} {keep} {clamp}")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    header = {"date": str(date.today()), "device": name, "cores": os.cpu_count(), **versions()}
    print(f"\n{json.dumps(header)}")
    if arguments.out:
        arguments.out.write_text(json.dumps({**header, "k": arguments.k, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
