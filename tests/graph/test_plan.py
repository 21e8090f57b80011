import logging

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.graph import plan


@pytest.fixture
def free(monkeypatch):
    def free(count):
        monkeypatch.setattr(plan, "free_bytes", lambda device: count)

    return free


CPU = torch.device("cpu")


def test_a_quarter_of_what_the_graph_leaves(free):
    free(10**12)
    made = plan.plan(1_000_000, 10, CPU, None)
    assert made.memory == 0.25 * (10**12 - made.result)
    assert plan.plan(1_000_000, 10, CPU, 1e9).memory == 1e9
    # An edge and what it takes on the way: (neighbor, distance) twice, and once more as a graph.
    assert made.result >= 1_000_000 * 10 * (16 + 24)


def test_what_cannot_fit_is_refused_with_the_setting_that_would(free):
    free(10**9)
    with pytest.raises(ValueError, match=r"fit into the 1 GB .* k=20, .* k=11 would fit") as error:
        plan.plan(1_000_000, 20, CPU, None)
    assert "device" not in str(error.value)
    assert plan.plan(1_000_000, 11, CPU, None).result < 10**9
    with pytest.raises(ValueError, match="would fit"):
        plan.plan(1_000_000, 12, CPU, None)
    with pytest.raises(ValueError, match=r"k=1 would fit, or memory=268435456 would fit"):
        plan.plan(1_000_000, 5, CPU, 9e8)
    with pytest.raises(ValueError, match="device='cpu' may have more"):
        plan.plan(1_000_000, 20, torch.device("cuda"), None)
    free(10**8)
    with pytest.raises(ValueError, match=r"to search\). Use fewer samples\."):
        plan.plan(1_000_000, 20, CPU, None)


def test_memory_has_a_floor():
    with pytest.raises(ValueError, match="'memory' to be at least 268435456 bytes"):
        d2pyg.knn_graph(np.eye(4), 1, memory=1000)
    with pytest.raises(TypeError, match="'memory' to be a number"):
        d2pyg.knn_graph(np.eye(4), 1, memory="4GB")


def test_the_plan_is_logged(caplog, free):
    free(8 * 10**9)
    with caplog.at_level(logging.INFO, logger="d2pyg"):
        d2pyg.knn_graph(np.eye(4), 1)
    (message,) = caplog.messages
    assert message == (
        "kNN graph of 4 samples, 4 coordinates, k 1, EuclideanMetric(), torch on cpu: 128 operations; "
        "352 B for the graph, up to 2 GB to search, 8 GB free"
    )


def test_free_memory_is_what_the_system_says():
    assert 10**6 < plan.free_bytes(CPU) < 10**15
