"""Facility location and graph cut against apricot, an independent package, on the same similarities."""

import numpy as np
import pytest
from test_submodular import similarity

from d2pyg import baselines

pytestmark = pytest.mark.extensions


@pytest.fixture
def apricot():
    return pytest.importorskip("apricot")


# Its optimizer "naive" gives ties to the first, as d2pyg does. It compiles anew in every fit: few cases.


@pytest.mark.parametrize(("k", "initial"), [(59, None), (8, None), (8, [7, 50, 3])])
def test_facility_location(apricot, k, initial, rng):
    x = rng.normal(size=(60, 3))
    theirs = apricot.FacilityLocationSelection(
        40, metric="precomputed", optimizer="naive", initial_subset=initial
    ).fit(similarity(x, k))
    ours = baselines.facility_location(x, k=k, budget=40, initial=initial)
    assert ours.index.tolist() == theirs.ranking.tolist()
    assert ours.pick_scores.tolist() == theirs.gains.tolist()  # sums of multiples of 2**-30


@pytest.mark.parametrize("tradeoff", [0.5, 2.0])
def test_graph_cut(apricot, tradeoff, rng):
    x = rng.normal(size=(60, 3))
    theirs = apricot.GraphCutSelection(
        40, metric="precomputed", optimizer="naive", alpha=1 / tradeoff
    ).fit(similarity(x, 8))
    ours = baselines.graph_cut(x, k=8, budget=40, tradeoff=tradeoff)
    assert ours.index.tolist() == theirs.ranking.tolist()
    np.testing.assert_allclose(ours.pick_scores, tradeoff * theirs.gains, atol=1e-6)
