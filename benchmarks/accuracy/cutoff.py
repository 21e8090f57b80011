"""How many of the hardest samples to drop, from training dynamics alone: two rules, on flipped labels.

    D2PYG_DATA=FOLDER python -m benchmarks.accuracy.cutoff --out benchmarks/results/accuracy/cutoff

For each task and share of flipped labels: what share a rule drops, how many of those were flipped, and
how many of the flipped ones it drops.
"""

import argparse
from pathlib import Path

import torch
from sklearn.mixture import GaussianMixture

from benchmarks.accuracy.prepare import prepare
from benchmarks.accuracy.splits import flip
from benchmarks.accuracy.tasks import QUICK
from benchmarks.measure import machine, markdown, origin, write


def negative(margin):
    """Samples that the network took for another class, on the mean of its epochs."""
    return margin < 0


def mixture(margin):
    """Samples of the lower of two normal distributions that are fitted to the margins."""
    found = GaussianMixture(2, random_state=0).fit(margin[:, None].numpy())
    lower = int(found.means_.argmin())
    return torch.from_numpy(found.predict(margin[:, None].numpy()) == lower)


RULES = {"negative margin": negative, "mixture": mixture}


def main(argv=None):
    """Measures both rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=QUICK, default=list(QUICK))
    parser.add_argument("--flip", nargs="+", type=float, default=[0.0, 0.1, 0.2])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, required=True, help="OUT.json and OUT.md are written")
    arguments = parser.parse_args(argv)
    rows = [
        row
        for name in arguments.tasks
        for share in arguments.flip
        for row in measure(QUICK[name], share, arguments.device)
    ]
    head = machine(torch.device(arguments.device))
    write(arguments.out, {**head, "rows": rows}, table(head, rows))
    print(table(head, rows))


def measure(task, share, device):
    """A row for each rule."""
    split = task.load()
    wrong = torch.zeros(len(split.train_y), dtype=torch.bool)
    if share:
        labels = flip(split.train_y, share)
        wrong, split = labels != split.train_y, split._replace(train_y=labels)
    margin = prepare(task, split, device).scores["aum_raw"]
    rows = []
    for name, rule in RULES.items():
        dropped = rule(margin)
        both = int((dropped & wrong).sum())
        rows.append(
            {
                "task": task.name,
                "flipped": share,
                "rule": name,
                "dropped": dropped.double().mean().item(),
                "of these flipped": both / max(1, int(dropped.sum())),
                "of the flipped dropped": both / max(1, int(wrong.sum())) if share else None,
            }
        )
    return rows


def table(head, rows):
    """As Markdown."""
    shown = [
        [
            value if isinstance(value, str) else "" if value is None else f"{100 * value:.1f}"
            for value in row.values()
        ]
        for row in rows
    ]
    where = f"{origin(head)}; `python -m benchmarks.accuracy.cutoff`. Shares in %."
    return f"{where}\n\n{markdown(rows[0], shown)}"


if __name__ == "__main__":
    main()
