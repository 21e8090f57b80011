"""``.safetensors``: tensors by name, of which rows are read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from d2pyg._base.extras import require
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrays import ArrayTable, as_numpy
from d2pyg.sources.table import Array


@register("source", "safetensors")
class Safetensors(ArrayTable):
    """A file of named tensors."""

    suffixes = (".safetensors",)

    def _opened(self) -> Any:
        return require("safetensors", "safetensors").safe_open(self.path, framework="pt")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        with readable(self.argument, self.path), self._opened() as file:
            return tuple(file.keys())

    def whole(self, column: str) -> Array:
        with readable(self.argument, self.path), self._opened() as file:
            return as_numpy(self.argument, file.get_tensor(column))

    def length(self, column: str) -> int:
        with readable(self.argument, self.path), self._opened() as file:
            shape = file.get_slice(column).get_shape()
        return int(shape[0]) if shape else super().length(column)

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        if start < stop:
            with readable(self.argument, self.path), self._opened() as file:
                part = as_numpy(self.argument, file.get_slice(column)[start:stop])
            yield part
