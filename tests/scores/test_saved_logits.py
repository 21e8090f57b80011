"""Saved logits as a list of epochs."""

import numpy as np
import pytest

from d2pyg import scores


def test_a_list_of_epochs_is_their_stack(rng):
    logits, y = rng.normal(size=(3, 20, 4)), rng.integers(0, 4, 20)
    assert scores.aum(list(logits), y).tolist() == scores.aum(logits, y).tolist()
    assert scores.entropy(tuple(logits)).tolist() == scores.entropy(logits).tolist()


def test_refuses():
    with pytest.raises(ValueError, match=r"one shape \(N, C\) in every epoch .*\(2, 2\), \(3, 2\)"):
        scores.aum([np.zeros((2, 2)), np.zeros((3, 2))], [0, 1])
    with pytest.raises(ValueError, match=r"in every epoch of a list .got no epochs"):
        scores.aum([], [0, 1])
    with pytest.raises(ValueError, match=r"'logits' to have shape \(epochs, N, C\).*\(0, 2, 2\)"):
        scores.aum(np.zeros((0, 2, 2)), [0, 1])
    with pytest.raises(ValueError, match=r"'logits' to have shape \(epochs, N, C\).*\(2, 0, 3\)"):
        scores.el2n(np.zeros((2, 0, 3)), [])
    with pytest.raises(ValueError, match=r"one shape \(N, C\) in every epoch .*\(2, 0\)"):
        scores.el2n([np.zeros((2, 0))], [0, 0])


@pytest.mark.parametrize("value", [0, 10**30, 2**63, True, 1.5, None])
def test_counts_are_named_as_they_were_given(value, rng):
    logits, y = rng.normal(size=(3, 5, 4)), rng.integers(0, 4, 5)
    with pytest.raises((ValueError, TypeError), match="'epochs' to be "):
        scores.el2n(logits, y, epochs=value)
    for score in scores.dual, scores.dyn_unc:
        with pytest.raises((ValueError, TypeError), match="'window' to be "):
            score(logits, y, window=value)
    assert scores.el2n(logits, y, epochs=2**62).equal(scores.el2n(logits, y, epochs=3))


def test_raw_is_true_or_false(rng):
    logits, y = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    for score in scores.aum, scores.confidence, scores.correctness:
        with pytest.raises(TypeError, match="'raw' to be True or False"):
            score(logits, y, raw=np.zeros(2))
