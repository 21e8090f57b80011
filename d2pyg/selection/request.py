"""The request of a selection: how many samples, from which ones, and which class gets each seat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_device, as_scores
from d2pyg._base.grouping import first_of_group
from d2pyg._base.labels import Classes, as_classes
from d2pyg._base.names import as_ids
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.settings import plain, versions
from d2pyg.greedy.trace import Trace
from d2pyg.selection.budget import after_cutoff, check_available, nested_seats, num_kept, warn_of_few
from d2pyg.selection.initial import as_initial


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
    first: Tensor  # int64 [I], chosen already, in the order taken
    start: Tensor  # bool [N], the same as a mask
    seats: Tensor  # int64 [B], the class of each pick, in the order of the result
    last: Tensor  # int64 [L], the picks after the pool is spent, class after class
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
        initial: ArrayLike | Coreset | None = None,
        ids: ArrayLike | None = None,
        device: str | torch.device | None = None,
        left: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> Task:
        """Checks arguments that mean what they mean in :func:`d2pyg.select`.

        The cutoff ranks ``hardness`` [N] (negative margins) if it is given, else the scores. ``left``
        replaces a cutoff: it returns the samples left, ascending, from scores and classes.
        """
        place = as_device(device, home)
        kept = num_kept(num_samples, keep, prune, budget)
        score = _score(scores, num_samples).to(place)
        names = None if ids is None else as_ids(ids, num_samples)
        group, values = _classes(labels, num_samples)
        group, classes = group.to(place), len(values)
        first = as_initial(initial, num_samples, names).to(place)
        start = torch.zeros(num_samples, dtype=torch.bool, device=place).index_fill_(0, first, True)
        last = first[:0]
        if left is not None:
            pool = left(score, group)
        elif hardness is None:
            pool = after_cutoff(score, cutoff)
        else:
            hardness = hardness.to(place)
            pool = after_cutoff(hardness, cutoff, margins=True)
            if cutoff == "auto":
                last = hardness.argsort(stable=True)[len(pool) :]
                last = last[~start[last]]
        free = pool[~start[pool]]
        check_available(kept, num_samples, len(free) + len(last), len(first))

        size, taken = group.bincount(minlength=classes), group[first].bincount(minlength=classes)
        available = group[free].bincount(minlength=classes)
        seats = nested_seats(size, available, taken, min(kept, len(free)), balance, min_per_class)
        given = taken + seats.bincount(minlength=classes)
        after = group[last].bincount(minlength=classes)
        last_seats = nested_seats(size, after, given, kept - len(seats), balance, min_per_class=0)
        after = last_seats.bincount(minlength=classes)
        warn_of_few(
            "cutoff" if left is None else "start",
            kept,
            min_per_class,
            size=size,
            left=taken + available + (0 if min_per_class else after),
            given=given,
            values=None if labels is None else values,
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
            "initial": first.tolist(),
        }
        return cls(
            num_samples=num_samples,
            home=home,
            place=place,
            kept=kept,
            score=score,
            pool=pool,
            group=group,
            num_groups=classes,
            first=first,
            start=start,
            seats=torch.cat([seats, last_seats]),
            last=last[first_of_group(group[last], after)],
            names=names,
            settings=settings,
        )

    @property
    def count(self) -> Tensor:
        """int64 [C], the number of picks from each class in the pool."""
        of_pool = self.seats[: self.kept - len(self.last)]
        return of_pool.bincount(minlength=self.num_groups)

    @property
    def first_in_pool(self) -> Tensor:
        """int64, the places in the pool of the ``first`` samples that are in it, in their order."""
        place = torch.full_like(self.group, -1)
        place[self.pool] = torch.arange(len(self.pool), device=self.place)
        found = place[self.first]
        return found[found >= 0]

    def coreset(
        self,
        index: Tensor,
        pick_scores: Tensor,
        scores: Tensor,
        settings: dict[str, Any],
        trace: Trace | None = None,
    ) -> Coreset:
        """The result. Picks come class after class, each class in pick order.

        Args:
            index: int64, the picks without those in ``last``.
            pick_scores: float64, their scores.
            scores: float64 [M], the scores of the pool.
            settings: What the method adds to the shared settings.
            trace: The data for ``explain``, if the method sends messages.
        """
        index = torch.cat([index, self.last])
        pick_scores = torch.cat([pick_scores, pick_scores.new_full(self.last.shape, torch.nan)])
        by_class = self.group[index].argsort(stable=True)
        by_class = by_class[self.seats.argsort(stable=True).argsort()]  # in the seats of its class
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


def _classes(labels: ArrayLike | None, num_samples: int) -> Classes:
    """The class of each sample; without labels, one class for all."""
    if labels is None:
        return Classes(torch.zeros(num_samples, dtype=torch.int64), [0])
    return as_classes("labels", labels, num_samples)
