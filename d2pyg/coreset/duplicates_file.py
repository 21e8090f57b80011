"""What near-duplicates are read back from."""

from __future__ import annotations

import json
import os
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.io import check_input, readable
from d2pyg._base.names import Names, as_ids

Parts = tuple[Tensor, Tensor, dict[str, Any], Names | None]


class NotDuplicatesError(ValueError):
    """A file of another kind."""


def read_json(path: str | os.PathLike[str]) -> Parts:
    """The representatives, distances, settings and names that a ``.json`` file holds."""
    path = check_input("path", path, (".json",))
    with readable("path", path):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not {"kept", "removed"} <= content.keys():
        raise NotDuplicatesError(
            f"Expected 'path' to be a file of d2pyg.duplicates (got {str(path)!r:.150}, which lists "
            f"nothing kept and removed). Write it with its save()."
        )
    with readable("path", path):
        return _parts(content)


def _parts(content: dict[str, Any]) -> Parts:
    kept, removed = content["kept"], content["removed"]
    index = torch.tensor([*kept, *removed["index"]], dtype=torch.int64)
    samples, order = index.sort()
    if not samples.equal(torch.arange(len(samples))):
        raise ValueError("its samples are not 0, 1, 2, ...")
    if not set(removed["duplicate_of"]) <= set(kept):
        raise ValueError("it has duplicates of samples that are not kept")
    representative = torch.tensor([*kept, *removed["duplicate_of"]], dtype=torch.int64)[order]
    distance = torch.tensor([*(0.0 for _ in kept), *removed["distance"]], dtype=torch.float64)[order]
    ids = None
    if "kept_ids" in content:
        names = [*content["kept_ids"], *removed["id"]]
        ids = as_ids([names[place] for place in order.tolist()], len(samples))
    return representative, distance, content["settings"], ids
