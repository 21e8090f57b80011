"""Coresets as tables, one row per sample, the picks first: CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch

from d2pyg._base.content import check_size
from d2pyg._base.extras import require
from d2pyg._base.long_fields import long_fields
from d2pyg._base.names import encoded
from d2pyg._base.options import GROUP_ROWS
from d2pyg.coreset.integrity import Fields, checksum

if TYPE_CHECKING:
    import pandas

Array = np.ndarray[Any, Any]
Columns = dict[str, tuple[Array, Array]]  # values by name, and where there are any
Parts = tuple[
    Any, Any, Any, Any, Any, Any
]  # fields that are not checked yet, and their checksum or None
_COLUMNS = ("index", "rank", "pick_score", "score")
_ROWS = 1 << 16  # written together
_LONG = 1 << 31  # bytes of text, more than 32-bit offsets hold


def write_csv(fields: Fields, file: IO[bytes]) -> None:
    """UTF-8. Names that are not UTF-8 keep their original bytes."""
    columns = _columns(fields)
    meta = np.full(len(fields.scores), "", dtype=object)
    meta[:1] = json.dumps(_meta(fields, "U"))
    write_csv_table({**columns, "d2pyg": (meta, columns["kept"][1])}, file)


def write_csv_table(columns: Columns, file: IO[bytes]) -> None:
    """Columns with a header; empty where there is no value."""
    filled = [_with_none(*column) for column in columns.values()]
    file.write(csv_bytes([columns]))
    for start in range(0, len(filled[0]), _ROWS):
        parts = [values[start : start + _ROWS].tolist() for values in filled]
        file.write(csv_bytes(zip(*parts, strict=True)))


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows of a .csv file."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    if "\0" in text.getvalue():  # Python 3.10 would not read it
        raise ValueError(
            "Expected names without NUL characters in a .csv file (got some). Choose another suffix."
        )
    return text.getvalue().encode("utf-8", "surrogateescape")


def read_csv(path: Path) -> Parts:
    """The parts of a coreset, its ids and its checksum, all to be checked."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file, long_fields():
        head, *rows = [row for row in csv.reader(file) if row]
    for name in (*_COLUMNS, "d2pyg"):
        if name not in head:
            raise ValueError(f"it has no column {name!r}, and begins with {','.join(head)!r:.40}")
    if not rows:
        raise ValueError("it has no rows")
    if any(len(row) != len(head) for row in rows):
        raise ValueError("its rows are not of one length")
    columns: dict[str, Any] = dict(zip(head, zip(*rows, strict=True), strict=True))
    meta = json.loads(columns["d2pyg"][0])
    ids = None if meta["ids"] is None else list(columns["id"])
    _check_kept(columns.get("kept"), columns["rank"])
    return _parts(
        np.array(list(map(int, columns["index"])), dtype=np.int64),
        np.array([text != "" for text in columns["rank"]]),
        np.array([int(text or 0) for text in columns["rank"]], dtype=np.int64),
        np.array([float(text or "nan") for text in columns["pick_score"]]),
        np.array([float(text or "nan") for text in columns["score"]]),
        list(map(int, ids)) if ids is not None and meta["ids"] == "i" else ids,
        meta,
    )


def frame(fields: Fields) -> pandas.DataFrame:
    """The table as a data frame."""
    pandas = require("pandas", "pandas")
    columns: dict[str, Any] = {name: values for name, (values, _) in _columns(fields).items()}
    columns["rank"] = pandas.array(columns["rank"], dtype="Int64")
    columns["rank"][~columns["kept"]] = pandas.NA
    return pandas.DataFrame(columns)


def write_parquet(fields: Fields, file: IO[bytes]) -> None:
    """One row per sample."""
    arrays, kind = _arrow(_columns(fields))
    write_table(arrays, json.dumps(_meta(fields, kind)), file)


def write_parquet_table(columns: Columns, file: IO[bytes]) -> None:
    """Columns, null where there is no value."""
    write_table(_arrow(columns)[0], "{}", file)


def _arrow(columns: Columns) -> tuple[dict[str, Any], str]:
    """Arrays of Arrow by name, and the kind of the last text."""
    arrow = require("pyarrow", "pyarrow")
    arrays, kind = {}, "U"
    for name, (values, is_there) in columns.items():
        if values.dtype.kind in "UO":
            text, kind = text_column(values)
            arrays[name] = text.take(arrow.array(np.arange(len(values)), mask=~is_there))
        else:
            arrays[name] = arrow.array(values, mask=~is_there)
    return arrays, kind


def text_column(values: Array) -> tuple[Any, str]:
    """A column of text, "U"; of bytes, "S", where some names are not UTF-8."""
    arrow = require("pyarrow", "pyarrow")
    text = encoded(values)
    large = "large_" if sum(map(len, text)) >= _LONG else ""
    if all(map(_is_utf8, text)):
        return arrow.array(values.tolist(), getattr(arrow, f"{large}string")()), "U"
    return arrow.array(text, getattr(arrow, f"{large}binary")()), "S"


def write_table(columns: dict[str, Any], meta: str, file: IO[bytes]) -> None:
    """Writes a Parquet table: arrays by name, and as metadata all that has no column."""
    table = require("pyarrow", "pyarrow").table(columns).replace_schema_metadata({"d2pyg": meta})
    require("pyarrow.parquet", "pyarrow").write_table(table, file, row_group_size=GROUP_ROWS)


def read_parquet(path: Path) -> Parts:
    """The parts of a coreset, its ids and its checksum, all to be checked."""
    parquet = require("pyarrow.parquet", "pyarrow")
    with path.open("rb") as file:
        content = parquet.ParquetFile(file)
        groups = map(content.metadata.row_group, range(content.metadata.num_row_groups))
        numbers = 8 * len(_COLUMNS) * content.metadata.num_rows
        check_size(numbers + sum(part.total_byte_size for part in groups), path.stat().st_size)
        table = content.read()
    meta = json.loads((table.schema.metadata or {})[b"d2pyg"])
    rank = table.column("rank")
    if "kept" in table.column_names:
        _check_kept(table.column("kept").to_pylist(), rank.to_pylist())
    return _parts(
        table.column("index").to_numpy(),
        rank.is_valid().to_numpy(),
        rank.fill_null(0).to_numpy(),
        table.column("pick_score").fill_null(np.nan).to_numpy(),
        table.column("score").fill_null(np.nan).to_numpy(),
        None if meta["ids"] is None else table.column("id").to_pylist(),
        meta,
    )


def _columns(fields: Fields) -> Columns:
    """The values of each column, and a mask of the rows that have one."""
    picks, total = fields.index.numpy(), len(fields.scores)
    rest = np.ones(total, dtype=bool)
    rest[picks] = False
    order = np.concatenate([picks, rest.nonzero()[0]])
    everywhere, rank = np.ones(total, dtype=bool), np.arange(total)
    pick_score = np.full(total, np.nan)
    pick_score[: len(picks)] = fields.pick_scores.numpy()
    score = fields.scores.numpy()[order]
    return {
        "index": (order, everywhere),
        **({} if fields.ids is None else {"id": (fields.ids[order], everywhere)}),
        "rank": (rank, rank < len(picks)),
        "kept": (rank < len(picks), everywhere),
        "pick_score": (pick_score, ~np.isnan(pick_score)),
        "score": (score, ~np.isnan(score)),
    }


def _parts(
    index: Array, is_pick: Array, rank: Array, pick_score: Array, score: Array, ids: Any, meta: Any
) -> Parts:
    """The parts of a coreset from columns, for rows in any order."""
    order = np.argsort(index)
    if not np.array_equal(index[order], np.arange(len(index))):
        raise ValueError("it does not have one row per sample")
    picks = is_pick.nonzero()[0]
    picks = picks[np.argsort(rank[picks])]
    if not np.array_equal(rank[picks], np.arange(len(picks))):
        raise ValueError("its ranks are not 0, 1, 2, ...")
    return (
        torch.from_numpy(index[picks]),
        torch.from_numpy(pick_score[picks]),
        torch.from_numpy(score[order]),
        meta["settings"],
        None if ids is None else [ids[row] for row in order],
        meta.get("checksum"),
    )


def _check_kept(kept: Sequence[Any] | None, rank: Sequence[Any]) -> None:
    """Ranks say which samples are kept. A ``kept`` column that disagrees was changed by hand."""
    if kept is not None:
        for row, (flag, place) in enumerate(zip(kept, rank, strict=True)):
            if (str(flag).lower() == "true") != (place not in ("", None)):
                raise ValueError(f"its columns 'kept' and 'rank' differ in row {row}")


def _meta(fields: Fields, text: str) -> dict[str, Any]:
    """All that has no column in a table. ``ids`` is i for integers, U for text, S for text as bytes."""
    kind = None if fields.ids is None else "i" if fields.ids.dtype.kind == "i" else text
    return {"settings": fields.settings, "ids": kind, "checksum": checksum(fields)}


def _with_none(values: Array, is_there: Array) -> Array:
    filled = values.astype(object)
    filled[~is_there] = None
    return filled


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
