"""The formats that there are, and the one of some files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from d2pyg._base.compressed import suffixes_of
from d2pyg._base.outputs import MissingPathError
from d2pyg.data.files.arrow import ArrowStream
from d2pyg.data.files.csv_rows import Csv, Tsv
from d2pyg.data.files.format import Format
from d2pyg.data.files.lines import JsonLines
from d2pyg.data.files.parquet import Parquet
from d2pyg.data.files.webdataset import WebDataset

_FORMATS: tuple[Format, ...] = (JsonLines(), Csv(), Tsv(), Parquet(), WebDataset(), ArrowStream())
ENDINGS = ", ".join(suffix for one in _FORMATS for suffix in one.suffixes)


def format_of(path: Path) -> Format | None:
    """The format that the suffix says, if one is known."""
    suffix, compression = suffixes_of(path)
    for one in _FORMATS:
        if suffix in one.suffixes and (one.may_be_compressed or not compression):
            return one
    return None


def format_of_all(files: Sequence[Path]) -> Format:
    """The format of all files, of which there is at least one.

    Raises:
        FileNotFoundError: If one is not there.
        ValueError: If they are of several formats, or of one that is unknown.
    """
    formats: dict[Format, Path] = {}
    for path in files:
        if not path.is_file():
            raise MissingPathError(
                f"Expected 'data' to be files that exist (got {str(path)!r:.150}). Check the path."
            )
        one = format_of(path)
        if one is None:
            raise ValueError(
                f"Expected 'data' to end in {ENDINGS}, or in these and .gz or .zst (got "
                f"{str(path)!r:.100}). The suffix says the format."
            )
        formats.setdefault(one, path)
    if len(formats) > 1:
        counts = Counter(suffixes_of(path)[0] for path in files)
        several = ", ".join(f"{count} {suffix}" for suffix, count in counts.items())
        most = max(files, key=lambda path: counts[suffixes_of(path)[0]])
        raise ValueError(
            f"Expected 'data' to be files of one kind (got {several}). Name those, such as with "
            f"'{most.parent}/*{''.join(suffixes_of(most))}'."
        )
    return next(iter(formats))
