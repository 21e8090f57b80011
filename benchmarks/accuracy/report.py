"""Tables, figures and files of finished trainings."""

import json
import shlex
import sys

import numpy as np

from benchmarks.measure import beside, machine, markdown, origin
from d2pyg._base.extras import require

MARKERS = "osv^D<>Pp*hX"


def summary(results):
    """A row for each name and pruning rate, of results as :meth:`Study.run` gives them.

    Each has the accuracies by seed, their mean and its standard error (NaN for one seed).
    """
    rows = {}
    for result in results:
        cell = result["cell"]
        row = rows.setdefault(
            (result["name"], cell["prune"]),
            {
                "name": result["name"],
                "prune": cell["prune"],
                "row": {key: cell[key] for key in ("method", "score", "embeddings", "classes")},
                "settings": result["got"],
                "kept": result["kept"],
                "selection_seconds": [],
                "accuracy": {},
            },
        )
        row["accuracy"][str(cell["seed"])] = result["accuracy"]
        row["selection_seconds"].append(result["selection_seconds"])
    for row in rows.values():
        row["selection_seconds"] = float(np.median(row["selection_seconds"]))
        row["mean"], row["standard_error"] = _mean(list(row["accuracy"].values()))
    return list(rows.values())


def paired(rows, one, other):
    """How much better `one` is than `other`, seed by seed: {rate: (mean, standard error, seeds)}."""
    found = {}
    here = {(row["name"], row["prune"]): row["accuracy"] for row in rows}
    for (name, prune), accuracy in here.items():
        if name != one or (other, prune) not in here:
            continue
        both = [seed for seed in accuracy if seed in here[other, prune]]
        found[prune] = (*_mean([accuracy[s] - here[other, prune][s] for s in both]), len(both))
    if not found:
        raise SystemExit(f"Expected results of {one} and {other} at one rate (got none). Run both.")
    return found


def content(study, rows, seconds):
    """All that is needed to repeat it, and the rows."""
    return {
        "command": "python -m benchmarks.accuracy " + shlex.join(sys.argv[1:]),
        **machine(study.device),
        "task": study.task.name,
        "note": study.task.note,
        "data": study.fingerprint,
        "recipe": {**vars(study.task.recipe)},
        "evaluate": study.evaluate,
        "flipped": study.flipped,
        "preparation_seconds": round(seconds, 1),
        "rows": rows,
    }


def table(result, pairs=()):
    """Markdown: accuracies by pruning rate, and differences of pairs."""
    rows = result["rows"]
    rates = sorted({row["prune"] for row in rows if row["name"] != "everything"})
    seeds = max(len(row["accuracy"]) for row in rows)
    wrong = f" {result['flipped']:.0%} of the training labels are wrong." if result["flipped"] else ""
    where = (
        "test set" if result["evaluate"] == "test" else "validation set, held out of the training set,"
    )
    lines = [
        f"{result['note']}{wrong}",
        "",
        f"Accuracy on the {where} in %, by share pruned; mean ± standard error of {seeds} trainings. "
        f"All trainings take the same number of steps. The last column is the median time of one "
        f"selection. Scores and embeddings took {result['preparation_seconds']:.0f} s once, for one "
        f"training on everything.",
        "",
        f"({origin(result)}, d2pyg {result['d2pyg']}; `{result['command']}`)",
        "",
    ]
    shown = []
    for name in dict.fromkeys(row["name"] for row in rows):
        own = {row["prune"]: row for row in rows if row["name"] == name}
        if name == "everything":
            cells = [_value(own[0.0])] * len(rates)
        else:
            cells = [_value(own[rate]) if rate in own else "" for rate in rates]
        seconds = np.median([row["selection_seconds"] for row in own.values()])
        shown.append([name, *cells, f"{seconds:.1f} s"])
    lines.append(markdown(["method", *(f"{rate:.0%}" for rate in rates), "selection"], shown))
    for one, other in pairs:
        difference = paired(rows, one, other)
        values = [
            f"{mean:+.2f} ± {error:.2f} at {rate:.0%}"
            for rate, (mean, error, _) in sorted(difference.items())
        ]
        lines.append(f"{one} minus {other}, paired by seed: {', '.join(values)}.\n")
    return "\n".join(lines)


def figure(result, path):
    """Accuracy over the share pruned, a line a method; label-free methods beside the others."""
    matplotlib = require("matplotlib", "matplotlib")
    matplotlib.use("Agg")
    plot = require("matplotlib.pyplot", "matplotlib")
    rows = [row for row in result["rows"] if row["name"] != "everything"]
    sides = [
        (title, [row for row in rows if (row["row"]["embeddings"] == "free") == free])
        for title, free in (("scores and embeddings of a training run", False), ("label-free", True))
    ]
    sides = [(title, own) for title, own in sides if own]
    size = (1 + 4.5 * len(sides), 4.5)  # text stays readable on a page of 700 pixels
    drawn, axes = plot.subplots(1, len(sides), figsize=size, sharey=True, squeeze=False, layout="tight")
    for ax, (title, own) in zip(axes[0], sides, strict=True):
        for row in result["rows"]:
            if row["name"] == "everything":
                ax.axhline(row["mean"], color="black", linestyle=":", label="everything")
        for i, name in enumerate(dict.fromkeys(row["name"] for row in own)):
            _line(ax, name, [row for row in own if row["name"] == name], f"C{i % 10}", MARKERS[i % 12])
        ax.set_title(title)
        ax.set_xlabel("share pruned, %")
        ax.legend(fontsize=7, loc="lower left")
    means = [row["mean"] for row in rows]
    axes[0, 0].set_ylim(max(min(means), np.quantile(means, 0.1) - 3) - 1, max(means) + 1)
    axes[0, 0].set_ylabel("accuracy, %")
    drawn.savefig(path, dpi=150)
    plot.close(drawn)


def _line(ax, name, rows, color, marker):
    rows = sorted(rows, key=lambda row: row["prune"])
    ax.errorbar(
        [100 * row["prune"] for row in rows],
        [row["mean"] for row in rows],
        [row["standard_error"] for row in rows],
        label=name,
        color=color,
        marker=marker,
        linewidth=2.5 if name.startswith("d2") else 0.8,
    )


def write(result, out, pairs=()):
    """OUT.json, OUT.md and OUT.png."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside(out, ".json").write_text(json.dumps(result, indent=1) + "\n")
    beside(out, ".md").write_text(table(result, pairs))
    figure(result, beside(out, ".png"))


def _mean(values):
    spread = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return float(np.mean(values)), float(spread)


def _value(row):
    return f"{row['mean']:.1f} ± {row['standard_error']:.1f}"
