"""Checks that the parts of a coreset fit together, and computes their checksum."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.names import Names, as_ids, encoded


@dataclass(frozen=True, eq=False)
class Fields:
    """A coreset's parts, on the CPU."""

    index: Tensor
    pick_scores: Tensor
    scores: Tensor
    settings: dict[str, Any]
    ids: Names | None


def checked(index: Tensor, pick_scores: Tensor, scores: Tensor, settings: Any, ids: Any) -> Fields:
    """The parts, checked.

    Raises:
        ValueError, TypeError: If they are not; the message says what is wrong with "it".
    """
    if not all(isinstance(part, Tensor) for part in (index, pick_scores, scores)):
        raise ValueError("its arrays are missing")
    if index.dtype != torch.int64 or not index.dim() == scores.dim() == 1:
        raise ValueError("its arrays do not fit together")
    if pick_scores.shape != index.shape:
        raise ValueError("its arrays do not fit together")
    if not pick_scores.dtype == scores.dtype == torch.float64:
        raise ValueError("its scores are not float64")
    total = len(scores)
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < total:
        raise ValueError("its index lies outside its samples")
    if len(index.unique()) != len(index):
        raise ValueError("its samples are not distinct")
    _check_settings(settings, total)
    is_cut = scores.isnan()
    is_whole = not bool(scores.isinf().any() or pick_scores.isinf().any())
    if not is_whole or not pick_scores.isnan().equal(is_cut[index]):
        raise ValueError("its scores are not finite")
    if settings.get("num_dropped") == 0 and bool(is_cut.any()):
        raise ValueError("it has samples without scores, and its settings say that none was cut off")
    return Fields(index, pick_scores, scores, settings, None if ids is None else as_ids(ids, total))


def checksum(fields: Fields) -> str:
    """SHA-256 of all parts, the same in every format."""
    digest = hashlib.sha256()

    def add(part: bytes) -> None:
        digest.update(b"%d:" % len(part))
        digest.update(part)

    for tensor in (fields.index, fields.pick_scores, fields.scores):
        values = tensor.numpy()
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values)  # NaN has many patterns of bits
        add(values.astype(values.dtype.newbyteorder("<")).tobytes())
    settings = json.loads(json.dumps(fields.settings))  # as files hold them
    add(json.dumps(settings, sort_keys=True).encode())
    if fields.ids is not None and fields.ids.dtype.kind == "i":
        add(fields.ids.astype("<i8").tobytes())
    elif fields.ids is not None:
        for name in encoded(fields.ids):
            add(name)
    return digest.hexdigest()


def _check_settings(settings: Any, total: int) -> None:
    if not isinstance(settings, dict):
        raise ValueError("its settings are missing")
    count = settings.get("num_samples", total)
    if type(count) is not int or count != total:
        raise ValueError(f"its settings are of {count!r:.40} samples, and its scores of {total}")
    initial = settings.get("initial") or []
    is_list = isinstance(initial, list) and all(type(sample) is int for sample in initial)
    if not is_list or not all(0 <= sample < total for sample in initial):
        raise ValueError("the 'initial' of its settings is not a list of its samples")
    files = settings.get("files", {})
    if not isinstance(files, dict) or not all(_is_file(*one) for one in files.items()):
        raise ValueError("the 'files' of its settings are not paths by name")


def _is_file(name: str, named: Any) -> bool:
    """Whether it is a path or None; for ``initial``, also a list of paths."""
    several = named if isinstance(named, list) and name == "initial" else [named]
    return all(isinstance(path, str | None) for path in several)
