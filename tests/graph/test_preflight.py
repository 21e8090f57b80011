"""What is said before a search that takes long."""

import warnings

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.graph import preflight

CPU = torch.device("cpu")


def test_estimates_count_pairs():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        exact, cells = preflight.estimates(1_000_000, CPU, 1e-9)
    finally:
        torch.set_num_threads(before)
    assert exact == pytest.approx(1e12 / 2 * 2e-9)
    assert cells == pytest.approx(1e9 * 8 * 2e-9)


def test_a_long_search_is_announced_once(monkeypatch, rng):
    monkeypatch.setattr(preflight, "_WORTH_ASKING", 0)
    monkeypatch.setattr(preflight, "_seconds_of_product", lambda dim, device: 1.0)
    x = rng.normal(size=(60, 3))
    match = r"exact kNN graph of 60 samples to take 30 minutes: .* backend='cells' finds 95%"
    with pytest.warns(UserWarning, match=match) as seen:
        d2pyg.knn_graph(x, 3)
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d2pyg.knn_graph(x, 3, backend="torch")  # who names it knows
        d2pyg.knn_graph(x, 3, batch=np.arange(60) // 2)


def test_the_time_of_a_product_is_measured():
    assert 0 < preflight._seconds_of_product(64, CPU) < 1e-3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45, "45 seconds"), (800, "13 minutes"), (9000, "2.5 hours"), (300_000, "3.5 days")],
)
def test_times_are_for_people(seconds, text):
    assert preflight._time(seconds) == text
