"""Runs of the authors' own code: the same updated scores, the same picks."""

from pathlib import Path

import numpy as np
import pytest

import d2pyg

CASES = sorted((Path(__file__).parent / "golden").glob("*.npz"))


def test_the_cases_are_there():
    assert len(CASES) == 8


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_select_repeats_the_authors_run(path, engine, device):
    case = np.load(path)
    weighted = str(case["sampling_mode"]) == "weighted"  # else it has no gamma
    coreset = d2pyg.select(
        case["features"],
        case["scores"],
        budget=int(case["budget"]),
        k=int(case["k"]),
        kernel="laplacian",
        scale=None,
        gamma_forward=1.0,
        gamma_reverse=float(case["gamma"]) if weighted else None,
        update=str(case["graph_mode"]),
        reverse=str(case["sampling_mode"]),
        flow="target_to_source" if case["directed"] else "both",
        engine=engine,
        device=device,
    )
    np.testing.assert_allclose(coreset.scores.numpy(), case["updated_scores"], rtol=1e-6)
    assert sorted(coreset.index.tolist()) == case["selected"].tolist()
