"""What a command says: results on stdout, all else on stderr, each in characters that the stream has."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO, TypeGuard

from d2pyg._base.text import one_line

_LIMIT = 300  # characters of an error or a warning


def say(text: str) -> None:
    """Prints a result on stdout.

    A reader that has left, as ``head`` does, has what it wanted.

    Raises:
        OSError: If stdout takes no more, such as a file on a full disk.
    """
    with suppress(ConnectionError):
        _write(sys.stdout, text)


def tell(text: str) -> None:
    """Prints for people, on stderr; where nobody can be told, nothing is lost."""
    with suppress(OSError):
        _write(sys.stderr, text)


def tell_line(start: str, text: str) -> None:
    """Tells an error or a warning in one line of at most 300 characters."""
    tell(one_line(start + _in_characters_of(sys.stderr, text), _LIMIT))


def tell_at_once(text: str, new_line: bool) -> None:
    """Tells a line past the buffers of Python, which a signal may have found in use.

    Args:
        text: The line.
        new_line: Another line, such as a progress bar, has to end first.
    """
    line = one_line(_in_characters_of(sys.stderr, text), _LIMIT)
    start = "\n" if new_line else ""
    os.write(2, f"{start}{line}\n".encode(_encoding(sys.stderr)))


def on_terminal() -> bool:
    """Whether somebody watches stderr."""
    return _is_open(sys.stderr) and sys.stderr.isatty()


def open_missing() -> None:
    """Opens standard streams that are closed (``2>&-``) on nothing.

    Else the next file that is opened would be taken for them, and an output would hold what a library
    prints.
    """
    for descriptor, name, mode in (0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def settle() -> None:
    """Writes what is left, as Python itself complains about a stream that takes no more."""
    for stream in sys.stdout, sys.stderr:
        try:
            if _is_open(stream):
                stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def _write(stream: TextIO | None, text: str) -> None:
    if _is_open(stream):
        stream.write(_in_characters_of(stream, text) + "\n")
        stream.flush()


def _is_open(stream: TextIO | None) -> TypeGuard[TextIO]:
    return stream is not None and not stream.closed


def _in_characters_of(stream: TextIO | None, text: str) -> str:
    """The text with escapes for what the stream cannot encode, such as lone surrogates."""
    encoding = _encoding(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
