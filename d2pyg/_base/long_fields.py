"""CSV with fields of any length."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LIMIT = threading.Lock()  # the csv module has one limit for all


@contextmanager
def long_fields() -> Iterator[None]:
    """Text longer than the csv module reads, within the block."""
    with _LIMIT:
        before = csv.field_size_limit(2**31 - 1)
        try:
            yield
        finally:
            csv.field_size_limit(before)
