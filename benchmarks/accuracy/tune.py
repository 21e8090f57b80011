"""The best settings of a method at each pruning rate, on the validation part."""

import itertools
import json

from benchmarks.accuracy.report import summary

GRIDS = {
    "d2": {
        "cutoff": [0, 0.1, 0.2, 0.3, 0.4],
        "gamma_reverse": [0, 0.1, 1],
        "k": [5, 15],
        "clamp": [False, True],
    },
    "ccs": {"cutoff": [0, 0.1, 0.2, 0.3, 0.4, 0.5]},
    "window": {"start": [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
    "dual-beta": {"c_d": [1, 2, 4, 5.5, 11]},
    "d2-free": {"gamma_reverse": [0, 0.1, 1], "k": [5, 15], "clamp": [False, True]},
}


def candidates(name, grid=None):
    """Every combination of a grid, as rows are written."""
    grid = GRIDS[name] if grid is None else grid
    return [
        " ".join(
            [name, *(f"{key}={json.dumps(value)}" for key, value in zip(grid, values, strict=True))]
        )
        for values in itertools.product(*grid.values())
    ]


def tune(study, name, rates, seeds, grid=None):
    """The settings with the best mean accuracy at each rate: {rate: row}, ties to the first.

    Args:
        study: A :class:`benchmarks.accuracy.harness.Study` on the validation part.
        name: A method with a grid in :data:`GRIDS`, or any with ``grid``.
        rates: Fractions pruned.
        seeds: Seeds of training.
        grid: {setting: values}.
    """
    if study.evaluate != "validation":
        raise ValueError(
            f"Expected a study on 'validation' (got {study.evaluate!r}). Never tune on the test set."
        )
    rows = summary(study.run(candidates(name, grid), rates, seeds))
    best = {}
    for row in rows:
        rate = f"{row['prune']:g}"
        if rate not in best or row["mean"] > best[rate]["mean"]:
            best[rate] = row
    return {rate: row["name"] for rate, row in best.items()}
