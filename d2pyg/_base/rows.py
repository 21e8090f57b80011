"""Tables as rows of features."""

from __future__ import annotations

from typing import Any

import numpy as np

from d2pyg._base.columns import as_plain, package_of
from d2pyg._base.floats import float_kind


def as_rows(name: str, values: Any) -> Any:
    """:func:`~d2pyg._base.columns.as_plain`, with integers and truth values of a table as floats.

    A table holds features, so integers become float32 if that is exact, otherwise float64. A plain array
    of integers stays as it is: it could hold token ids or classes.
    """
    plain = as_plain(name, values)
    if isinstance(plain, np.ndarray) and _is_table(values):
        return plain.astype(float_kind(name, plain), copy=False)
    return plain


def _is_table(values: Any) -> bool:
    parts = ("columns", "schema", "column_names")
    return bool(package_of(values)) and any(hasattr(values, part) for part in parts)
