"""Backends: what finds neighbors, by name or as an object."""

from __future__ import annotations

import inspect
from typing import Any

from d2pyg._base.checks import shown
from d2pyg._base.registry import look_up, made, name_of
from d2pyg.graph import (  # noqa: F401  # they register themselves
    faiss_backend,
    pyg_lib_backend,
    pynndescent_backend,
    torch_backend,
    torch_cluster_backend,
)
from d2pyg.graph.cells import backend  # noqa: F401
from d2pyg.graph.groups import Backend

AUTO = "torch"  # as fast as faiss on the CPU or faster, and runs on any device


def backend_name(given: str | Backend | type) -> str:
    """What is recorded of a backend: its name, or what an object says it is."""
    return AUTO if isinstance(given, str) and given == "auto" else name_of(given)


def as_backend(given: str | Backend | type, recall: float | None = None) -> Backend:
    """The backend of that name, a class made, or the object that is given; with the recall asked for."""
    entry: Any = look_up("backend", AUTO if isinstance(given, str) and given == "auto" else given)
    if recall is None:
        found: Backend = made("backend", entry) if isinstance(entry, type) else entry
        return found
    if not isinstance(entry, type) or "recall" not in inspect.signature(entry).parameters:
        raise ValueError(
            f"Expected 'recall' to be left out with backend {backend_name(given)!r:.60}, which takes "
            f"none (got {shown(recall)}). Use backend='cells'."
        )
    approximate: Backend = made("backend", entry, recall=recall)
    return approximate
