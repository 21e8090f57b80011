"""The command line: thin wrappers of the Python functions. One file per command.

Importing it is fast, so Ctrl-C works from the start. ``arguments`` holds the options of all commands. It
does not import torch, so help and errors in options come at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from d2pyg.cli import signals, streams

_EXPECTED = (ValueError, TypeError, ImportError, OSError, RuntimeError, MemoryError)
_WRONG_INPUT, _INTERNAL = 2, 1  # statuses


def run() -> NoReturn:
    """The process ``d2pyg``: runs the command of ``sys.argv`` and ends with its status.

    Ctrl-C and termination end it at once, with one line on stderr and status 130 or 143.
    """
    ending = signals.Ending()
    ending.answer()
    streams.open_missing()
    from d2pyg._base.outputs import discard_temporary, recorded

    ending.discard = discard_temporary
    with recorded() as ending.written:
        try:
            status: str | int | None = main()
        except SystemExit as end:  # argparse's, after --help or a wrong argument
            status = end.code
        streams.settle()
        signals.ignore()
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command from Python.

    Args:
        argv: Its words, such as ``["graph", "x.npy", "--out", "g.pt"]``; default: those of ``sys.argv``.

    Returns:
        0; 2 where an argument or a file is wrong; 130 where Ctrl-C came; 1 for a fault of d2pyg itself.

    Raises:
        SystemExit: After ``--help`` and ``--version`` (0), and without arguments or where they cannot be
            parsed (2).
    """
    words = sys.argv[1:] if argv is None else [*argv]
    verbose = "--verbose" in words
    written: Sequence[Path] = ()
    try:
        from d2pyg._base.outputs import recorded
        from d2pyg.cli import notices

        with recorded() as written, notices.in_lines(verbose):
            from d2pyg.cli.arguments.parser import parse

            arguments = parse(words)
            command = import_module(f"d2pyg.cli.{arguments.command}")  # takes seconds: torch
            command.run(arguments)
    except KeyboardInterrupt:
        streams.tell_line("", signals.last_line(written))
        return signals.INTERRUPTED
    except _EXPECTED as error:
        _tell_error("error", str(error).strip() or type(error).__name__, written)
        return _WRONG_INPUT
    except Exception as error:  # a fault of d2pyg, or of a module of the user's
        if verbose:
            import traceback

            streams.tell(traceback.format_exc())
        text = f"{type(error).__name__}: {error}. Pass --verbose for the traceback."
        _tell_error("internal error", text, written)
        return _INTERNAL
    return 0


def _tell_error(kind: str, text: str, written: Sequence[Path]) -> None:
    after = f" ({signals.listed(written)})" if written else ""
    streams.tell_line(f"d2pyg: {kind}: ", text + after)
