"""Folders that Hugging Face's ``save_to_disk`` wrote."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from d2pyg.data.files.formats import format_of_all
from d2pyg.data.files.shards import Shards

_STATE, _INFO, _SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"


def saved_to_disk(folder: Path) -> Shards | None:
    """The shards of a data set; None, if the folder holds none. Nothing in it is unpickled.

    Raises:
        ValueError: If it holds several splits, or is incomplete.
    """
    if (folder / _SPLITS).is_file():
        splits = sorted(path.name for path in folder.iterdir() if (path / _STATE).is_file())
        raise ValueError(
            f"Expected 'data' to be one split of a data set (got {str(folder)!r:.100}, with "
            f"{', '.join(splits):.80}). Name one, such as {folder / next(iter(splits), '')}."
        )
    if not (folder / _STATE).is_file() or not (folder / _INFO).is_file():
        return None
    info, text = (folder / _INFO).read_bytes(), (folder / _STATE).read_bytes()
    try:
        state = json.loads(text)
        names = [str(entry["filename"]) for entry in state["_data_files"]]
        is_complete = bool(names) and not state.get("_indices_data_files")
    except (ValueError, TypeError, LookupError, AttributeError):
        is_complete = False
    is_here = is_complete and all(Path(name).name == name for name in names)
    if not is_here or len(set(names)) < len(names):
        raise ValueError(
            f"Expected 'data' to be as save_to_disk writes it (got {str(folder)!r:.100}, whose "
            f"state.json names other files or none). Load it, and save it again."
        )

    def beside(kept: str) -> dict[str, bytes]:
        """The fingerprint is of the content, and caches of datasets go by it."""
        own = {**state, "_fingerprint": hashlib.sha256(text + kept.encode()).hexdigest()[:16]}
        return {_INFO: info, _STATE: json.dumps(own, indent=2).encode()}

    files = [folder / name for name in names]
    return Shards(dict(zip(names, files, strict=True)), format_of_all(files), [folder], beside)
