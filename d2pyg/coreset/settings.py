"""The settings of a coreset: the record of a selection, so that it can be repeated."""

from __future__ import annotations

import numbers
import operator
import platform
from typing import Any

import numpy as np
import torch
import torch_geometric

from d2pyg._base.registry import name_of
from d2pyg._version import __version__


def versions() -> dict[str, str]:
    """Versions of the packages that a selection depends on, for ``settings``."""
    return {
        "d2pyg": __version__,
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that any file format can hold: Python's own numbers, and the names of objects."""

    def value_of(value: Any) -> Any:
        if value is None or isinstance(value, bool | str | list | dict):
            return value
        if isinstance(value, np.bool_):
            return bool(value)
        if hasattr(value, "__index__"):
            return operator.index(value)
        return float(value) if isinstance(value, numbers.Real) else name_of(value)

    return {name: value_of(value) for name, value in settings.items()}


def of_first(settings: dict[str, Any], count: int) -> dict[str, Any]:
    """The settings of the first picks of a larger coreset, as a coreset of that size has them.

    Raises:
        ValueError: If the method would make other picks for that size (``nests`` is False).
    """
    if not settings.get("nests", True):
        raise ValueError(
            f"Expected a coreset whose first picks are the smaller coreset (got one of "
            f"{settings.get('method')}, whose picks depend on the budget). Select again with "
            f"budget={count}, or take coreset.index[:{count}]."
        )
    own: dict[str, Any] = {"keep": None, "prune": None, "budget": count, "engine_report": {}}
    return {**settings, **{name: value for name, value in own.items() if name in settings}}
