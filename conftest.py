"""Names that docstring examples may use without importing them, and a registry that stays as it was."""

import pytest
import torch

import d2pyg
from d2pyg._base import registry


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, object]) -> None:
    doctest_namespace.update(torch=torch, d2pyg=d2pyg)


d2pyg.register  # noqa: B018  # everything is imported by now, and registered


@pytest.fixture(autouse=True)
def _registry_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for family, entries in registry._TABLE.items():
        monkeypatch.setitem(registry._TABLE, family, dict(entries))
