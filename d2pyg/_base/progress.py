"""Progress bars: off by default, on stderr when asked for."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from tqdm import tqdm

from d2pyg._base.scalars import as_flag

if TYPE_CHECKING:
    Progress: TypeAlias = tqdm[Any]
else:
    Progress = tqdm


def progress_bar(total: int, what: str, unit: str, enabled: bool) -> Progress:
    """A bar that counts to ``total``; silent unless enabled, and without stderr."""
    stream = sys.stderr
    shown = as_flag("progress", enabled) and stream is not None and not stream.closed
    return tqdm(
        total=total, desc=what, unit=unit, unit_scale=True, disable=not shown, file=_Lenient(stream)
    )


def is_showing() -> bool:
    """Whether a bar is on the screen, so that its line has no end yet."""
    return len(getattr(tqdm, "_instances", ())) > 0


class _Lenient:
    """A stream whose errors are ignored: a full disk or a closed pipe only stops the bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
