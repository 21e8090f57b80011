"""Times what the command answers without work: help, and an error in the arguments, beside import torch.

Every row is a whole process, from start to exit. The processes of all rows take turns, so that what
else the machine does falls on all of them. Seconds are medians.

    python benchmarks/help_speed.py [--runs 21] [--out OUT]

Results: OUT.json and OUT.md.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from measure import machine, markdown, origin, write

D2PYG = [sys.executable, "-m", "d2pyg"]
ROWS = {
    "d2pyg --help": ([*D2PYG, "--help"], 0),
    "d2pyg select --help": ([*D2PYG, "select", "--help"], 0),
    "d2pyg select x.npy --kep 0.3": ([*D2PYG, "select", "x.npy", "--kep", "0.3"], 2),
    'python -c ""': ([sys.executable, "-c", ""], 0),
    'python -c "import torch"': ([sys.executable, "-c", "import torch"], 0),
    'python -c "import torch_geometric"': ([sys.executable, "-c", "import torch_geometric"], 0),
}


def seconds(command, status):
    """Of one process, which has to end with that status."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    taken = time.perf_counter() - started
    if done.returncode != status:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}, not {status}")
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--out", type=Path, default=Path("help-cpu"))
    arguments = parser.parse_args()
    for row in ROWS.values():
        seconds(*row)  # files into the cache of the system, bytecode beside the source
    measured = {name: [] for name in ROWS}
    for _ in range(arguments.runs):
        for name, row in ROWS.items():
            measured[name].append(seconds(*row))
    head = machine(torch.device("cpu"))
    rows = [
        {
            "process": name,
            "seconds": statistics.median(taken),
            "fastest": min(taken),
            "slowest": max(taken),
        }
        for name, taken in measured.items()
    ]
    names = ("seconds", "fastest", "slowest")
    cells = [[f"`{row['process']}`", *(f"{row[name]:.2f}" for name in names)] for row in rows]
    table = (
        f"{origin(head)}. Medians of {arguments.runs} runs that took turns. Columns: see "
        f"`benchmarks/help_speed.py`.\n\n    python benchmarks/help_speed.py --runs {arguments.runs}\n\n"
    )
    table += markdown(["process", *names], cells)
    write(arguments.out, {**head, "runs": arguments.runs, "rows": rows}, table)
    print(table, end="")


if __name__ == "__main__":
    main()
