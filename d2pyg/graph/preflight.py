"""How long an exact search will take, measured on a small part of it."""

from __future__ import annotations

import math
import time

import torch

from d2pyg._base.warn import warn

_LONG = 600.0  # seconds, from which on it is said
_WORTH_ASKING = 1e13  # products of coordinates: less is never long
_SIDE = 1024  # rows and columns of the product that is timed
_COMPARED = 1e-9  # seconds that a bound takes on one thread, beside its product
_VISITED = 12  # cells that a point visits, as is typical for embeddings


def warn_if_long(sizes: torch.Tensor, dim: int, device: torch.device) -> None:
    """A warning where an exact search in groups of these sizes [G] will take over ten minutes."""
    root = math.sqrt(float(sizes.double().square().sum()))  # one group of that size has as many pairs
    if root * root * dim < _WORTH_ASKING:
        return
    exact, cells = estimates(root, device, _seconds_of_product(dim, device))
    if exact > _LONG:
        warn(
            f"Expected an exact kNN graph of {int(sizes.sum())} samples to take {_time(exact)}: all "
            f"pairs are compared. backend='cells' finds 95% of the neighbors, in about {_time(cells)} "
            f"where the data has clusters or few dimensions.",
            UserWarning,
        )


def estimates(total: float, device: torch.device, product: float) -> tuple[float, float]:
    """Seconds of the backends ``"torch"`` and ``"cells"``.

    Args:
        total: Number of samples, N.
        device: Where they are compared. The CPU multiplies each pair once, others twice.
        product: Seconds of the products of two rows, on all threads.
    """
    compared = _COMPARED / torch.get_num_threads() if device.type == "cpu" else 0.0
    pairs = float(total) * total / (2 if device.type == "cpu" else 1)
    visited = float(total) * math.sqrt(total) * (2 + _VISITED / 2)
    return pairs * (product + compared), visited * (product + compared)


def _seconds_of_product(dim: int, device: torch.device) -> float:
    """Of two rows, on all threads, in a block as the search makes them."""
    rows = torch.ones(_SIDE, dim, device=device)
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        float((rows @ rows.T)[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - started)
    return best / _SIDE**2


def _time(seconds: float) -> str:
    """For people."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    for unit, size, longest in (("minutes", 60, 5400), ("hours", 3600, 48 * 3600)):
        if seconds < longest:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds / 86400:.2g} days"
