"""``.npy``: one array, memory-mapped."""

from __future__ import annotations

import numpy as np

from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrays import ArrayTable
from d2pyg.sources.table import UNNAMED, Array


@register("source", "npy")
class Npy(ArrayTable):
    """A file of one array. It is mapped copy-on-write: read in place, and never written to."""

    suffixes = (".npy",)
    columns = (UNNAMED,)

    def whole(self, column: str) -> Array:
        with readable(self.argument, self.path):
            return np.lib.format.open_memmap(self.path, mode="c")
