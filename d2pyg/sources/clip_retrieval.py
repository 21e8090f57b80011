"""clip-retrieval, as LAION has it: folders ``img_emb``, ``text_emb`` and ``metadata``."""

from __future__ import annotations

import re
from pathlib import Path

from d2pyg._base.natural import natural
from d2pyg._base.registry import register
from d2pyg.sources.beside import Beside
from d2pyg.sources.npy import Npy
from d2pyg.sources.parquet import Parquet
from d2pyg.sources.table import Table, named

_TOWERS = ("img_emb", "text_emb")
_FOLDERS: dict[str, type[Table]] = {**dict.fromkeys(_TOWERS, Npy), "metadata": Parquet}


@register("source", "clip_retrieval")
class ClipRetrieval(Beside):
    """A shard: ``img_emb_0.npy``, ``text_emb_0.npy`` and ``metadata_0.parquet`` in their folders."""

    @classmethod
    def claims(cls, path: Path) -> bool:
        return any((path / tower).is_dir() for tower in _TOWERS)

    @classmethod
    def tables(cls, path: Path, argument: str = "path") -> list[Table]:
        parts = {
            name: _numbered(path / name, argument, kind)
            for name, kind in _FOLDERS.items()
            if (path / name).is_dir()
        }
        numbers = sorted({number for found in parts.values() for number in found})
        for name, found in parts.items():
            lacking = [number for number in numbers if number not in found]
            if lacking:
                raise ValueError(
                    f"Expected {argument!r} to have equal shards in {', '.join(parts)} (got "
                    f"{len(lacking)} that {name} lacks, the first number {lacking[0]}, in "
                    f"{named(path)}). Get the missing files."
                )
        return [
            cls(path / str(number), argument, {name: found[number] for name, found in parts.items()})
            for number in numbers
        ]


def _numbered(folder: Path, argument: str, kind: type[Table]) -> dict[int, Table]:
    """The shards of a folder by the number that their names end in, zero-padded or not."""
    shards: dict[int, Table] = {}
    for path in natural(path for path in folder.iterdir() if kind.claims(path)):
        number = re.search("([0-9]+)$", path.stem)
        if number is None or int(number[1]) in shards:
            raise ValueError(
                f"Expected {argument!r} to have files that end in a number each, once (got "
                f"{named(path)}). Rename it."
            )
        shards[int(number[1])] = kind(path, argument)
    return shards
