"""DUAL's sampling: hard and uncertain samples; the more is pruned, the easier they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from d2pyg._base.chance import draws
from d2pyg._base.checks import ArrayLike, as_real, as_tensor, check_finite, check_length
from d2pyg.baselines.common import method, of_all, ranked, task_of
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.knn import Embeddings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from d2pyg.baselines.common import Common

_C = 15.0  # the paper's C
_ANCHORS = 10  # samples with the highest scores; their mean confidence sets the density
_INSIDE = 1e-6  # confidences are kept this far from 0 and 1, where the density may be infinite


@method("dual")
def dual(
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    *,
    confidence: ArrayLike,
    c_d: float = 4.0,
    cutoff: float = 0.0,
    seed: int = 0,
    **common: Unpack[Common],
) -> Coreset:
    r"""Weighted random samples: the score times a Beta density of the mean confidence (Cho et al. 2025).

    Let :math:`p_i` be the mean probability that the model gave to the true class of sample i, r the
    fraction pruned, and :math:`\mu` the mean :math:`p` of the 10 samples with the highest scores.
    Samples are drawn one after the other with probability proportional to

    .. math::
        w_i = x_i\, p_i^{\alpha - 1} (1 - p_i)^{\beta - 1}, \\
        \beta = 15\, (1 - \mu)(1 - r^{c_D}), \quad \alpha = 16 - \beta .

    The more is pruned, the more the density favors confident, easy samples. Source: "Lightweight
    Dataset Pruning without Full Training via Example Difficulty and Prediction Uncertainty", ICML 2025
    (arXiv:2502.06905), "DUAL + beta sampling". The constants and the 10 samples are those of the
    authors' code (https://github.com/behaapyy/dual-pruning). Confidences are clipped to 1e-6 to
    1 - 1e-6.

    Picks are in the order of the draws. The weights depend on the budget, so a smaller coreset is not
    the beginning of a larger one.

    Args:
        embeddings: Not needed.
        scores: The DUAL score [N], :math:`x_i \ge 0`, or another in which higher is harder.
        confidence: Mean probability of the true class, :math:`p_i` [N], in 0 to 1, such as
            ``TrainingDynamics.confidence(raw=True)``. The authors' code takes scores and confidence from
            the first 30 epochs (CIFAR).
        c_d: Exponent :math:`c_D`, above 0. With a larger one, easy samples are favored only at higher
            pruning rates. The authors' code uses 4 for CIFAR and 11 for ImageNet.
        cutoff: Fraction of the hardest samples dropped first.
        seed: Seed of the draws, a whole number >= 0.
        **common: See :func:`d2pyg.select`. With labels, weights are the same and seats are by class.

    Returns:
        A :class:`d2pyg.Coreset`; ``pick_scores`` are the weights, divided by the largest.

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> scores, confidence = [0.3, 0.2, 0.0, 0.1], [0.4, 0.6, 1.0, 0.9]
        >>> sorted(dual(scores=scores, confidence=confidence, budget=3).index.tolist())
        [0, 1, 3]
    """
    c_d = as_real("c_d", c_d, "The authors use 4 for CIFAR-100.")
    if c_d <= 0:
        raise ValueError(f"Expected 'c_d' to be above 0 (got {c_d:g}). The authors use 4 for CIFAR-100.")
    task = task_of(embeddings, scores, common, cutoff=cutoff, needs_scores="dual")
    score = task.score[task.pool]
    mean = _confidence(confidence, task.num_samples).to(task.place)[task.pool]
    pruned = 1 - task.kept / task.num_samples
    anchor = mean[(-score).argsort(stable=True)[:_ANCHORS]].mean()
    beta = _C * (1 - anchor) * (1 - pruned**c_d)
    alpha = _C + 1 - beta
    inside = mean.clamp(_INSIDE, 1 - _INSIDE)
    log_weight = score.log() + (alpha - 1) * inside.log() + (beta - 1) * (1 - inside).log()
    # The order of exponential variables with rates w is an order of draws with weights w.
    waiting = (-(-draws(seed, task.num_samples)).log1p()).log().to(task.place)[task.pool]
    index = ranked(task, waiting - log_weight)
    weight = (log_weight - log_weight.max()).exp().nan_to_num(nan=0.0)
    settings = {
        "method": "dual",
        "c_d": c_d,
        "alpha": float(alpha),
        "beta": float(beta),
        "seed": seed,
        "nests": False,
    }
    return task.coreset(index, of_all(task, weight)[index], score, settings)


def _confidence(values: ArrayLike, num_samples: int) -> Tensor:
    """Mean probabilities as float64 [N]."""
    tensor = as_tensor("confidence", values)
    if tensor.is_complex():
        raise TypeError(
            f"Expected 'confidence' to be real numbers (got {tensor.dtype}). Pass probabilities, after "
            f"the softmax."
        )
    tensor = tensor.to(torch.float64)
    check_length("confidence", tensor, num_samples)
    check_finite("confidence", tensor)
    low, high = float(tensor.min()), float(tensor.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"Expected 'confidence' to lie in 0 to 1, the mean probability of the true class (got "
            f"{low if low < 0 else high:g}). Pass probabilities, after the softmax."
        )
    return tensor
