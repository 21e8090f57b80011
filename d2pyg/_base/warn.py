"""Warnings that point to the user's line, even from deep inside this package."""

from __future__ import annotations

import sys
import warnings

_PASSED_OVER = ("d2pyg", "torch_geometric")  # transforms are called by PyG


class FewSamplesWarning(UserWarning):
    """Classes have fewer samples than were asked for, or none."""


def warn(message: str, category: type[Warning]) -> None:
    """Warns at the nearest line outside this package and PyG."""
    level = 2  # the caller of this function
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED_OVER:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
