"""Files of whole arrays, of which each has a name or is alone: what .npy, .npz, .pt have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.arrays import as_tensor
from d2pyg.sources.table import Array, Table


class ArrayTable(Table):
    """A file of arrays. They can differ in length, so a source looks at those that it uses."""

    holds = "arrays"

    @abstractmethod
    def whole(self, column: str) -> Array:
        """An array of the file, as it is."""

    def length(self, column: str) -> int:
        array = self.whole(column)
        if array.ndim == 0:
            raise self.misfit(column, "be an array with rows", "a single number", "Save an array.")
        return len(array)

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        if start < stop:
            yield self.whole(column)[start:stop]


def as_numpy(name: str, tensor: Tensor) -> Array:
    """A tensor as NumPy has it: without gradients, bfloat16 as 2 bytes of no kind."""
    plain = as_tensor(name, tensor)
    if plain.dtype is torch.bfloat16:
        array: Array = plain.view(torch.int16).numpy().view("V2")
        return array
    return np.asarray(plain.numpy())
