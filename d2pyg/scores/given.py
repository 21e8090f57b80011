"""The type of the argument ``scores``: numbers, or a recorder that computes them."""

from __future__ import annotations

from d2pyg._base.checks import ArrayLike
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.loss_dynamics import LossDynamics

Scores = ArrayLike | TrainingDynamics | LossDynamics | None
