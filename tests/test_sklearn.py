"""The selector with scikit-learn's interface: scikit-learn's own checks, and select's picks."""

import numpy as np
import pytest
import torch

import d2pyg

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from d2pyg.sklearn import CoresetSelector


@parametrize_with_checks([CoresetSelector()])
def test_conventions(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def test_keeps_what_select_keeps(digits):
    x, y = digits
    scores = x.std(axis=1)
    made = CoresetSelector(keep=0.2, k=5, gamma_reverse=1.0, metric="cosine").fit(x, y, scores=scores)
    same = d2pyg.select(x, scores, keep=0.2, k=5, gamma_reverse=1.0, metric="cosine", labels=y)
    assert made.sample_indices_.tolist() == same.index.tolist()
    assert made.coreset_.index.equal(same.index)
    assert made.n_features_in_ == 64


def test_resamples_in_the_order_of_the_data_set(digits):
    x, y = digits
    selector = CoresetSelector(keep=0.3)
    few_x, few_y = selector.fit_resample(x, y)
    kept = np.sort(selector.sample_indices_)
    assert len(kept) == 539
    assert np.array_equal(few_x, x[kept])
    assert np.array_equal(few_y, y[kept])
    assert LogisticRegression(max_iter=2000).fit(few_x / 16, few_y).score(x / 16, y) > 0.9
    assert np.array_equal(
        CoresetSelector(keep=0.3).fit_resample(x), x[np.sort(d2pyg.select(x, keep=0.3).index)]
    )


def test_classes_may_have_names_and_targets_may_be_numbers(digits):
    x, y = digits
    named = CoresetSelector().fit(x, np.array([f"digit {c}" for c in y])).sample_indices_
    assert np.array_equal(named, CoresetSelector().fit(x, y).sample_indices_)
    unstratified = CoresetSelector(stratify=False).fit(x, x.mean(axis=1)).sample_indices_
    assert np.array_equal(unstratified, d2pyg.select(x, keep=0.3).index)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        CoresetSelector().fit(x, x.mean(axis=1))


def test_frames_stay_frames(digits):
    pandas = pytest.importorskip("pandas")
    x, y = digits
    frame, series = pandas.DataFrame(x), pandas.Series(y, name="digit")
    few_x, few_y = CoresetSelector(keep=0.1).fit_resample(frame, series)
    assert isinstance(few_x, pandas.DataFrame)
    assert few_x.index.equals(few_y.index)
    assert torch.as_tensor(few_y.to_numpy()).bincount(minlength=10).min() > 0


def test_tables_and_sparse_matrices_are_read_as_select_reads_them(digits):
    sparse = pytest.importorskip("scipy.sparse")
    x, y = digits
    matrix = sparse.csc_matrix(x.astype("int64"))
    few_x, few_y = CoresetSelector(keep=0.1).fit_resample(matrix, y)
    made = CoresetSelector(keep=0.1).fit(matrix, y)
    assert made.sample_indices_.tolist() == d2pyg.select(matrix, keep=0.1, labels=y).index.tolist()
    kept = np.sort(made.sample_indices_)
    assert np.array_equal(few_x.toarray(), x[kept])
    assert np.array_equal(few_y, y[kept])
    assert made.n_features_in_ == 64
    with pytest.raises(TypeError, match="'y' to be values of all samples"):
        made.fit(x, made.coreset_)


@pytest.mark.extensions
def test_frames_of_other_packages(digits):
    polars = pytest.importorskip("polars")
    x, y = digits
    frame = polars.DataFrame({f"pixel {i}": column.astype("int64") for i, column in enumerate(x.T)})
    made = CoresetSelector(keep=0.1).fit(frame, polars.Series(y))
    expected = CoresetSelector(keep=0.1).fit(x, y)
    assert made.sample_indices_.tolist() == expected.sample_indices_.tolist()
    assert made.feature_names_in_[3] == "pixel 3"
