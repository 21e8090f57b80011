"""python -m benchmarks.accuracy TASK: train on coresets, and write the table."""

import argparse
import json
from pathlib import Path

import torch

from benchmarks.accuracy.cells import Cells
from benchmarks.accuracy.data import cache
from benchmarks.accuracy.harness import Study
from benchmarks.accuracy.methods import ROWS
from benchmarks.accuracy.report import content, paired, summary, write
from benchmarks.accuracy.tasks import TASKS
from benchmarks.accuracy.tune import CANDIDATES, read_tuned, tune, tuned_file
from benchmarks.measure import beside

RESULTS = Path(__file__).parents[1] / "results" / "accuracy"


def main(argv=None):
    """Runs what is not finished, and writes table, figure and JSON."""
    options = _options().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    task = TASKS[options.task]
    out = options.out or RESULTS / options.task
    if options.candidates and len(options.tune or ()) != 1:
        raise SystemExit(
            f"Expected --candidates with one method to --tune (got {options.tune}). Name the one."
        )
    tuned = read_tuned(out.parent, task)
    study = Study(
        task,
        Cells(options.cells or cache() / "accuracy" / f"{task.name}.jsonl"),
        evaluate="validation" if options.tune else options.evaluate,
        flipped=options.flip,
        device=options.device,
        tuned=tuned,
        progress=True,
    )
    rates, seeds = [percent / 100 for percent in options.prune], range(1, options.seeds + 1)
    if options.tune:
        for name in options.tune:
            found = tune(study, name, rates, seeds, options.candidates)
            tuned[f"{name}-tuned"] = {**tuned.get(f"{name}-tuned", {}), **found}
            print(name, json.dumps(found, indent=1))
        tuned_file(out.parent, task).write_text(json.dumps(tuned, indent=1, sort_keys=True) + "\n")
        return
    rows = summary(study.run(options.methods, rates, seeds))
    result = content(study, rows, study.prepared.seconds)
    write(result, out, options.paired)
    print(beside(out, ".md").read_text())
    if options.require:
        _require(rows, *options.require)


def _require(rows, one, other):
    """Fails if a method is worse than another at any rate, beyond three standard errors."""
    short = {
        rate: difference
        for rate, (difference, error, _) in paired(rows, one, other).items()
        if difference < -3 * error
    }
    if short:
        raise SystemExit(f"Expected {one} to be no worse than {other} (got differences {short}).")


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    add = parser.add_argument
    add("task", choices=TASKS)
    add("--methods", nargs="+", default=list(ROWS), help="rows, such as d2 or 'd2 k=10 clamp=true'")
    add("--prune", nargs="+", type=float, default=[30, 50, 70, 80, 90], help="percentages")
    add("--seeds", type=int, default=5, help="trainings of each")
    add("--evaluate", choices=("test", "validation"), default="test")
    add("--flip", type=float, default=0.0, help="share of training labels that are made wrong")
    add(
        "--tune",
        nargs="+",
        choices=CANDIDATES,
        help="find the best settings on validation, write TASK-tuned.json",
    )
    add("--candidates", nargs="+", help="rows that --tune tries of one method; default: see tune.py")
    add(
        "--paired", nargs=2, action="append", default=[], metavar="METHOD", help="show their differences"
    )
    add(
        "--require", nargs=2, metavar="METHOD", help="fail if the first is clearly worse than the second"
    )
    add("--device", default="cpu")
    add("--threads", type=int, help="of torch")
    add("--out", type=Path, help="without suffix; default benchmarks/results/accuracy/TASK")
    add("--cells", type=Path, help="file of finished trainings; default in the cache folder")
    return parser


if __name__ == "__main__":
    main()
