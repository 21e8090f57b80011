"""Warnings that point at the user's line, however deep in this package they come from."""

from __future__ import annotations

import sys
import warnings

_PASSED_OVER = ("d2pyg", "torch_geometric")  # transforms are called by PyG


class FewSamplesWarning(UserWarning):
    """Classes have fewer samples than were asked for, or none."""


def warn(message: str, category: type[Warning]) -> None:
    """A warning at the nearest line outside of this package and PyG."""
    level = 2  # the caller of this function
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
