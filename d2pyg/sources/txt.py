"""``.txt``: names, one a line."""

from __future__ import annotations

from d2pyg._base.io import readable
from d2pyg._base.names import as_text
from d2pyg._base.registry import register
from d2pyg.sources.arrays import ArrayTable
from d2pyg.sources.table import UNNAMED, Array


@register("source", "txt")
class Txt(ArrayTable):
    """A file of one column of text; bytes that are not UTF-8 are as ``os.fsdecode`` has them."""

    suffixes = (".txt",)
    columns = (UNNAMED,)

    def whole(self, column: str) -> Array:
        with readable(self.argument, self.path):
            text = self.path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        return as_text(text.removesuffix("\n").split("\n"))
