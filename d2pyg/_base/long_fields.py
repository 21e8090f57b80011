"""Fields of CSV files that are longer than the csv module reads unasked."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()  # the csv module has one limit for all


@contextmanager
def long_fields() -> Iterator[None]:
    """Within the block fields may be of any length, such as settings, names and texts."""
    with _LOCK:
        before = csv.field_size_limit(2**31 - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)
