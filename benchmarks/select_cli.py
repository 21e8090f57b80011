"""Times `d2pyg select` as a whole process: 50,000 x 128 float16, k 5, 30% kept.

Made data, with scores and labels and without. Prints seconds and peak memory, medians of some runs.

    python benchmarks/select_cli.py [--runs 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def make_files(folder):
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 100, 50_000)
    x = rng.normal(size=(100, 128))[cluster] + rng.normal(0, 0.7, (50_000, 128))
    np.save(folder / "x.npy", x.astype(np.float16))
    np.save(folder / "s.npy", rng.lognormal(size=50_000).astype(np.float32))
    np.save(folder / "y.npy", cluster % 10)


def run(folder, arguments):
    """Wall seconds and peak memory in GB of one process."""
    command = [sys.executable, "-m", "d2pyg", "select", "x.npy", "--keep", "0.3", "--k", "5"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", "out.npz", *arguments], cwd=folder, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"d2pyg select {' '.join(arguments)} failed")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        for arguments in [], ["--scores", "s.npy", "--labels", "y.npy"]:
            measured = [run(folder, arguments) for _ in range(runs)]
            seconds, memory = (statistics.median(column) for column in zip(*measured, strict=True))
            print(f"{' '.join(arguments) or '(embeddings alone)':<32}{seconds:6.1f} s {memory:6.2f} GB")


if __name__ == "__main__":
    main()
