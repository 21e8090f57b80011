"""The command line: doors into the Python functions, with no logic of their own. One file a command."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from d2pyg._version import __version__
from d2pyg.cli import compare, explain, graph, score, select, sweep

USAGE_STATUS = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status: 0, or 2 where an argument or a file is wrong."""
    try:
        _import_modules(argv)
    except ImportError as error:
        print(f"d2pyg: error: {error}", file=sys.stderr)
        return USAGE_STATUS
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = arguments.command
    problem: str | None = None
    with warnings.catch_warnings(), _told(arguments.verbose):
        warnings.showwarning = _show_warning
        try:
            command(arguments)
        except (ValueError, TypeError, ImportError, OSError, RuntimeError, MemoryError) as error:
            problem = " ".join(str(error).split()) or type(error).__name__
        except KeyboardInterrupt:
            print("d2pyg: interrupted, nothing was written", file=sys.stderr)
            return 130
    if problem is not None:
        print(f"d2pyg: error: {problem}", file=sys.stderr)
        return USAGE_STATUS
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        self.exit(USAGE_STATUS, f"d2pyg: error: {line} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="d2pyg", description="Keep the part of a training set worth training on.")
    parser.add_argument("--version", action="version", version=f"d2pyg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (select, graph, sweep, score, explain, compare):
        command.add_to(commands)
    for command_parser in commands.choices.values():
        _add_import(command_parser)
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import", action="append", default=[], dest="modules", metavar="MODULE",
        help="import a Python module first, such as one that registers names of yours; as with "
        "python -m, the current folder is searched first; can be repeated",
    )  # fmt: skip


def _import_modules(argv: Sequence[str] | None) -> None:
    """Imports what ``--import`` names, before any help lists the names that are registered.

    The current folder is the first on the path, as with ``python -m``.
    """
    parser = _Parser(prog="d2pyg", add_help=False, allow_abbrev=False)
    _add_import(parser)
    modules = parser.parse_known_args(argv)[0].modules
    if modules and not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, "")
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # a stranger's code can raise any
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ImportError(
                f"Expected 'import' to name a Python module that can be imported (got {module!r}: "
                f"{reason}). Run python -c 'import {module}' here for the whole story."
            ) from error


@contextmanager
def _told(verbose: bool) -> Iterator[None]:
    """What the library logs about its plans, on stderr."""
    log, handler = logging.getLogger("d2pyg"), logging.StreamHandler(sys.stderr)
    before = log.level
    if verbose:
        handler.setFormatter(logging.Formatter("d2pyg: %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"d2pyg: warning: {message}", file=sys.stderr)
