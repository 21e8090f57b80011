"""Names that docstring examples may use without importing them."""

import pytest
import torch

import d2pyg


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(torch=torch, d2pyg=d2pyg)
