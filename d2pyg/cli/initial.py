"""--initial: reads the samples already chosen from files of several kinds, as indices in order."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg._base.choice import shown
from d2pyg._base.io import check_input, readable
from d2pyg._base.names import Names, as_ids
from d2pyg._base.options import CORESET_SUFFIXES
from d2pyg.cli.common import in_words_of_options
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.lists import read_list
from d2pyg.scores.recorder import Recorder
from d2pyg.selection.initial import as_initial, named
from d2pyg.sources.spec import path_of, read_array

_NAME = "initial"
_EITHER = "Pass names in a .txt or .json file, or indices in a coreset's, such as .npz."


def read_initial(specs: Sequence[str], files: Mapping[str, Any]) -> Tensor:
    """The samples of all files, int64 [I], each once, in the order of the files.

    Args:
        specs: Coresets, lists of names or indices, masks.
        files: What was read for the other arguments: the names of the samples, and their number.
    """
    total = _num_samples(files)
    ids = None if files.get("ids") is None else as_ids(files["ids"], total)
    found = [_of_file(spec, total, ids) for spec in specs]
    return torch.tensor(list(dict.fromkeys(torch.cat(found).tolist())), dtype=torch.int64)


def _num_samples(files: Mapping[str, Any]) -> int:
    """N, from the first array given. The method checks that all agree."""
    for name in ("embeddings", "scores", "labels", "ids"):
        values = files.get(name)
        if isinstance(values, Data):
            return int(values.num_nodes or 0)
        if isinstance(values, Recorder):
            return values.num_samples
        if values is not None and np.ndim(values):
            return len(values)
    raise ValueError(
        "Expected 'embeddings' or 'scores' with 'initial' (got no array of samples). Pass one, such as "
        "with --scores scores.npy."
    )


def _of_file(spec: str, total: int, ids: Names | None) -> Tensor:
    return of_content(content_of(spec), total, ids)


def of_content(content: Coreset | list[Any] | Names, total: int, ids: Names | None) -> Tensor:
    """The samples that it names, in its order."""
    if isinstance(content, list):
        return _of_list(content, total, ids)
    return as_initial(content, total, ids, _EITHER)


def content_of(spec: str) -> Coreset | list[Any] | Names:
    """A coreset, an array, or a list. A list holds names if samples have names."""
    path = path_of(spec)
    if path.suffix == ".txt":
        entries = read_array(_NAME, spec).tolist()
        return [] if entries == [""] else entries
    if path.suffix == ".json":
        check_input(_NAME, path, CORESET_SUFFIXES)
        with readable(_NAME, path):
            entries = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(entries, list):
            _check_entries(entries, path)
            return entries
    if path.suffix == ".parquet":
        check_input(_NAME, path, CORESET_SUFFIXES)
        with readable(_NAME, path):
            listed = read_list(path)
        if listed is not None:
            return listed
    if path.suffix in (".npz", ".pt"):
        with suppress(ValueError, TypeError):  # a coreset file holds several arrays
            return np.asarray(read_array(_NAME, spec))
    if path.suffix in CORESET_SUFFIXES:
        with in_words_of_options({"path": _NAME}):
            return Coreset.load(spec)
    return np.asarray(read_array(_NAME, spec))


def _of_list(entries: list[Any], total: int, ids: Names | None) -> Tensor:
    """Names if samples have names, otherwise indices; as text or as numbers."""
    if ids is None or ids.dtype.kind == "i":
        written = all(isinstance(entry, str) and re.fullmatch("-?[0-9]+", entry) for entry in entries)
        entries = [int(entry) for entry in entries] if written else entries
    if ids is None or not entries:
        return as_initial(entries, total)
    return named(_NAME, np.array(entries, dtype=object), ids)


def _check_entries(entries: list[Any], path: Path) -> None:
    wrong = [entry for entry in entries if not isinstance(entry, str | int)]
    if wrong:
        raise ValueError(
            f"Expected {_NAME!r} to be a list of names or indices in {str(path)!r} (got "
            f"{shown(wrong[0])}). Write them as --removed does."
        )
