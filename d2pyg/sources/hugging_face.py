"""Data sets of Hugging Face's ``datasets``: in Python, and folders of ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from d2pyg._base.extras import require
from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.arrow import ArrowTable

_TOGETHER = 1 << 13  # rows
_STATE, _SPLITS = "state.json", "dataset_dict.json"


@register("source", "hugging_face")
class HuggingFace(ArrowTable):
    """One split, whatever its format for Python is."""

    @classmethod
    def claims(cls, path: Path) -> bool:
        return any((path / name).is_file() for name in (_STATE, _SPLITS))

    @classmethod
    def of(cls, dataset: Any, argument: str = "path") -> HuggingFace:
        """A data set that is in memory."""
        if isinstance(dataset, dict):
            raise TypeError(
                f"Expected {argument!r} to be one split (got {', '.join(map(str, dataset)):.100}). Pass "
                f"one, such as dataset[{next(iter(dataset), 'train')!r}]."
            )
        if not hasattr(dataset, "with_format") or not hasattr(dataset, "num_rows"):
            raise TypeError(
                f"Expected {argument!r} to be a data set whose rows have numbers (got "
                f"{type(dataset).__name__}). Load it without streaming=True."
            )
        table = cls(Path(type(dataset).__name__), argument)
        table.__dict__["_dataset"] = dataset
        return table

    @cached_property
    def _dataset(self) -> Any:
        if (self.path / _SPLITS).is_file():
            splits = sorted(path.name for path in self.path.iterdir() if (path / _STATE).is_file())
            raise ValueError(
                f"Expected {self.argument!r} to be one split of {self} (got "
                f"{', '.join(splits):.100}). Name one, such as {self.path / next(iter(splits), '')}."
            )
        load = require("datasets", "datasets").load_from_disk
        with readable(self.argument, self.path):
            return load(str(self.path))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._dataset.column_names)

    def length(self, column: str) -> int:
        return int(self._dataset.num_rows)

    @property
    def files(self) -> list[Path]:
        return [Path(file["filename"]) for file in self._dataset.cache_files]

    def batches(self, column: str, start: int, stop: int) -> Iterator[Any]:
        rows = self._dataset.select_columns(column).with_format("arrow")
        for first in range(start, stop, _TOGETHER):
            yield from rows[first : min(stop, first + _TOGETHER)].column(0).chunks
