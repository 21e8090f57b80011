"""Difficulty scores: finite, at least 0, higher is harder.

They come from training (:class:`TrainingDynamics`, :class:`LossDynamics` or saved logits), from
embeddings alone, or from scores of some samples, which :func:`extrapolate` carries to all.
"""

from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.extrapolate import Extrapolation, extrapolate, rank_correlation
from d2pyg.scores.functions import (
    aum,
    borderline,
    confidence,
    correctness,
    dual,
    dyn_unc,
    el2n,
    entropy,
    forgetting,
    variance,
)
from d2pyg.scores.loss_dynamics import LossDynamics
from d2pyg.scores.losses import token_losses
from d2pyg.scores.unlabeled import neighbor_distance, ones, prototypicality, shuffled

__all__ = [
    "Extrapolation",
    "LossDynamics",
    "TrainingDynamics",
    "aum",
    "borderline",
    "confidence",
    "correctness",
    "dual",
    "dyn_unc",
    "el2n",
    "entropy",
    "extrapolate",
    "forgetting",
    "neighbor_distance",
    "ones",
    "prototypicality",
    "rank_correlation",
    "shuffled",
    "token_losses",
    "variance",
]
