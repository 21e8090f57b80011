"""Options of selection methods, read from their signatures and docstrings: a method is one function."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor

from d2pyg import baselines  # noqa: F401  # they register themselves
from d2pyg._base.registry import choices, look_up
from d2pyg.cli.common import real, whole
from d2pyg.coreset.coreset import Coreset

Method = Callable[..., Coreset]
_TYPES = {bool: None, float: "F", int: "N", str: "NAME"}  # of several, the first
_PARSERS: dict[type, Callable[[str], Any]] = {float: real, int: whole, str: str}


def parameters(method: Method) -> dict[str, inspect.Parameter]:
    """The arguments a method takes by name."""
    found = inspect.signature(method).parameters.values()
    return {p.name: p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def add_options(parser: argparse.ArgumentParser, known: Collection[str]) -> tuple[list[str], list[str]]:
    """An option for each argument of a registered method that the command does not know.

    Args:
        parser: Of the command.
        known: Arguments that have an option already.

    Returns:
        The names of the options, and which of them name files.
    """
    add = parser.add_argument_group("options that some methods have").add_argument
    takers: dict[str, list[str]] = {}
    for name in choices("method"):
        for parameter in parameters(look_up("method", name)):
            takers.setdefault(parameter, []).append(name)
    options, files = [], []
    for parameter in sorted(takers.keys() - set(known)):
        method = look_up("method", takers[parameter][0])
        kind = _kind(method, parameter)
        if kind is None:  # an object, which has no name
            continue
        options.append(parameter)
        flag = f"--{parameter.replace('_', '-')}"
        text = f"{', '.join(takers[parameter])}: {_described(method, parameter)}".replace("%", "%%")
        if kind is bool:
            add(flag, action=argparse.BooleanOptionalAction, help=text)
        elif kind is Tensor:
            add(flag, metavar="FILE", help=text)
            files.append(parameter)
        else:
            add(flag, type=_PARSERS[kind], metavar=_TYPES[kind], help=text)
    return options, files


def check_options(name: str, method: Method, given: Collection[str]) -> None:
    """Refuses what the method has no use for, and asks for what it cannot do without."""
    own = parameters(method)
    takes_all = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(method).parameters.values())
    for option in given:
        if option not in own and not takes_all:
            raise ValueError(
                f"Expected {option!r} to be left out with method {name!r}, which has no use for it. "
                f"It takes {', '.join(own)}."
            )
    for option, parameter in own.items():
        if parameter.default is parameter.empty and option not in given:
            raise ValueError(
                f"Expected {option!r} with method {name!r} (got none). Pass it, or choose another "
                f"method: {', '.join(choices('method'))}."
            )


def _kind(method: Method, parameter: str) -> type | None:
    """What the option is: a number, a name, a switch, an array (as Tensor) from a file, or None."""
    annotation = str(parameters(method)[parameter].annotation)
    words = re.findall(r"\w+", re.sub(r"(?<!Optional)(?<!Union)\[.*\]", "", annotation))
    if "ArrayLike" in words or "Tensor" in words:
        return Tensor
    return next((kind for kind in _TYPES if kind.__name__ in words), None)


def _described(method: Method, parameter: str) -> str:
    """The first sentence about an argument in the docstring, and its default."""
    text = inspect.getdoc(method) or ""
    found = re.search(rf"^ +{parameter}: ((?:.|\n)*?)(?=\n\n|\n +\*{{0,2}}\w+: |\Z)", text, re.MULTILINE)
    sentence = "" if found is None else re.split(r"(?<=[^.]\.)\s", " ".join(found[1].split()))[0]
    plain = re.sub(r":\w+:`~?\\?([^`]*)`", r"\1", sentence).replace("``", "").rstrip(".")
    default = parameters(method)[parameter].default
    return plain if default in (None, False, inspect.Parameter.empty) else f"{plain} (default {default})"
