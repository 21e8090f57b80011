"""DataComp: a folder of pairs, ``<shard>.parquet`` and ``<shard>.npz``."""

from __future__ import annotations

from pathlib import Path

from d2pyg._base.natural import natural
from d2pyg._base.registry import register
from d2pyg.sources.beside import Beside
from d2pyg.sources.npz import Npz
from d2pyg.sources.parquet import Parquet
from d2pyg.sources.table import Table, named


@register("source", "datacomp")
class DataComp(Beside):
    """A shard: metadata, and embeddings by tower such as ``l14_img`` and ``l14_txt``."""

    @classmethod
    def claims(cls, path: Path) -> bool:
        suffixes = {file.suffix for file in path.iterdir()} if path.is_dir() else set()
        return {".npz", ".parquet"} <= suffixes

    @classmethod
    def tables(cls, path: Path, argument: str = "path") -> list[Table]:
        vectors = {file.stem for file in path.glob("*.npz")}
        rows = {file.stem for file in path.glob("*.parquet")}
        for here, there, has, lacks in (
            (vectors, rows, ".npz", ".parquet"),
            (rows, vectors, ".parquet", ".npz"),
        ):
            if here - there:
                alone = natural(path / f"{stem}{has}" for stem in here - there)
                raise ValueError(
                    f"Expected {argument!r} to hold pairs, .parquet and .npz (got {len(alone)} {has} "
                    f"without {lacks}, the first {named(alone[0])}). Get the missing files, or name "
                    f"some by a glob."
                )
        return [
            cls(
                path / stem,
                argument,
                {
                    "vectors": Npz(path / f"{stem}.npz", argument),
                    "rows": Parquet(path / f"{stem}.parquet", argument),
                },
            )
            for stem in (shard.name for shard in natural(path / stem for stem in rows))
        ]
