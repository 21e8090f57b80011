"""Files that are read: that they are there, and why they cannot be read."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from d2pyg._base.commit import settle
from d2pyg._base.content import explained
from d2pyg._base.outputs import MissingPathError, check_suffix


@contextmanager
def readable(name: str, path: Path) -> Iterator[None]:
    """Turns what readers raise at a damaged or another kind of file into one error that says so."""
    try:
        yield
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # of the file system; the others are libraries' words for damaged content
        reason, remedy = explained(path, error)
        raise ValueError(
            f"Expected {name!r} to be a complete {path.suffix} file of numbers "
            f"(got {str(path)!r}: {reason}). {remedy}"
        ) from error


def check_input(name: str, path: str | os.PathLike[str], allowed: Iterable[str]) -> Path:
    """A file that exists, of a suffix that can be read."""
    check_suffix(name, path, allowed)
    settle(path)
    if not Path(path).is_file():
        raise MissingPathError(
            f"Expected {name!r} to be a file that exists (got {str(path)!r}). Check the path."
        )
    return Path(path)
