"""Shared by all tests: the devices to run on, and generators with a seed."""

import numpy as np
import pytest
import torch

collect_ignore = ["extension_package"]  # importing it registers names

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20231016)


@pytest.fixture(params=["sequential", "heap", "rounds"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param
