"""Coresets as tables that are aligned with the data set: row i is sample i."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import numpy as np

from d2pyg._base.extras import require
from d2pyg._base.options import ROWS_SUFFIXES
from d2pyg._base.outputs import check_output
from d2pyg.coreset.integrity import Fields
from d2pyg.coreset.tables import Columns, write_csv_table, write_parquet_table
from d2pyg.greedy.strongest import Strongest


def check_target(name: str, path: str | os.PathLike[str]) -> Path:
    """A path that a table can be written to; asked before work begins, so that none is lost."""
    target = check_output(name, path, ROWS_SUFFIXES)
    if target.suffix == ".parquet":
        require("pyarrow", "pyarrow")
    return target


def write_rows(columns: Columns, file: IO[bytes], suffix: str, rows: slice = slice(None)) -> None:
    """Writes a table of some samples, such as those of a shard; default: of all.

    Args:
        columns: Of all samples, as :func:`columns_of` makes them.
        file: What is written to.
        suffix: ``.csv`` or ``.parquet``.
        rows: The samples.
    """
    part = {name: (values[rows], is_there[rows]) for name, (values, is_there) in columns.items()}
    (write_parquet_table if suffix == ".parquet" else write_csv_table)(part, file)


def columns_of(fields: Fields, lowered: Strongest | None) -> Columns:
    """Columns of all samples, in order.

    Args:
        fields: Of the coreset.
        lowered: What lowered each sample most, where that is known.
    """
    total, picks = len(fields.scores), fields.index.numpy()
    everywhere, rank, pick_score = np.ones(total, dtype=bool), np.zeros(total, np.int64), np.zeros(total)
    kept = np.zeros(total, dtype=bool)
    kept[picks], rank[picks], pick_score[picks] = True, np.arange(len(picks)), fields.pick_scores.numpy()
    score = fields.scores.numpy()
    columns: Columns = {"index": (np.arange(total), everywhere)}
    if fields.ids is not None:
        columns["id"] = (fields.ids, everywhere)
    columns["kept"] = (kept, everywhere)
    columns["rank"] = (rank, kept)
    columns["pick_score"] = (pick_score, kept & ~np.isnan(pick_score))
    columns["score"] = (score, ~np.isnan(score))
    if lowered is not None:
        sample, scale = lowered.sample.numpy(), fields.settings.get("scale_value")
        is_local = fields.settings.get("scale") == "local"
        unit = 1.0 if scale is None or is_local else float(scale)
        columns["lowered_by"] = (sample, sample >= 0)
        if fields.ids is not None:
            columns["lowered_by_id"] = (fields.ids[sample], sample >= 0)
        columns["lowered_by_distance"] = (lowered.distance.numpy() * unit, sample >= 0)
    return columns
