"""The file formats of a coreset, by suffix."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.content import Arrays, load_pt
from d2pyg._base.extras import require
from d2pyg._base.names import Names, as_text, decoded, encoded
from d2pyg._base.outputs import check_output
from d2pyg.coreset.integrity import Fields, checked, checksum
from d2pyg.coreset.tables import Parts, read_csv, read_parquet, write_csv, write_parquet

_LARGE = 1 << 28  # bytes that are not compressed: 256 MiB


def write(fields: Fields, file: IO[bytes], suffix: str) -> None:
    """Writes the parts of a coreset in the format of a suffix.

    Raises:
        ValueError: If they do not fit together, so the file could not be read.
    """
    try:
        fields = checked(fields.index, fields.pick_scores, fields.scores, fields.settings, fields.ids)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"Expected the coreset to be one that can be read back (but {error}). Make it with "
            f"d2pyg.select or another method."
        ) from error
    WRITERS[suffix](fields, file)


def read(path: Path) -> Fields:
    """The parts of a coreset, checked.

    Raises:
        Exception: Any kind, for :func:`d2pyg._base.io.readable` to explain.
    """
    *parts, written = READERS[path.suffix](path)
    fields = checked(*parts)
    if written is not None and written != checksum(fields):
        raise ValueError("its content does not fit its checksum: it is damaged, or was changed by hand")
    return fields


def check_target(name: str, path: str | os.PathLike[str]) -> Path:
    """A path that a coreset can be written to. Checked before work begins, so that no work is lost."""
    target = check_output(name, path, WRITERS)
    if target.suffix == ".parquet":
        require("pyarrow", "pyarrow")
    return target


def _write_npy(fields: Fields, file: IO[bytes]) -> None:
    np.save(file, fields.index.numpy())


def _write_npz(fields: Fields, file: IO[bytes]) -> None:
    arrays: dict[str, Any] = {
        **{name: getattr(fields, name).numpy() for name in ("index", "pick_scores", "scores")},
        **_as_arrays(fields.ids),
        "settings": np.array(json.dumps(fields.settings)),
        "checksum": np.array(checksum(fields)),
    }
    # Scores that are all alike would be compressed so far that no reader could trust the file.
    is_large = sum(array.nbytes for array in arrays.values()) > _LARGE
    (np.savez if is_large else np.savez_compressed)(file, **arrays)


def _as_arrays(ids: Names | None) -> dict[str, Any]:
    """Names as one array. If that would be too wide: their bytes, and where each name ends."""
    if ids is None:
        return {}
    array = as_text(ids.tolist()) if ids.dtype.kind in "UO" else ids
    if array.dtype.kind != "O":
        return {"ids": array}
    names = encoded(array)
    ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    return {"ids_utf8": np.frombuffer(b"".join(names), dtype=np.uint8), "ids_end": ends}


def _read_npz(path: Path) -> Parts:
    with path.open("rb") as file:
        content = Arrays(file)
        index, pick_scores, scores = (
            torch.from_numpy(content[name]) for name in ("index", "pick_scores", "scores")
        )
        written = content.get("checksum")
        settings = json.loads(str(content["settings"]))
        ids = content.get("ids")
        if "ids_utf8" in content:
            text, ends = content["ids_utf8"].tobytes(), content["ids_end"].tolist()
            ids = decoded([text[a:b] for a, b in zip([0, *ends], ends, strict=False)])
        return index, pick_scores, scores, settings, ids, None if written is None else str(written)


def _write_pt(fields: Fields, file: IO[bytes]) -> None:
    content: dict[str, Any] = {
        "index": fields.index,
        "pick_scores": fields.pick_scores,
        "scores": fields.scores,
        "settings": json.dumps(fields.settings),
        "checksum": checksum(fields),
    }
    if fields.ids is not None:
        content["ids"] = fields.ids.tolist()
    torch.save({name: _alone(value) for name, value in content.items()}, file)


def _alone(value: Any) -> Any:
    """A copy of a view, because torch would save all that it is a view of."""
    return value.clone() if isinstance(value, Tensor) else value


def _read_pt(path: Path) -> Parts:
    content = load_pt(path)
    settings = json.loads(content["settings"])
    parts = (content["index"], content["pick_scores"], content["scores"], settings)
    return *parts, content.get("ids"), content.get("checksum")


def _write_json(fields: Fields, file: IO[bytes]) -> None:
    content: dict[str, Any] = {
        "index": fields.index.tolist(),
        "pick_scores": _plain(fields.pick_scores),
        "scores": _plain(fields.scores),
        "settings": fields.settings,
        "checksum": checksum(fields),
    }
    if fields.ids is not None:
        content["ids"] = fields.ids.tolist()
    file.write(json.dumps(content, allow_nan=False).encode())


def _read_json(path: Path) -> Parts:
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    return (
        torch.tensor([operator.index(i) for i in content["index"]], dtype=torch.int64),
        _scores(content["pick_scores"]),
        _scores(content["scores"]),
        content["settings"],
        content.get("ids"),
        content.get("checksum"),
    )


def _scores(values: Sequence[float | None]) -> Tensor:
    return torch.tensor([math.nan if v is None else v for v in values], dtype=torch.float64)


def _plain(values: Tensor) -> list[float | None]:
    """Numbers for JSON, which has no NaN."""
    return [None if math.isnan(value) else value for value in values.tolist()]


WRITERS: dict[str, Callable[[Fields, IO[bytes]], None]] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".pt": _write_pt,
    ".json": _write_json,
    ".csv": write_csv,
    ".parquet": write_parquet,
}
READERS: dict[str, Callable[[Path], Parts]] = {
    ".npz": _read_npz,
    ".pt": _read_pt,
    ".json": _read_json,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
