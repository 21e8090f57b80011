"""What users pass as scores: numbers, or a recorder that makes them."""

from __future__ import annotations

from d2pyg._base.checks import ArrayLike
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.loss_dynamics import LossDynamics

Scores = ArrayLike | TrainingDynamics | LossDynamics | None
