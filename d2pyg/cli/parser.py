"""The arguments of all commands. Importing it imports torch."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from d2pyg._version import __version__
from d2pyg.cli import compare, duplicates, explain, graph, score, select, streams, sweep

USAGE_STATUS = 2


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, of which ``command`` is the function to call with them."""
    _import_modules(argv)
    parser = _Parser(
        prog="d2pyg",
        description="Keep the part of a training set worth training on.",
        epilog="exit status: 0 if all went well, 2 if an argument or a file is wrong, 1 for a fault of "
        "d2pyg itself, 130 or 143 if interrupted or terminated",
    )
    parser.add_argument("--version", action="version", version=f"d2pyg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (select, graph, sweep, score, explain, compare, duplicates):
        command.add_to(commands)
    for command_parser in commands.choices.values():
        _add_import(command_parser)
    return parser.parse_args(argv)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        streams.tell_line("d2pyg: error: ", f"{message} (see {self.prog} --help)")
        self.exit(USAGE_STATUS)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and version, which argparse would print past what becomes of stdout."""
        streams.say(message.rstrip("\n"))


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
        except (Exception, SystemExit) as error:  # a stranger's code can raise any
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ImportError(
                f"Expected 'import' to name a Python module that can be imported (got {module!r}: "
                f"{reason}). Run python -c 'import {module}' here for the whole story."
            ) from error
