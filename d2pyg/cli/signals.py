"""Ctrl-C and termination end the process at once, with one line that says what was written."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from d2pyg.cli.streams import tell_at_once

_WORDS = {int(signal.SIGINT): "interrupted", int(signal.SIGTERM): "terminated"}
INTERRUPTED = 128 + signal.SIGINT  # the status


class Ending:
    """How this process ends at a signal.

    No exception is raised, because it could be lost: in an import, in a callback, in ``__del__``.

    Attributes:
        written: What was put in place so far.
        discard: Removes temporary files.
    """

    def __init__(self) -> None:
        self.written: list[Path] = []
        self.discard: Callable[[], None] = lambda: None

    def answer(self) -> None:
        """From now on, signals end the process. A signal that is already ignored stays ignored."""
        for number in _WORDS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)

    def _end(self, number: int, _: FrameType | None) -> None:
        """Imports nothing, because the signal may come in the middle of an import."""
        ignore()
        try:
            self.discard()
            signal.signal(number, lambda *_: os._exit(128 + number))  # in case stderr takes no more
            on_bar = getattr(sys.modules.get("d2pyg._base.progress"), "is_showing", bool)()
            tell_at_once(last_line(self.written, number), new_line=on_bar)
        finally:
            os._exit(128 + number)


def ignore() -> None:
    """Ignores signals, for the end of a process, when everything is written."""
    for number in _WORDS:
        signal.signal(number, signal.SIG_IGN)


def last_line(written: Sequence[Path], number: int = signal.SIGINT) -> str:
    """Says which files had been written when the signal came."""
    if not written:
        return f"d2pyg: {_WORDS[number]}, nothing was written"
    return f"d2pyg: {_WORDS[number]} after {listed(written)}"


def listed(written: Sequence[Path]) -> str:
    """Says that these files were written."""
    return f"{' and '.join(map(str, written))} {'was' if len(written) == 1 else 'were'} written"
