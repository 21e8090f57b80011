"""Integers as floats, without loss."""

from __future__ import annotations

from typing import Any

import numpy as np


def float_kind(name: str, array: np.ndarray[Any, Any]) -> Any:
    """A float type that holds an array's integers exactly; other arrays keep their type."""
    if array.dtype.kind not in "iub":
        return array.dtype
    if array.dtype.kind == "b" or not array.size:
        return np.float32
    largest = max(-int(array.min()), int(array.max()))
    if largest > 2**53:
        raise ValueError(
            f"Expected {name!r} to hold integers that float64 holds exactly, to 2**53 (got {largest}). "
            f"Leave out columns that are names and no features, or scale them."
        )
    return np.float32 if largest <= 2**24 else np.float64
