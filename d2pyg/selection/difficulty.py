"""The difficulty of a selection, and the defaults without scores."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from d2pyg._base.checks import ArrayLike
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.given import Scores
from d2pyg.scores.loss_dynamics import LossDynamics
from d2pyg.scores.unlabeled import without_scores
from d2pyg.selection.flow import as_flow


class Difficulty(NamedTuple):
    """Scores as numbers, and the defaults that depend on them."""

    scores: ArrayLike  # [N], or [N, F] for a forward layer that takes columns
    margin: Tensor | None  # float64 [N], mean margins, where a recorder has them
    update: str | None
    flow: str


def difficulty_of(
    scores: Scores,
    num_samples: int,
    *,
    gamma_forward: float | None = None,
    update: str | None = None,
    forward: Any = "weighted",
    flow: str | None = None,
) -> Difficulty:
    """The scores that a selection uses, and the defaults that depend on them.

    For a recorder of logits these are its borderline scores; for a recorder of losses, the mean losses.
    Without scores, samples are in a fixed random order. Then there is nothing to spread, so the forward
    pass is skipped unless it is asked for, and every sample is lowered by exactly k others
    (``flow="source_to_target"``).
    """
    flow = as_flow(flow, scores is not None)
    if isinstance(scores, TrainingDynamics):
        return Difficulty(scores.borderline(), scores.aum(raw=True), update, flow)
    if isinstance(scores, LossDynamics):
        return Difficulty(scores.mean_loss(), None, update, flow)
    if scores is not None:
        return Difficulty(scores, None, update, flow)
    if gamma_forward is None and update is None and isinstance(forward, str) and forward == "weighted":
        update = "none"
    return Difficulty(without_scores(num_samples), None, update, flow)
