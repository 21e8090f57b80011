"""Tar files of WebDataset: members that follow one another with one key are a sample."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from typing import IO, Any

from d2pyg.data.files.format import Format
from d2pyg.data.files.rows import Rows

_NAME = re.compile(r"((?:.*/|)[^.]+)[.]([^/]*)")  # key and suffix, as webdataset splits them
_META = re.compile(r"__[^/]*__($|/)")  # which webdataset skips
Member = tuple[tarfile.TarInfo, bytes]


class WebDataset(Format):
    """All members of a sample stay together, as bytes: nothing is decoded or unpickled.

    The id is the key, or with ``ids="name"`` what the sample's ``.json`` member has by that name.
    Members of no sample, such as folders, are copied.
    """

    suffixes = (".tar",)

    def copy(self, source: IO[bytes], target: IO[bytes], rows: Rows) -> None:
        with (
            tarfile.open(fileobj=source, mode="r|") as tar,
            tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as out,
        ):
            for key, members in _samples(tar, rows):
                if key is None or rows.keep(1, _names(key, members, rows))[0]:
                    for info, content in members:
                        out.addfile(info, io.BytesIO(content))
                        out.members = []  # type: ignore[attr-defined]  # else it remembers those of the whole file


def _samples(tar: tarfile.TarFile, rows: Rows) -> Iterator[tuple[str | None, list[Member]]]:
    """Keys and members of samples; members of no sample by themselves, without a key."""
    last: str | None = None
    sample: list[Member] = []
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]
        if info.sparse is not None:
            rows.fail(0, f"the sparse member {info.name!r:.60}", "Write the file without holes.")
        file = tar.extractfile(info) if info.isreg() else None
        member = info, b"" if file is None else file.read()
        key = _key_of(info)
        if key is None:
            yield None, [member]
            continue
        if sample and key != last:
            yield last, sample
            sample = []
        last = key
        sample.append(member)
    if sample:
        yield last, sample


def _key_of(info: tarfile.TarInfo) -> str | None:
    """The key of the sample that a member is of, None if of none."""
    found = _NAME.fullmatch(info.name)
    return found[1] if found and info.isreg() and not _META.match(info.name) else None


def _names(key: str, members: list[Member], rows: Rows) -> list[Any] | None:
    column = rows.column_among(["__key__", *([rows.asked] if rows.asked else [])])
    if column in (None, "__key__"):
        return None if column is None else [key]
    for info, content in members:
        if info.name == f"{key}.json":
            try:
                return [json.loads(content)[column]]
            except (ValueError, TypeError, LookupError):
                break
    return rows.fail(0, f"no {column!r:.40} in {key[-60:]}.json", "Leave out 'ids' to go by keys.")
