"""What libraries warn and log while a command runs: a line each, without places in their source."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from d2pyg.cli.streams import tell_line

_WARNING = "d2pyg: warning: "


@contextmanager
def in_lines(verbose: bool) -> Iterator[None]:
    """Tells warnings in a line each; with ``verbose`` the plans that d2pyg logs too."""
    log, level = logging.getLogger("d2pyg"), logging.getLogger("d2pyg").level
    handler = _Lines("d2pyg: ")
    shown, last = warnings.showwarning, logging.lastResort
    warnings.showwarning = _show
    logging.lastResort = _Lines(_WARNING, logging.WARNING)
    if verbose:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        warnings.showwarning, logging.lastResort = shown, last
        log.removeHandler(handler)
        log.setLevel(level)


class _Lines(logging.Handler):
    def __init__(self, start: str, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.start = start

    def emit(self, record: logging.LogRecord) -> None:
        tell_line(self.start, record.getMessage())


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    tell_line(_WARNING, str(message))
