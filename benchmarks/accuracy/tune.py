"""The best settings of a method at each pruning rate, on the validation part."""

import json

from benchmarks.accuracy.report import summary

# What is tried: the defaults first, which win ties, then one setting at a time.
CANDIDATES = {
    "d2": [
        "d2",
        "d2 gamma_reverse=0.1",
        "d2 gamma_reverse=1",
        "d2 gamma_reverse=10",
        "d2 k=1",
        "d2 k=5",
        "d2 update=none",
        "d2 gamma_forward=1",
        "d2 clamp=true",
        "d2 kernel=laplacian",
        "d2 scale=null",
        "d2 classes=false",
        "d2 flow=target_to_source",
        "d2-auto",
        "d2-aum",
        "d2-aum-margin",
        "d2 score=el2n",
        "d2 score=dual",
        "d2 score=variance",
        "d2 score=forgetting",
    ],
    "ccs": ["ccs-margin", *(f"ccs cutoff={share}" for share in (0, 0.1, 0.2, 0.3, 0.4))],
    "dual-beta": [f"dual-beta c_d={value:g}" for value in (4, 1, 2, 5.5, 11)],
    "d2-free": ["d2-free", "d2-free gamma_reverse=1", "d2-free k=5", "d2-prototypicality-free"],
}


def tune(study, name, rates, seeds, candidates=None):
    """The row with the best mean accuracy at each rate: {rate: row}, ties to the first.

    Args:
        study: A :class:`benchmarks.accuracy.harness.Study` on the validation part.
        name: A method in :data:`CANDIDATES`, or any with ``candidates``.
        rates: Fractions pruned.
        seeds: Seeds of training.
        candidates: Rows.
    """
    if study.evaluate != "validation":
        raise ValueError(
            f"Expected a study on 'validation' (got {study.evaluate!r}). Never tune on the test set."
        )
    rows = summary(study.run(candidates or CANDIDATES[name], rates, seeds))
    best = {}
    for row in rows:
        rate = f"{row['prune']:g}"
        if rate not in best or row["mean"] > best[rate]["mean"]:
            best[rate] = row
    return {rate: row["name"] for rate, row in best.items()}


def tuned_file(folder, task):
    """Where the settings that were found for a task are kept."""
    return folder / f"{task.name}-tuned.json"


def read_tuned(folder, task):
    """The rows found for a task, by name and rate; none if it was not tuned."""
    path = tuned_file(folder, task)
    return json.loads(path.read_text()) if path.exists() else {}


def nearest(tuned, prune):
    """The row that was tuned at the rate next to this one; between two, the higher."""
    return tuned[min(tuned, key=lambda rate: (round(abs(float(rate) - prune), 6), -float(rate)))]
