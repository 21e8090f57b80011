"""Duplicates: groups of near-duplicates, and which sample of each group is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.names import Names
from d2pyg._base.outputs import check_output, replacing
from d2pyg.coreset.duplicates_file import read_json
from d2pyg.coreset.tables import csv_bytes, text_column, write_table


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which samples are near-duplicates, and which one of each group is kept.

    Attributes:
        representative: int64 [N], for each sample the one of its group that is kept (itself, if it is
            kept).
        distance: float64 [N], the distance to the representative; 0 for the samples kept.
        settings: Every argument, and versions.
        ids: Your names of the samples [N], or None.

    Example:
        >>> x = torch.tensor([[0.0], [5.0], [0.1], [0.2]])
        >>> found = d2pyg.duplicates(x, threshold=0.15, metric="euclidean")
        >>> found
        Duplicates(2 of 4 kept, 1 group)
        >>> found.index, found.removed, found.groups
        (tensor([0, 1]), tensor([2, 3]), [tensor([0, 2, 3])])
    """

    representative: Tensor
    distance: Tensor
    settings: dict[str, Any] = field(default_factory=dict)
    ids: Names | None = None

    @property
    def mask(self) -> Tensor:
        """bool [N], True for the samples kept."""
        return self.representative == torch.arange(len(self.representative)).to(self.representative)

    @property
    def index(self) -> Tensor:
        """int64 [M], the samples kept, ascending. Pass it to :func:`d2pyg.take`, or index arrays."""
        return self.mask.nonzero().flatten()

    @property
    def removed(self) -> Tensor:
        """int64 [N - M], the samples removed, ascending."""
        return (~self.mask).nonzero().flatten()

    @property
    def groups(self) -> list[Tensor]:
        """The groups of at least two samples. The first of each group is the one kept."""
        removed = self.removed
        kept = self.representative[removed]
        order = kept.argsort(stable=True)
        first, sizes = kept.unique(return_counts=True)
        members = removed[order].split(sizes.tolist()) if len(removed) else ()
        return [torch.cat([one.view(1), some]) for one, some in zip(first, members, strict=True)]

    def table(self) -> dict[str, list[Any]]:
        """Columns with one row per removed sample, ascending.

        ``index``: the sample; ``duplicate_of``: the sample of its group that is kept; ``distance``: the
        distance between the two; ``group_size``: samples in the group. If samples have names, ``id`` and
        ``duplicate_of_id`` are the names of the first two.
        """
        return {name: column.tolist() for name, column in self._columns().items()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes :meth:`table` as ``.csv``, ``.parquet`` (needs pyarrow) or ``.json``. A ``.json`` file
        also holds the settings, and the indices and names of the samples kept.

        Raises:
            ValueError: If the suffix is unknown.
            ImportError: If pyarrow is needed and not installed.
        """
        path = check_output("path", path, WRITERS)
        if path.suffix == ".parquet":
            require("pyarrow", "pyarrow")
        with replacing(path) as file:
            WRITERS[path.suffix](self, file)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Duplicates:
        """Reads what :meth:`save` wrote as ``.json``. Tables do not say what is kept.

        Raises:
            ValueError: If the file is of another kind, or damaged.
            FileNotFoundError: If there is no such file.
        """
        return cls(*read_json(path))

    def _columns(self) -> dict[str, np.ndarray[Any, Any]]:
        removed = self.removed
        kept = self.representative[removed]
        columns = {
            "index": removed.numpy(),
            "duplicate_of": kept.numpy(),
            "distance": self.distance[removed].numpy(),
            "group_size": self.representative.bincount()[kept].numpy(),
        }
        if self.ids is not None:
            columns["id"] = self.ids[columns["index"]]
            columns["duplicate_of_id"] = self.ids[columns["duplicate_of"]]
        return columns

    def __repr__(self) -> str:
        kept = int(self.mask.sum())
        groups = len(self.representative[~self.mask].unique())
        total = len(self.representative)
        return f"Duplicates({kept} of {total} kept, {groups} group{'s' * (groups != 1)})"


def _write_csv(duplicates: Duplicates, file: IO[bytes]) -> None:
    table = duplicates.table()
    file.write(csv_bytes([list(table), *zip(*table.values(), strict=True)]))


def _write_parquet(duplicates: Duplicates, file: IO[bytes]) -> None:
    columns = {
        name: text_column(values)[0] if values.dtype.kind in "UO" else values
        for name, values in duplicates._columns().items()
    }
    write_table(columns, json.dumps(duplicates.settings), file)


def _write_json(duplicates: Duplicates, file: IO[bytes]) -> None:
    content: dict[str, Any] = {
        "settings": duplicates.settings,
        "kept": duplicates.index.tolist(),
        "removed": duplicates.table(),
    }
    if duplicates.ids is not None:
        content["kept_ids"] = duplicates.ids[duplicates.index.numpy()].tolist()
    file.write(json.dumps(content).encode())


WRITERS: dict[str, Callable[[Duplicates, IO[bytes]], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".json": _write_json,
}
