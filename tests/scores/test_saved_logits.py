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
