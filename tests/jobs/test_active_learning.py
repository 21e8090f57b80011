"""A job as people have it: rounds of labeling, each on top of the coresets before it, with new scores."""

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main

ROUNDS, BUDGET = 3, 20


def unsure(x, y, have, linear_model):
    """How unsure a model is of each sample that was trained on those labeled."""
    model = linear_model.LogisticRegression(max_iter=500).fit(x[have], y[have])
    ordered = np.sort(model.predict_proba(x), axis=1)
    return 1 - (ordered[:, -1] - ordered[:, -2])


def test_rounds_on_coresets(tmp_path, monkeypatch):
    """In Python and by the command, which reads the files of all rounds."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    monkeypatch.chdir(tmp_path)
    x, y = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x, y = x[:400].astype(np.float32) / 16, y[:400]
    ids = [f"scan-{i:03}" for i in range(len(x))]
    np.save("x.npy", x)
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    rounds = [d2pyg.select(x, ids=ids, budget=BUDGET)]
    rounds[0].save("round0.csv")
    for number in range(1, ROUNDS):
        before = rounds[-1]
        have = [*before.settings["initial"], *before.index.tolist()]
        assert len(set(have)) == number * BUDGET
        scores = unsure(x, y, have, linear_model)
        rounds.append(d2pyg.select(x, scores, ids=ids, budget=BUDGET, initial=before))
        rounds[-1].save(f"round{number}.csv")
        np.save("s.npy", scores)
        files = " ".join(f"round{earlier}.csv" for earlier in range(number))
        words = f"select x.npy --scores s.npy --ids ids.txt --budget {BUDGET} --initial {files}"
        assert main(f"{words} --out by_command.npz --removed rest.txt".split()) == 0
        found = d2pyg.Coreset.load("by_command.npz")
        assert found.index.equal(rounds[-1].index)
        assert found.settings["initial"] == have
    labeled = {name for one in rounds for name in one.kept_ids}
    assert len(labeled) == ROUNDS * BUDGET
    rest = (tmp_path / "rest.txt").read_text().split()
    assert labeled.isdisjoint(rest)
    assert len(rest) == len(x) - len(labeled)
