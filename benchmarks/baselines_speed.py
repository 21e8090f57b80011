"""Times every method of selection on the same made data.

Embeddings are Gaussian clusters, float32; scores are log-normal, confidences uniform. Seconds are of one
run after a tiny one that compiles; memory is what the run needed beyond its input at its peak, in a
process of its own.

    python benchmarks/baselines_speed.py --out baselines-cpu
    python benchmarks/baselines_speed.py --device cuda --out baselines-cuda

Writes JSON and a Markdown table beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

import d2pyg
from d2pyg import register  # noqa: F401  # with it all names are registered
from d2pyg._base.registry import choices, look_up

from measure import machine, markdown, origin, peak, write

d2pyg.select  # noqa: B018  # the first name asked for registers all methods


def made(nodes, dim, device):
    generator = torch.Generator().manual_seed(0)
    center = torch.randn(max(1, nodes // 500), dim, generator=generator)
    which = torch.randint(len(center), (nodes,), generator=generator)
    x = center[which] + torch.randn(nodes, dim, generator=generator)
    scores, confidence = torch.randn(nodes, generator=generator).exp(), which / len(center)
    return x.to(device), scores.to(device), confidence.to(device)


def measure(name, nodes, dim, keep, device):
    """A row, from one run."""
    run = look_up("method", name)

    def select(nodes):
        x, scores, confidence = made(nodes, dim, device)
        more = {"confidence": confidence} if name == "dual" else {}
        return lambda: run(x, scores, keep=keep, **more)

    select(200)()
    whole = select(nodes)
    found = []

    def timed():
        started = time.perf_counter()
        found.append(whole())
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - started)

    memory = peak(timed, device)
    coreset, seconds = found
    return {
        "method": name, "nodes": nodes, "dim": dim, "picks": len(coreset),
        "seconds": round(seconds, 3), "memory_GB": round(memory / 1e9, 3),
    }  # fmt: skip


def table(rows, header, command):
    lines = [
        f"{origin(header)}, "
        f"PyG {header['torch_geometric']}, d2pyg {header['d2pyg']}; load of the machine before the run, "
        f"per core: {header['load']}. Memory: beyond the input, at the peak.",
        f"\n    {command}\n",
        markdown(["method", "N", "d", "picks", "seconds", "memory, GB"], [row.values() for row in rows]),
    ]
    return "\n".join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--keep", type=float, default=0.3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--methods", nargs="+", default=choices("method"))
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a method, measured in this process
    arguments = parser.parse_args(argv)
    device = torch.device(arguments.device)
    setting = (
        f"--nodes {arguments.nodes} --dim {arguments.dim} --keep {arguments.keep} --device {device}"
    )
    if arguments.one:
        row = measure(arguments.one, arguments.nodes, arguments.dim, arguments.keep, device)
        print(json.dumps(row))
        return
    header = {**machine(device), "load": round(os.getloadavg()[0] / os.cpu_count(), 1)}
    command = f"python benchmarks/baselines_speed.py {setting}"
    root = str(Path(d2pyg.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    rows = []
    for method in arguments.methods:
        done = subprocess.run(
            [sys.executable, __file__, *setting.split(), "--one", method],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(done.stdout, end="", flush=True)
        if arguments.out:
            content = {**header, "command": command, "rows": rows}
            write(arguments.out, content, table(rows, header, command))
    print(table(rows, header, command))


if __name__ == "__main__":
    main()
