"""How much of a difference between two methods may be chance in the choice of the test samples.

    python -m benchmarks.accuracy.sampling cifar10-head --methods d2 dual-beta \\
        --out benchmarks/results/accuracy/cifar10-head-sampling

Two networks a seed are trained, one on each method's coreset. Of each test sample, the difference is the
share of seeds with which the first method gets it right, less that of the second. The table has the mean
of these, its standard error over test samples, and over seeds, as in the other tables: networks of all
seeds answer the same test samples, so that the latter does not tell how other ones would have come out.
"""

import argparse
import shlex
import sys
from pathlib import Path

import torch

from benchmarks.accuracy import methods
from benchmarks.accuracy.harness import Study
from benchmarks.accuracy.tasks import TASKS
from benchmarks.accuracy.tune import read_tuned
from benchmarks.measure import machine, markdown, origin, write


def main(argv=None):
    """Trains, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("task", choices=TASKS)
    add("--methods", nargs=2, required=True, help="the first less the second")
    add("--prune", nargs="+", type=float, default=[30, 50, 70, 80, 90], help="percentages")
    add("--seeds", type=int, default=5, help="trainings of each")
    add("--evaluate", choices=("test", "validation"), default="test")
    add("--device", default="cpu")
    add("--out", type=Path, required=True, help="OUT.json and OUT.md are written")
    asked = parser.parse_args(argv)
    if asked.seeds < 2:
        parser.error(f"--seeds has to be at least 2, for their standard error (got {asked.seeds})")
    task = TASKS[asked.task]
    tuned = read_tuned(asked.out.parent, task)
    study = Study(task, None, evaluate=asked.evaluate, device=asked.device, tuned=tuned)
    rows = []
    for percent in asked.prune:
        one, other = (
            answers(study, name, percent / 100, range(1, asked.seeds + 1)) for name in asked.methods
        )
        rows.append({"prune": percent / 100, **difference(one, other)})
    head = {
        "command": "python -m benchmarks.accuracy.sampling " + shlex.join(argv or sys.argv[1:]),
        **machine(study.device), "task": asked.task, "methods": asked.methods, "seeds": asked.seeds,
        "evaluate": asked.evaluate, "test_samples": len(study.split.test_y),
    }  # fmt: skip
    write(asked.out, {**head, "rows": rows}, table(head, rows))
    print(table(head, rows))


def answers(study, name, prune, seeds):
    """Which test samples networks trained on the method's coresets get right: bool [seeds, test]."""
    row = study.row(name, prune)
    drawn = seeds if methods.is_seeded(row) else seeds[:1]  # else it is the same for all
    chosen = [methods.select(row, study.prepared, prune, seed, study.device)[0] for seed in drawn]
    members = [(chosen[min(i, len(chosen) - 1)], seed) for i, seed in enumerate(seeds)]
    return torch.stack(list(study.task.answers(study.split, members, study.device)))


def difference(one, other):
    """Of bool [S, M] each: mean in %, and its standard errors over M and over S."""
    gap = 100 * (one.double() - other.double())
    return {
        "mean": gap.mean().item(),
        "over samples": (gap.mean(dim=0).std() / gap.shape[1] ** 0.5).item(),
        "over seeds": (gap.mean(dim=1).std() / gap.shape[0] ** 0.5).item(),
    }


def table(head, rows):
    """As Markdown."""
    one, other = head["methods"]
    lines = markdown(
        ["pruned", f"{one} less {other}", "standard error over test samples", "over seeds"],
        [
            [
                f"{row['prune']:.0%}",
                f"{row['mean']:+.2f}",
                f"{row['over samples']:.2f}",
                f"{row['over seeds']:.2f}",
            ]
            for row in rows
        ],
    )
    return (
        f"{head['task']}, {head['test_samples']} {head['evaluate']} samples, {head['seeds']} seeds; "
        f"differences of accuracies in %. {origin(head)}; `{head['command']}`.\n\n{lines}"
    )


if __name__ == "__main__":
    main()
