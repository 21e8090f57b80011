"""Lance: a folder that ends in ``.lance``, of columns in fragments."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from d2pyg._base.extras import require
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrow import ArrowTable

ROW_ID = "_rowid"
_TOGETHER = 1 << 13  # rows


@register("source", "lance")
class Lance(ArrowTable):
    """The newest version of a data set. Its column ``_rowid`` holds the row ids of Lance."""

    suffixes = (".lance",)

    @classmethod
    def claims(cls, path: Path) -> bool:
        return path.name.endswith(cls.suffixes) and path.is_dir()

    @cached_property
    def _dataset(self) -> Any:
        with readable(self.argument, self.path):
            return require("lance", "pylance").dataset(str(self.path))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self._dataset.schema.names, ROW_ID)

    @cached_property
    def _length(self) -> int:
        return int(self._dataset.count_rows())

    def length(self, column: str) -> int:
        return self._length

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*.lance") if path.is_file())

    @property
    def facts(self) -> dict[str, Any]:
        return {"version": self._dataset.version}

    def batches(self, column: str, start: int, stop: int) -> Iterator[Any]:
        names = [] if column == ROW_ID else [column]
        with readable(self.argument, self.path):
            for batch in self._dataset.to_batches(
                columns=names, with_row_id=not names, offset=start, limit=stop - start,
                batch_size=_TOGETHER, scan_in_order=True,
            ):  # fmt: skip
                yield batch.column(column)
