"""How many samples to keep, which ones the cutoff drops, and which class gets each seat."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import as_count, as_real, check_choice
from d2pyg._base.grouping import rank_in_group
from d2pyg._base.kth import kth_smallest
from d2pyg._base.options import BALANCES
from d2pyg._base.warn import FewSamplesWarning, warn

_SHOWN = 3  # labels in a warning


def num_kept(num_samples: int, keep: Any, prune: Any, budget: Any) -> int:
    """The budget: floor(keep N + 0.5), N - floor(prune N + 0.5), or the number itself.

    Example:
        >>> num_kept(1797, keep=0.3, prune=None, budget=None)
        539
    """
    given = {"keep": keep, "prune": prune, "budget": budget}
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise ValueError(
            f"Expected exactly one of 'keep' (a fraction), 'prune' (a fraction) and 'budget' "
            f"(a number of samples) (got {' and '.join(names) or 'none'}). Pass one of them."
        )
    if budget is not None:
        remedy = "For a fraction, pass 'keep' or 'prune'."
        return as_count("budget", budget, 1, num_samples, ", the number of samples", remedy)
    (name,) = names
    fraction = as_real(name, given[name], "Fractions lie in 0 to 1, such as 0.3.")
    if not 0 <= fraction <= 1:
        raise ValueError(
            f"Expected {name!r} to be a fraction in 0 to 1 (got {fraction:g}). For a number of "
            f"samples, pass 'budget'."
        )
    rounded = math.floor(fraction * num_samples + 0.5)
    kept = rounded if name == "keep" else num_samples - rounded
    if kept == 0:
        raise ValueError(
            f"Expected {name!r} to leave at least one of the {num_samples} samples "
            f"(got {fraction:g}, which keeps 0). Pass a "
            f"{'larger' if name == 'keep' else 'smaller'} fraction, or 'budget'."
        )
    return kept


def after_cutoff(hardness: Tensor, cutoff: Any, margins: bool = False) -> Tensor:
    """The samples left, ascending, after the hardest floor(cutoff N + 0.5) are dropped.

    If two samples are equally hard, the one with the lower index counts as harder, as in selection.

    Args:
        hardness: [N].
        cutoff: A fraction; or ``"auto"``, which drops all samples with hardness above 0.
        margins: Whether hardness is a negative margin. Only then 0 has a meaning.

    Example:
        >>> after_cutoff(torch.tensor([1.0, 5.0, 2.0, 5.0]), 0.25)
        tensor([0, 2, 3])
        >>> after_cutoff(torch.tensor([1.0, -5.0, 2.0, -5.0]), "auto", margins=True)
        tensor([1, 3])
    """
    if isinstance(cutoff, str):
        if cutoff != "auto":
            raise ValueError(
                f"Expected 'cutoff' to be a fraction of the samples, such as 0.1, or 'auto' (got "
                f"{cutoff!r}). Pass one of these."
            )
        if not margins:
            raise ValueError(
                "Expected 'cutoff' to be a fraction with 'scores' that are numbers or losses (got "
                "'auto', which reads the margins of a training run). Pass a "
                "d2pyg.scores.TrainingDynamics as 'scores'."
            )
        return (hardness <= 0).nonzero().flatten()
    fraction = as_real("cutoff", cutoff, "It is a fraction of the samples, such as 0.1.")
    if not 0 <= fraction < 1:
        raise ValueError(
            f"Expected 'cutoff' to be at least 0 and below 1 (got {fraction:g}). It is the fraction "
            f"of the hardest samples that is dropped first, such as 0.1."
        )
    dropped = math.floor(fraction * len(hardness) + 0.5)
    if dropped == 0:
        return torch.arange(len(hardness), device=hardness.device)
    limit = kth_smallest(hardness, len(hardness) - dropped)
    harder, tied = hardness > limit, hardness == limit
    tied &= tied.cumsum(0) <= dropped - harder.count_nonzero()
    return (~(harder | tied)).nonzero().flatten()


def check_available(budget: int, num_samples: int, num_left: int, num_initial: int) -> None:
    """Refuses a budget larger than what the cutoff and the initial samples leave."""
    if budget > num_left:
        raise ValueError(
            f"Expected the budget to be at most {num_left}, what is left of {num_samples} samples "
            f"after the cutoff and {num_initial} initial ones (got {budget}). Lower the budget "
            f"or the cutoff."
        )


def nested_seats(
    size: Tensor, available: Tensor, taken: Tensor, budget: int, balance: str, min_per_class: int
) -> Tensor:
    r"""The class of each of ``budget`` seats, in the order in which seats are given.

    Seats are given one at a time, so the seats of a smaller budget are the first ones of a larger
    budget. First, each class in turn gets ``min_per_class`` seats. Every other seat goes to the class
    with the largest :math:`n_c / (2 s_c + 1)` (``"proportional"``: the divisor method of
    Sainte-Lague), where :math:`n_c` is its size and :math:`s_c` the seats it has, or to the class with
    the fewest seats (``"uniform"``). Ties go to the lower class. A class without samples left passes
    its seat on.

    Args:
        size: int64 [C], :math:`n_c`: all samples of the class.
        available: int64 [C], samples that can be picked.
        taken: int64 [C], seats the class already has.
        budget: Seats to give, at most ``available.sum()``.
        balance: ``"proportional"`` or ``"uniform"``.
        min_per_class: Seats each class gets first, as far as it has samples.

    Returns:
        int64 [budget], classes 0..C-1.

    Example:
        >>> size = torch.tensor([6, 3, 1])
        >>> nested_seats(size, size, torch.zeros_like(size), 5, "proportional", 0)
        tensor([0, 1, 0, 0, 1])
        >>> nested_seats(size, size, torch.zeros_like(size), 5, "uniform", 0)
        tensor([0, 1, 2, 0, 1])
    """
    check_choice("balance", balance, BALANCES)
    remedy = "It is the number of seats each class gets first."
    min_per_class = as_count("min_per_class", min_per_class, 0, None, "", remedy)
    if budget == 0:
        return size[:0]
    # All seats of all classes at once, ordered as the one-at-a-time rule would give them: within a
    # class the quotient falls with s, so the rule is a merge of sorted lists, that is, a sort of those
    # that are given.
    seat_class = torch.repeat_interleave(available.clamp(max=budget))
    seat = rank_in_group(seat_class, len(size)) + taken[seat_class]
    first = seat < min_per_class
    # float64 quotients of integers compare as the rationals do up to sizes of 6.7e7
    quotient = size[seat_class] / (2 * seat + 1).double()
    in_turn = first | (balance == "uniform")
    key = torch.where(in_turn, seat.double(), -quotient)
    near = (first | (key <= kth_smallest(key, budget - 1))).nonzero().flatten()
    order = near[key[near].argsort(stable=True)]
    order = order[(~first[order]).byte().argsort(stable=True)][:budget]
    return seat_class[order]


def warn_of_few(
    cause: str,
    budget: int,
    min_per_class: int,
    size: Tensor,
    left: Tensor,
    given: Tensor,
    values: list[Any] | None,
) -> None:
    """Warns of classes with fewer than ``min_per_class`` samples, or with none that can be kept.

    A class is short because of what was dropped, or else because of the budget.

    Args:
        cause: The argument that drops samples.
        budget: The number of picks.
        min_per_class: As in :func:`nested_seats`.
        size: int64 [C], all samples of the class.
        left: int64 [C], those that are not dropped, and initial ones.
        given: int64 [C], those that are kept.
        values: What the user calls the classes [C], if there are labels.
    """
    min_per_class = int(min_per_class)
    dropped = left < size.clamp(max=max(1, min_per_class))
    short = (given < size.clamp(max=min_per_class)) & ~dropped
    if bool(dropped.any()):
        few = "without any sample"
        remedy = f"Pass a lower {cause!r}, such as 0"
        if min_per_class > 1:
            few = f"fewer than 'min_per_class' = {min_per_class} samples"
            remedy += ", or a lower 'min_per_class'"
        named = "" if values is None else f": {_named(values, dropped, left, size)}"
        message = (
            f"The {cause} leaves {int(dropped.sum())} of {len(size)} classes {few}{named}. {remedy}."
        )
        warn(message, FewSamplesWarning)
    if bool(short.any()):
        warn(
            f"The budget of {budget} gives {int(short.sum())} of {len(size)} classes fewer than "
            f"'min_per_class' = {min_per_class} samples. Raise the budget or lower min_per_class.",
            FewSamplesWarning,
        )


def _named(values: list[Any], dropped: Tensor, left: Tensor, size: Tensor) -> str:
    """The first few of the dropped classes, and how many samples are left of each."""
    at = dropped.nonzero().flatten().tolist()
    shown = [f"label {values[c]!r:.40} ({int(left[c])} of {int(size[c])})" for c in at]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
