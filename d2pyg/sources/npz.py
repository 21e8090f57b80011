"""``.npz``: arrays by name, each read when it is asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from d2pyg._base.content import Arrays
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrays import ArrayTable
from d2pyg.sources.table import Array


@register("source", "npz")
class Npz(ArrayTable):
    """A file of named arrays."""

    suffixes = (".npz",)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        with readable(self.argument, self.path), self.path.open("rb") as file:
            return tuple(Arrays(file))

    def whole(self, column: str) -> Array:
        with readable(self.argument, self.path), self.path.open("rb") as file:
            array: Array = Arrays(file)[column]
            return array

    def sample(self, column: str) -> Array | None:
        with readable(self.argument, self.path), self.path.open("rb") as file:
            shape, dtype = Arrays(file).header(column)
        if dtype.hasobject or not shape:
            return super().sample(column)  # for the error that says so
        return np.zeros((1, *shape[1:]), dtype) if shape[0] else None

    def length(self, column: str) -> int:
        with readable(self.argument, self.path), self.path.open("rb") as file:
            shape, _ = Arrays(file).header(column)
        return shape[0] if shape else super().length(column)
