"""Checks of single settings: counts, numbers, flags, names, devices."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np
import torch

from d2pyg._base.choice import shown

LARGEST = 2**63 - 1  # of the integers that torch and NumPy hold


def as_flag(name: str, value: Any) -> bool:
    """True or False; other values are refused, even if Python accepts them as truth values."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(
            f"Expected {name!r} to be True or False (got {type(value).__name__} {shown(value)}). "
            f"Pass one of the two."
        )
    return bool(value)


def as_name(name: str, value: Any, remedy: str) -> str:
    """A name, such as of an attribute."""
    if not isinstance(value, str) or not value:
        raise TypeError(
            f"Expected {name!r} to be a name (got {type(value).__name__} {shown(value)}). {remedy}"
        )
    return value


def as_count(name: str, value: Any, low: int, high: int | None, meaning: str, remedy: str) -> int:
    """A whole number between ``low`` and ``high``. ``meaning`` explains the upper end in errors.

    Integers of NumPy and torch are accepted. Without an upper end, the number must fit into 64 bits.
    """
    boolean = isinstance(value, bool) or getattr(value, "dtype", None) in (torch.bool, np.bool_)
    try:
        count = None if boolean else operator.index(value)
    except (TypeError, RuntimeError):  # torch raises either
        count = None
    if count is None:
        raise TypeError(
            f"Expected {name!r} to be a whole number (got {type(value).__name__} {shown(value)}). "
            f"{remedy}"
        )
    if count < low or count > (LARGEST if high is None else high):
        rule = f"at least {low}{meaning}" if high is None else f"between {low} and {high}{meaning}"
        if high is None and count > low:
            rule = "below 2**63"
        raise ValueError(f"Expected {name!r} to be {rule} (got {shown(count)}). {remedy}")
    return count


def as_real(name: str, value: Any, remedy: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"Expected {name!r} to be a number (got {type(value).__name__} {shown(value)}). {remedy}"
        )
    try:
        number = float(value)
    except OverflowError:  # Python's integers and fractions have no largest
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"Expected {name!r} to be finite (got {number}). {remedy}")
    return number


def check_gamma(name: str, value: Any) -> float:
    """A decay: finite and at least 0."""
    remedy = "It is the decay of messages with distance; 0 ignores distance."
    gamma = as_real(name, value, remedy)
    if gamma < 0:
        raise ValueError(
            f"Expected {name!r} to be at least 0 (got {gamma:g}). A negative gamma would weigh "
            f"distant samples more than close ones."
        )
    return gamma


def as_device(device: str | torch.device | None, default: torch.device) -> torch.device:
    """The device to compute on, which must exist. The CPU replaces MPS, which has no float64."""
    try:
        place = default if device is None else torch.device(device)
        torch.empty(1, device=place).item()
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:  # with long texts
        raise ValueError(
            f"Expected 'device' to be one that this torch can use (got {shown(device)}). "
            f"Pass 'cpu'{' or ' + repr('cuda') if torch.cuda.is_available() else ''}."
        ) from error
    return torch.device("cpu") if place.type == "mps" else place
