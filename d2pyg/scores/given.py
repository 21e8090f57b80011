"""What users pass as scores: numbers, or a recorder that makes them."""

from __future__ import annotations

from typing import Any

from d2pyg._base.checks import ArrayLike
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.loss_dynamics import LossDynamics
from d2pyg.scores.recorder import Recorder

Scores = ArrayLike | TrainingDynamics | LossDynamics | None


def check_numbers(scores: Any) -> None:
    """Refuses a recorder where one of its scores is wanted."""
    if isinstance(scores, Recorder):
        raise TypeError(
            f"Expected 'scores' to be numbers (got {scores!r}). Choose one of its scores, such as "
            f"dynamics.{scores._scores()[0]}(). Only d2pyg.select chooses a score by itself."
        )
