"""How hard the samples are that a method keeps, by pruning rate: the paper's observation, seen or not.

    D2PYG_DATA=FOLDER python -m benchmarks.accuracy.hardness --out benchmarks/results/accuracy/hardness

Shares, in %, of the hardest and of the easiest third (by mean margin) among the samples kept.
Nothing is trained but the network that scores.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.accuracy import methods
from benchmarks.accuracy.prepare import prepare
from benchmarks.accuracy.tasks import QUICK
from benchmarks.measure import machine, markdown, origin, write

ROWS = ("borderline", "d2", "d2-auto", "d2-aum", "d2-aum-margin", "d2-published", "d2-free")
RATES = (0.3, 0.5, 0.7, 0.8, 0.9)


def main(argv=None):
    """Selects and counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=QUICK, default=list(QUICK))
    parser.add_argument("--methods", nargs="+", default=list(ROWS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="OUT.json and OUT.md are written")
    arguments = parser.parse_args(argv)
    rows = [
        {"task": task, "method": name, **count(prepared, name, arguments.device)}
        for task in arguments.tasks
        for prepared in [prepare(QUICK[task], QUICK[task].load(), arguments.device)]
        for name in arguments.methods
    ]
    head = machine(torch.device(arguments.device))
    write(arguments.out, {**head, "rows": rows}, table(head, rows))
    print(table(head, rows))


def count(prepared, name, device="cpu"):
    """Shares of the hardest and easiest thirds among what a row keeps, by rate: {rate: (hard, easy)}."""
    row, total = methods.parse(name), len(prepared.labels)
    order = prepared.scores["aum"].argsort(descending=True, stable=True)
    third = torch.empty(total, dtype=torch.int64)
    third[order] = torch.arange(total) * 3 // total
    found = {}
    for rate in RATES:
        index, _ = methods.select(row, prepared, rate, seed=1, device=device)
        share = third[index].bincount(minlength=3) / len(index)
        found[f"{rate:.0%}"] = (share[0].item(), share[2].item())
    return found


def table(head, rows):
    """As Markdown."""
    rates = [f"{rate:.0%}" for rate in RATES]
    shown = [
        [
            row["task"],
            row["method"],
            *(f"{100 * row[rate][0]:.0f}, {100 * row[rate][1]:.0f}" for rate in rates),
        ]
        for row in rows
    ]
    where = (
        f"{origin(head)}; `python -m benchmarks.accuracy.hardness`. Shares, in %, of the hardest third "
        f"of all samples, and of the easiest third, among those kept, by share pruned."
    )
    return f"{where}\n\n{markdown(['task', 'method', *rates], shown)}"


if __name__ == "__main__":
    main()
