"""Output of commands: results on stdout, all else on stderr, in characters of the stream's encoding."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO, TypeGuard

from d2pyg._base.text import one_line

_LIMIT = 300  # characters of an error or a warning


def say(text: str) -> None:
    """Prints a result on stdout.

    If the reader has left, as ``head`` does, nothing is raised.

    Raises:
        OSError: If stdout takes no more, such as a file on a full disk.
    """
    with suppress(ConnectionError):
        _write(sys.stdout, text)


def tell(text: str) -> None:
    """Prints for people on stderr. Errors of stderr are ignored."""
    with suppress(OSError):
        _write(sys.stderr, text)


def tell_line(start: str, text: str) -> None:
    """Prints an error or a warning on stderr, in one line of at most 300 characters."""
    tell(one_line(start + _in_characters_of(sys.stderr, text), _LIMIT))


def tell_at_once(text: str, new_line: bool) -> None:
    """Writes a line to stderr without Python's buffers, which may be in use when a signal comes.

    Args:
        text: The line.
        new_line: Whether to end another line first, such as a progress bar.
    """
    line = one_line(_in_characters_of(sys.stderr, text), _LIMIT)
    start = "\n" if new_line else ""
    os.write(2, f"{start}{line}\n".encode(_encoding(sys.stderr)))


def on_terminal() -> bool:
    """Whether stderr is a terminal."""
    return _is_open(sys.stderr) and sys.stderr.isatty()


def open_missing() -> None:
    """Opens closed standard streams (``2>&-``) on the null device.

    Otherwise the next file that is opened would take their place, and libraries would print into it.
    """
    for descriptor, name, mode in (0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def settle() -> None:
    """Flushes the streams, because Python prints an error if a stream accepts no more at exit."""
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
    """The text with escapes for characters that the stream cannot encode, such as lone surrogates."""
    encoding = _encoding(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _encoding(stream: TextIO | None) -> str:
    return getattr(stream, "encoding", None) or "utf-8"
