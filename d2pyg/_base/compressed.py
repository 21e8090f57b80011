"""Files that may be compressed with gzip or Zstandard, read and written as they would be without."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from d2pyg._base.extras import require

SUFFIXES = (".gz", ".zst")
_CHUNK = 1 << 16  # compressed bytes that are read together
_GZIP_LEVEL = 6  # as the gzip command has it


def suffixes_of(path: Path) -> tuple[str, str]:
    """What says the format, and what says the compression; either may be empty.

    Example:
        >>> [suffixes_of(Path(name)) for name in ("rows.jsonl.GZ", "rows.csv", "images.tgz")]
        [('.jsonl', '.gz'), ('.csv', ''), ('.tar', '.gz')]
    """
    last = path.suffix.lower()
    if last == ".tgz":
        return ".tar", ".gz"
    if last in SUFFIXES:
        return Path(path.stem).suffix.lower(), last
    return last, ""


@contextmanager
def decompressed(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file; a file that ends too early is an error when its end is reached.

    Raises:
        ImportError: If zstandard is needed and not installed.
    """
    suffix = suffixes_of(path)[1]
    decoder = _zstandard().ZstdDecompressor() if suffix == ".zst" else None
    with path.open("rb") as file:
        if decoder is not None:
            yield io.BufferedReader(_Zstandard(file, decoder))
        elif suffix == ".gz":
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
        else:
            yield file


@contextmanager
def compressed(file: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    """A file whose content is compressed into another, the same bytes each time."""
    if suffix == ".zst":
        with _zstandard().ZstdCompressor().stream_writer(file, closefd=False) as inner:
            yield inner
    elif suffix == ".gz":
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as inner:
            yield cast(IO[bytes], inner)
    else:
        yield file


def _zstandard() -> Any:
    return require("zstandard", "zstandard")


class _Zstandard(io.RawIOBase):
    """Frames, one after the other. zstandard's own reader takes a file that was cut for a whole one."""

    def __init__(self, file: IO[bytes], decoder: Any) -> None:
        self._file, self._decoder = file, decoder
        self._frame: Any = None  # that is being read
        self._left, self._ready = b"", b""  # compressed, and decompressed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._left or self._file.read(_CHUNK)
            if not data:
                if self._frame is not None:
                    raise EOFError("it ends within a frame")
                return 0
            self._frame = self._frame or self._decoder.decompressobj()
            self._ready, self._left = self._frame.decompress(data), b""
            if self._frame.eof:
                self._left, self._frame = self._frame.unused_data, None
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count
