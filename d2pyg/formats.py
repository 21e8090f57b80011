"""File formats of a coreset: what each suffix holds, written and read."""

from __future__ import annotations

import csv
import io
import json
import math
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg.extras import require
from d2pyg.io import load_pt
from d2pyg.outputs import check_output

if TYPE_CHECKING:
    from d2pyg.coreset import Coreset

Fields = tuple[Tensor, Tensor, Tensor, dict[str, Any], "np.ndarray[Any, Any] | None"]


def _arrays(coreset: Coreset) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {
        "index": coreset.index.cpu().numpy(),
        "pick_scores": coreset.pick_scores.cpu().numpy(),
        "scores": coreset.scores.cpu().numpy(),
    }
    return arrays if coreset.ids is None else {**arrays, "ids": coreset.ids}


def _npy(coreset: Coreset) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, coreset.index.cpu().numpy())
    return buffer.getvalue()


def _npz(coreset: Coreset) -> bytes:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {**_arrays(coreset), "settings": np.array(json.dumps(coreset.settings))}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _pt(coreset: Coreset) -> bytes:
    buffer = io.BytesIO()
    content: dict[str, Any] = {
        "index": coreset.index.cpu(),
        "pick_scores": coreset.pick_scores.cpu(),
        "scores": coreset.scores.cpu(),
        "settings": json.dumps(coreset.settings),
    }
    if coreset.ids is not None:
        content["ids"] = coreset.ids.tolist()
    torch.save(content, buffer)
    return buffer.getvalue()


def _json(coreset: Coreset) -> bytes:
    content: dict[str, Any] = {key: _plain(array) for key, array in _arrays(coreset).items()}
    return json.dumps({**content, "settings": coreset.settings}, allow_nan=False).encode()


def _table(coreset: Coreset) -> dict[str, list[Any]]:
    """A row a sample, the picks first."""
    arrays = _arrays(coreset)
    rest = (~coreset.mask).nonzero().flatten().cpu().numpy()
    order = np.concatenate([arrays["index"], rest])
    none = [None] * len(rest)
    return {
        "index": order.tolist(),
        **({} if coreset.ids is None else {"id": coreset.ids[order].tolist()}),
        "rank": [*range(len(coreset)), *none],
        "pick_score": [*arrays["pick_scores"].tolist(), *none],
        "score": _plain(arrays["scores"][order]),
    }


def _meta(coreset: Coreset) -> str:
    kind = None if coreset.ids is None else coreset.ids.dtype.kind
    return json.dumps({"settings": coreset.settings, "ids": kind})


def _csv(coreset: Coreset) -> bytes:
    table = _table(coreset)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([*table, "d2pyg"])
    for number, row in enumerate(zip(*table.values(), strict=True)):
        writer.writerow([*row, "" if number else _meta(coreset)])
    return buffer.getvalue().encode()


def _parquet(coreset: Coreset) -> bytes:
    arrow = require("pyarrow", "pyarrow")
    parquet = require("pyarrow.parquet", "pyarrow")
    table = arrow.table(_table(coreset)).replace_schema_metadata({"d2pyg": _meta(coreset)})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def _from_npz(path: Path) -> Fields:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        index, pick_scores, scores = (
            torch.from_numpy(content[name]) for name in ("index", "pick_scores", "scores")
        )
        ids = content.get("ids")
        return index, pick_scores, scores, json.loads(str(content["settings"])), ids


def _from_pt(path: Path) -> Fields:
    content = load_pt(path)
    ids = np.asarray(content["ids"]) if "ids" in content else None
    settings = json.loads(content["settings"])
    return content["index"], content["pick_scores"], content["scores"], settings, ids


def _from_json(path: Path) -> Fields:
    content = json.loads(path.read_text(encoding="utf-8"))
    return (
        torch.tensor([operator.index(i) for i in content["index"]], dtype=torch.int64),
        torch.tensor(content["pick_scores"], dtype=torch.float64),
        _scores(content["scores"]),
        content["settings"],
        np.asarray(content["ids"]) if "ids" in content else None,
    )


def _from_csv(path: Path) -> Fields:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    meta = json.loads(rows[0]["d2pyg"])
    columns: dict[str, list[Any]] = {
        "index": [int(row["index"]) for row in rows],
        "rank": [int(row["rank"]) if row["rank"] else None for row in rows],
        "pick_score": [float(row["pick_score"]) if row["rank"] else None for row in rows],
        "score": [float(row["score"]) if row["score"] else None for row in rows],
    }
    if meta["ids"] is not None:
        columns["id"] = [row["id"] for row in rows]
        if meta["ids"] == "i":
            columns["id"] = [int(name) for name in columns["id"]]
    return _from_table(columns, meta)


def _from_parquet(path: Path) -> Fields:
    parquet = require("pyarrow.parquet", "pyarrow")
    with path.open("rb") as file:
        try:
            table = parquet.read_table(file)
        except OSError as error:  # pyarrow's word for damaged content
            raise ValueError(str(error)) from error
    meta = json.loads((table.schema.metadata or {})[b"d2pyg"])
    return _from_table(table.to_pydict(), meta)


def _from_table(columns: dict[str, list[Any]], meta: dict[str, Any]) -> Fields:
    order = np.argsort(columns["index"])
    if sorted(columns["index"]) != list(range(len(order))):
        raise ValueError("its rows are not one a sample")
    ranks = columns["rank"]
    picks = sorted((row for row, rank in enumerate(ranks) if rank is not None), key=ranks.__getitem__)
    if [ranks[row] for row in picks] != list(range(len(picks))):
        raise ValueError("its ranks are not 0, 1, 2, ...")
    ids = None if meta["ids"] is None else np.asarray(columns["id"])[order]
    return (
        torch.tensor([columns["index"][row] for row in picks], dtype=torch.int64),
        torch.tensor([columns["pick_score"][row] for row in picks], dtype=torch.float64),
        _scores([columns["score"][i] for i in order]),
        meta["settings"],
        ids,
    )


def _scores(values: Sequence[float | None]) -> Tensor:
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def _plain(array: np.ndarray[Any, Any]) -> list[Any]:
    """A list for text formats, which know no NaN."""
    if array.dtype.kind != "f":
        return list(array.tolist())
    return [None if math.isnan(value) else value for value in array.tolist()]


WRITERS: dict[str, Callable[[Coreset], bytes]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".pt": _pt,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
READERS: dict[str, Callable[[Path], Fields]] = {
    ".npz": _from_npz,
    ".pt": _from_pt,
    ".json": _from_json,
    ".csv": _from_csv,
    ".parquet": _from_parquet,
}


def write(coreset: Coreset, file: IO[bytes], suffix: str) -> None:
    """Writes a coreset in the format of a suffix."""
    file.write(WRITERS[suffix](coreset))


def name_list(names: np.ndarray[Any, Any], suffix: str) -> bytes:
    """A file of names or indices: ``.npy``, ``.json``, or ``.txt``, a line each.

    Raises:
        ValueError: If a name cannot be told from two in a ``.txt`` file.
    """
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, names)
        return buffer.getvalue()
    if suffix == ".json":
        return json.dumps(names.tolist()).encode()
    lines = [str(name) for name in names.tolist()]
    for line in lines:
        if len(f"{line}.".splitlines()) > 1 or line.startswith("\ufeff"):
            raise ValueError(
                f"Expected 'removed' to be a .json or .npy file for names that are not one line of "
                f"text (got .txt and {line!r}). Choose another suffix."
            )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def check_target(name: str, path: str | os.PathLike[str]) -> Path:
    """A path that a coreset can be written to; asked before work begins, so that none is lost."""
    target = check_output(name, path, WRITERS)
    if target.suffix == ".parquet":
        require("pyarrow", "pyarrow")
    return target
