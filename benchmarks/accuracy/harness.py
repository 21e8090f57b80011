"""The grid: methods, pruning rates and seeds. What is finished is not run again."""

import json
import time
from dataclasses import asdict, fields, replace

import torch
from tqdm import tqdm

import d2pyg
from benchmarks.accuracy import methods
from benchmarks.accuracy.prepare import digest, prepare
from benchmarks.accuracy.splits import flip
from benchmarks.accuracy.tune import nearest


class Study:
    """A task with what is held out and flipped, and its finished trainings.

    Args:
        task: One of the tasks in this folder.
        cells: A :class:`benchmarks.accuracy.cells.Cells`, which :meth:`run` needs.
        evaluate: ``"test"``, or ``"validation"``: samples held out of the training set before all else.
        flipped: Share of the training labels that are made wrong; those evaluated on stay as they are.
        device: Where networks are trained and samples selected.
        tuned: Settings found on the validation part: rows by name and pruning rate.
        progress: Show bars.
    """

    def __init__(
        self, task, cells, *, evaluate="test", flipped=0.0, device="cpu", tuned=None, progress=False
    ):
        self.task, self.cells, self.evaluate, self.flipped = task, cells, evaluate, flipped
        self.device, self.tuned, self.progress = torch.device(device), tuned or {}, progress
        split = task.load() if evaluate == "test" else task.validation()
        if flipped:
            split = split._replace(train_y=flip(split.train_y, flipped))
        self.split = split
        self.fingerprint = digest(*split)
        self._prepared = None

    @property
    def prepared(self):
        """Scores and embeddings, made when first needed."""
        if self._prepared is None:
            self._prepared = prepare(self.task, self.split, self.device)
        return self._prepared

    def row(self, name, prune):
        """What a name stands for at a pruning rate; tuned ones have settings of the nearest rate."""
        if not name.endswith("-tuned"):
            return methods.parse(name)
        if name not in self.tuned:
            raise SystemExit(f"Expected settings of {name} (got none). Find them with --tune first.")
        return methods.parse(nearest(self.tuned[name], prune))

    def run(self, names, rates, seeds):
        """The results of names x rates x seeds, finished before or now: a list of dicts.

        Args:
            names: Rows as :func:`benchmarks.accuracy.methods.parse` reads them, or tuned ones.
            rates: Fractions pruned; ``everything`` has 0 alone.
            seeds: Seeds of training, and of methods that draw.
        """
        found = []
        for name in names:
            grid = [
                (prune, seed) for prune in ([0.0] if name == "everything" else rates) for seed in seeds
            ]
            cells = [self._cell(self.row(name, prune), prune, seed) for prune, seed in grid]
            self._finish(name, [cell for cell in cells if self.cells.get(cell) is None])
            found += [{"name": name, **self.cells.get(cell)} for cell in cells]
        return found

    def _cell(self, row, prune, seed):
        """All that decides the result of a training."""
        return {
            "task": self.task.name,
            "recipe": asdict(self.task.recipe),
            "data": self.fingerprint,
            "evaluate": self.evaluate,
            "flipped": self.flipped,
            **asdict(row),
            "d2pyg": d2pyg.__version__,
            "device": self.device.type,
            "prune": prune,
            "seed": seed,
        }

    def _finish(self, name, cells):
        """Selects and trains for the cells of a method, and keeps each result when it is there."""
        if not cells:
            return
        self._select(cells[0])  # what is compiled on the way is not timed
        chosen, members = {}, []
        for cell in sorted(cells, key=lambda cell: cell["prune"]):
            chosen.setdefault(self._choice(cell), cell)  # the least is pruned first
        chosen = {choice: self._select(cell) for choice, cell in chosen.items()}
        for cell in cells:
            kept = d2pyg.selection.budget.num_kept(len(self.prepared.labels), None, cell["prune"], None)
            members.append((chosen[self._choice(cell)]["index"][:kept], cell["seed"]))
        trained = self.task.answers(self.split, members, self.device)
        bar = tqdm(cells, desc=name, unit="training", disable=not self.progress)
        for cell, right, (index, _) in zip(bar, trained, members, strict=True):
            found = chosen[self._choice(cell)]
            self.cells.add(
                cell,
                accuracy=100 * right.double().mean().item(),
                kept=len(index),
                got=found["settings"],
                selection_seconds=round(found["seconds"], 3),
            )

    def _select(self, cell):
        prepared, started = self.prepared, time.perf_counter()
        index, settings = methods.select(_row(cell), prepared, cell["prune"], cell["seed"], self.device)
        return {"index": index, "settings": settings, "seconds": time.perf_counter() - started}

    def _choice(self, cell):
        """What a coreset depends on; where budgets nest, one serves all rates.

        The rows of a tuned method differ from rate to rate, in their scores as in their settings.
        """
        row, prune = _row(cell), cell["prune"]
        settings = methods.settings(row, self.prepared, prune)
        return (
            json.dumps(asdict(replace(row, settings=settings))),
            None if methods.is_nested(row) else prune,
            cell["seed"] if methods.is_seeded(row) else None,
        )


def _row(cell):
    return methods.Row(**{field.name: cell[field.name] for field in fields(methods.Row)})
