"""``.pt``: a tensor, or tensors by name, as ``torch.save`` wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg._base.content import load_pt
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrays import ArrayTable, as_numpy
from d2pyg.sources.table import UNNAMED, Array


@register("source", "pt")
class Pt(ArrayTable):
    """A file of tensors. It is read as a whole, once."""

    suffixes = (".pt",)

    @cached_property
    def content(self) -> Any:
        """What was saved, checked; nothing is unpickled."""
        with readable(self.argument, self.path):
            return load_pt(self.path)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        if isinstance(self.content, Mapping):
            return tuple(map(str, self.content))  # numbers can be keys
        return (UNNAMED,)

    def whole(self, column: str) -> Array:
        value = self.content
        if isinstance(value, Mapping):
            value = next(own for key, own in value.items() if str(key) == column)
        if isinstance(value, Tensor):
            return as_numpy(self.argument, value)
        if isinstance(value, np.ndarray):
            return value
        raise TypeError(
            f"Expected {self.argument!r} to be an array in {self} (got {type(value).__name__}). Save a "
            f"tensor or an array."
        )
