"""Prints warnings and logs while a command runs, one line each, without those of torch and PyG."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from d2pyg.cli.streams import tell_line

_WARNING = "d2pyg: warning: "
_LEFT_OUT = ("torch", "torch_geometric", "torch_cluster", "torch_scatter", "pyg_lib")


@contextmanager
def in_lines(verbose: bool) -> Iterator[None]:
    """Prints each warning in one line. With ``verbose``, also prints d2pyg's logs of memory plans."""
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
        if record.name.partition(".")[0] not in _LEFT_OUT:
            tell_line(self.start, record.getMessage())


def _show(message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any) -> None:
    if not _is_of_libraries(category, Path(filename)):
        tell_line(_WARNING, str(message))


def _is_of_libraries(category: type[Warning], path: Path) -> bool:
    """Whether a warning is from torch or PyG: at their own lines, or at lines of d2pyg that call them.

    d2pyg's own warnings point to lines outside d2pyg. NumPy's warnings are of another category.
    """
    own = Path(__file__).parents[1]
    if path.is_relative_to(own) and path != own / "__main__.py":
        return not issubclass(category, RuntimeWarning)
    homes = (getattr(sys.modules.get(name), "__file__", None) for name in _LEFT_OUT)
    return any(home and path.is_relative_to(Path(home).parent) for home in homes)
