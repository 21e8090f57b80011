"""CoresetSelector: :func:`d2pyg.select` with the interface of scikit-learn, which it needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.columns import as_plain
from d2pyg._base.extras import require
from d2pyg._base.rows import as_rows
from d2pyg.data.dataset import take
from d2pyg.selection.select import select

require("sklearn", "scikit-learn")
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import (  # noqa: E402
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)


class CoresetSelector(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Keeps samples that are hard and diverse, as an estimator.

    It follows imbalanced-learn's samplers: :meth:`fit_resample` returns the samples kept. Targets ``y``
    are classes: each class has its own graph and budget.

    Args:
        keep: Fraction kept, above 0 to 1.
        k: Neighbors per sample; None for the default of :func:`d2pyg.select`. With fewer samples, k is
            reduced.
        gamma_forward, gamma_reverse, metric: As in :func:`d2pyg.select`; None for its defaults.
        stratify: Whether targets are classes, each with its own graph and budget. If False, they do not
            affect the selection.

    Attributes:
        sample_indices_: int64 [B], the samples kept, in pick order.
        coreset_: The :class:`d2pyg.Coreset`.
        n_features_in_: Number of features seen in :meth:`fit`.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> x, y = load_digits(return_X_y=True)
        >>> few_x, few_y = CoresetSelector(keep=0.3).fit_resample(x, y)
        >>> few_x.shape, few_y.shape
        ((539, 64), (539,))
    """

    def __init__(
        self,
        keep: float = 0.3,
        *,
        k: int | None = None,
        gamma_forward: float | None = None,
        gamma_reverse: float | None = None,
        metric: str | None = None,
        stratify: bool = True,
    ) -> None:
        self.keep = keep
        self.k = k
        self.gamma_forward = gamma_forward
        self.gamma_reverse = gamma_reverse
        self.metric = metric
        self.stratify = stratify

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any = None, *, scores: Any = None) -> CoresetSelector:  # noqa: N803
        """Selects the coreset.

        Args:
            X: [N, d], finite numbers.
            y: [N], classes, numbers or names; None for one graph over all samples.
            scores: Difficulty [N], at least 0, higher is harder; None for a random order.
        """
        validate_data(self, X, skip_check_array=True)  # keeps the number and the names of features
        x = check_array(as_rows("X", X), dtype=[np.float64, np.float32], ensure_min_samples=2)
        labels = None
        if y is not None:
            y = column_or_1d(as_plain("y", y), warn=True)
            check_consistent_length(x, y)
            if self.stratify:
                check_classification_targets(y)
                labels = np.unique(y, return_inverse=True)[1]
        self.coreset_ = select(
            x,
            scores,
            keep=self.keep,
            k=None if self.k is None else min(self.k, len(x) - 1),
            gamma_forward=self.gamma_forward,
            gamma_reverse=self.gamma_reverse,
            metric=self.metric,
            labels=labels,
        )
        self.sample_indices_ = self.coreset_.index.numpy()
        return self

    def fit_resample(self, X: Any, y: Any = None, *, scores: Any = None) -> Any:  # noqa: N803
        """Runs :meth:`fit`, and returns the samples kept, in the order of the data set.

        Returns:
            The rows of ``X`` that are kept, or the rows of ``X`` and ``y``. Types stay the same: a frame
            stays a frame.
        """
        self.fit(X, y, scores=scores)
        return take(X if y is None else (X, y), self.coreset_)
