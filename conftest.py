"""For all tests, docstring examples too: names, a registry that stays as it was, other processors."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import torch
from perturbed import PerturbedProducts

import d2pyg
from d2pyg._base import registry

d2pyg.register  # noqa: B018  # the first name asked for imports all plug-ins: here, not inside a test

# Their examples are tried where the package is that they are for.
_NEEDS = {
    "d2pyg/_base/figures.py": "matplotlib",
    "d2pyg/scores/hugging_face.py": "transformers",
    "d2pyg/sklearn.py": "sklearn",
}
collect_ignore = [module for module, package in _NEEDS.items() if find_spec(package) is None]


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(torch=torch, d2pyg=d2pyg)


@pytest.fixture(autouse=True)
def _registry_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for family, entries in registry._TABLE.items():
        monkeypatch.setitem(registry._TABLE, family, dict(entries))


@pytest.fixture(autouse=True)
def _products_of_another_processor() -> Iterator[None]:
    """With D2PYG_PERTURB=SEED, every float product of torch is off by one unit in the last place."""
    seed = os.environ.get("D2PYG_PERTURB")
    if seed is None:
        yield
    else:
        with PerturbedProducts(int(seed)):
            yield
