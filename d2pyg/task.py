"""What is asked of a selection: how many samples, from which, and which class gets which seat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg.budget import after_cutoff, check_available, nested_seats, num_kept
from d2pyg.checks import ArrayLike, as_device, as_index, as_labels, as_scores
from d2pyg.coreset import Coreset, plain, versions
from d2pyg.explanation import Trace
from d2pyg.names import as_ids


@dataclass(frozen=True)
class Task:
    """The arguments that all methods of selection share, checked."""

    num_samples: int
    home: torch.device  # where the result goes
    place: torch.device  # where it is computed, with all tensors below
    kept: int
    score: Tensor  # float64 [N], the difficulty
    pool: Tensor  # int64 [M] ascending, what the cutoff leaves
    group: Tensor  # int64 [N], classes 0..C-1 by ascending label
    num_groups: int
    start: Tensor  # bool [N], chosen already
    seats: Tensor  # int64 [B], the class of each pick, in the order of the result
    names: np.ndarray[Any, Any] | None
    settings: dict[str, Any]

    @classmethod
    def of(
        cls,
        num_samples: int,
        home: torch.device,
        *,
        scores: ArrayLike | None = None,
        keep: float | None = None,
        prune: float | None = None,
        budget: int | None = None,
        labels: ArrayLike | None = None,
        balance: str = "proportional",
        min_per_class: int = 0,
        cutoff: float | str = 0.0,
        hardness: Tensor | None = None,
        initial: ArrayLike | None = None,
        ids: Sequence[Any] | Tensor | np.ndarray[Any, Any] | None = None,
        device: str | torch.device | None = None,
        left: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> Task:
        """Checks arguments that mean what they mean in :func:`d2pyg.select`.

        ``hardness`` [N] is what the cutoff ranks, where that is not the scores; above 0 is doubtful.
        ``left``, in place of a cutoff, says from scores and classes which samples are left, ascending.
        """
        place = as_device(device, home)
        kept = num_kept(num_samples, keep, prune, budget)
        score = _score(scores, num_samples).to(place)
        classes, group = _classes(labels, num_samples, place)
        start = torch.zeros(num_samples, dtype=torch.bool, device=place)
        start[as_index("initial", [] if initial is None else initial, num_samples).to(place)] = True
        if left is not None:
            pool = left(score, group)
        elif hardness is None:
            pool = after_cutoff(score, cutoff)
        else:
            room = max(0, num_samples - kept - int(start.sum()))
            pool = after_cutoff(hardness.to(place), cutoff, room)
        check_available(kept, num_samples, int((~start[pool]).sum()), int(start.sum()))
        names = None if ids is None else as_ids(ids, num_samples)
        seats = nested_seats(
            size=group.bincount(minlength=classes),
            available=group[pool][~start[pool]].bincount(minlength=classes),
            taken=group[start].bincount(minlength=classes),
            budget=kept,
            balance=balance,
            min_per_class=min_per_class,
        )
        settings = {
            "keep": keep,
            "prune": prune,
            "budget": budget,
            "balance": balance,
            "min_per_class": min_per_class,
            "cutoff": cutoff,
            "device": str(place),
            "num_samples": num_samples,
            "num_classes": None if labels is None else classes,
            "num_dropped": num_samples - len(pool),
            "initial": start.nonzero().flatten().tolist(),
        }
        return cls(
            num_samples, home, place, kept, score, pool, group, classes, start, seats, names, settings
        )

    @property
    def count(self) -> Tensor:
        """int64 [C], the picks wanted of each class."""
        return self.seats.bincount(minlength=self.num_groups)

    def coreset(
        self,
        index: Tensor,
        pick_scores: Tensor,
        scores: Tensor,
        settings: dict[str, Any],
        trace: Trace | None = None,
    ) -> Coreset:
        """The result, from picks class after class, each class's in pick order.

        Args:
            index: int64 [B].
            pick_scores: float64 [B].
            scores: float64 [M], of the pool.
            settings: What the method adds to the shared settings.
            trace: What explains the picks, where messages do.
        """
        by_class = self.seats.argsort(stable=True).argsort()  # each class's picks take its seats
        return Coreset(
            index=index[by_class].to(self.home),
            pick_scores=pick_scores[by_class].to(self.home),
            scores=torch.full_like(self.score, torch.nan).index_copy(0, self.pool, scores).to(self.home),
            settings=plain({**settings, **self.settings, "versions": versions()}),
            ids=self.names,
            trace=trace,
        )


def _score(scores: ArrayLike | None, num_samples: int) -> Tensor:
    if scores is None:
        return torch.ones(num_samples, dtype=torch.float64)
    return as_scores(scores, num_samples)


def _classes(labels: ArrayLike | None, num_samples: int, place: torch.device) -> tuple[int, Tensor]:
    """The number of classes, and the class of each sample, 0..C-1 by ascending label."""
    if labels is None:
        return 1, torch.zeros(num_samples, dtype=torch.int64, device=place)
    label, group = as_labels("labels", labels, num_samples).to(place).unique(return_inverse=True)
    return len(label), group
