"""The words of a command line, parsed."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from d2pyg._base.choice import check_choice, nearest
from d2pyg._base.registry import FAMILIES, check_name
from d2pyg._version import __version__
from d2pyg.cli import streams
from d2pyg.cli.arguments import (
    compare,
    demo,
    duplicates,
    explain,
    extend,
    graph,
    score,
    select,
    shrink,
    sweep,
    take,
)
from d2pyg.cli.arguments.options import allowed

USAGE_STATUS = 2
_OPTION = re.compile(r"--?[^\W\d]\S*$")  # no negative number, and no text with spaces


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The parsed arguments. ``command`` is the name of the command to run."""
    _import_modules(argv)
    parser = _Parser(
        prog="d2pyg",
        description="Keep the part of a training set that is worth training on.",
        epilog="exit status: 0 for success, 2 if an argument or a file is wrong, 1 for an internal "
        "error, 130 if interrupted, 143 if terminated",
    )
    parser.add_argument("--version", action="version", version=f"d2pyg {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for command in (
        select,
        take,
        graph,
        extend,
        shrink,
        sweep,
        score,
        explain,
        compare,
        duplicates,
        demo,
    ):
        command.add_to(commands)
    parser.commands = list(commands.choices)
    if not argv:
        streams.tell(parser.format_help().rstrip("\n"))
        parser.exit(USAGE_STATUS)
    arguments = parser.parse_args(argv)
    if "command" not in arguments:
        parser.error(f"expected a command: {', '.join(parser.commands)}")
    _check_names(arguments)
    return arguments


def _check_names(arguments: argparse.Namespace) -> None:
    """Refuses unknown names, before any file is read."""
    for option, names in {**allowed(), **getattr(arguments, "names", {})}.items():
        value = getattr(arguments, option, None)
        if value is not None:
            check = check_name if option in FAMILIES else check_choice
            check(option, value, list(names))


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with a suggestion."""

    commands: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        streams.tell_line("d2pyg: error: ", f"{message} (see {self.prog} --help)")
        self.exit(USAGE_STATUS)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reports a mistyped word before one that is missing because of it."""
        known = self._option_string_actions
        for word in args:
            if self.commands and not word.startswith("-"):
                check_choice("COMMAND", word, self.commands, "See d2pyg --help.")
                break
            if word == "--":
                break
            option, _, _ = word.partition("=")
            if _OPTION.match(word) and option not in known:
                meant = nearest(option, known)
                hint = "" if meant is None else f". Did you mean {meant}?"
                self.error(f"unrecognized arguments: {word}{hint}")
        return super().parse_known_args(args, namespace)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints help and version through streams, because argparse ignores errors of stdout."""
        streams.say(message.rstrip("\n"))


def _import_modules(argv: Sequence[str]) -> None:
    """Imports the modules of ``--import``, before help lists the registered names.

    The current folder is the first on the path, as with ``python -m``.
    """
    modules = [*_modules(argv)]
    if modules and not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, "")
    for module in modules:
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:  # the module can raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ImportError(
                f"Expected 'import' to name a Python module that can be imported (got {module!r}: "
                f"{reason}). Run python -c 'import {module}' here for the whole story."
            ) from error


def _modules(argv: Sequence[str]) -> Iterator[str]:
    words = argv[: argv.index("--")] if "--" in argv else argv
    for word, after in pairwise([*words, "-"]):
        if word == "--import" and not after.startswith("-"):
            yield after
        elif word.startswith("--import="):
            yield word.partition("=")[2]
