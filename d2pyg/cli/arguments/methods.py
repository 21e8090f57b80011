"""Options of selection methods, read from their signatures and docstrings: a method is one function."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Callable, Collection, Iterator
from textwrap import dedent
from typing import Any

from d2pyg.cli.arguments.catalog import methods
from d2pyg.cli.arguments.options import real, whole

Method = Callable[..., Any]
_ARRAY = "an array"
_TYPES: dict[Any, str | None] = {bool: None, float: "F", int: "N", str: "NAME"}  # of several, the first
_ROLE = re.compile(r":\w+:`~?\\?([^`]*)`")
_PARSERS: dict[Any, Callable[[str], Any]] = {float: real, int: whole, str: str}


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
    known_methods = methods()
    for name, method in known_methods.items():
        for parameter in parameters(method):
            takers.setdefault(parameter, []).append(name)
    options, files = [], []
    for parameter in sorted(takers.keys() - set(known)):
        method = known_methods[takers[parameter][0]]
        kind = _kind(method, parameter)
        if kind is None:  # an object, which has no name
            continue
        options.append(parameter)
        flag = f"--{parameter.replace('_', '-')}"
        text = f"{', '.join(takers[parameter])}: {_described(method, parameter)}".replace("%", "%%")
        if kind is bool:
            add(flag, action=argparse.BooleanOptionalAction, help=text)
        elif kind == _ARRAY:
            add(flag, metavar="FILE", help=text)
            files.append(parameter)
        else:
            add(flag, type=_PARSERS[kind], metavar=_TYPES[kind], help=text)
    return options, files


def _kind(method: Method, parameter: str) -> type | str | None:
    """What the option is: a number, a name, a switch, an array from a file, or None."""
    annotation = parameters(method)[parameter].annotation
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    try:
        kinds = {*_alternatives(ast.parse(text, mode="eval").body)}
    except SyntaxError:  # such as a class inside of a function
        return None
    if kinds & {"ArrayLike", "Tensor"}:
        return _ARRAY
    return next((kind for kind in _TYPES if kind.__name__ in kinds), None)


def _alternatives(annotation: ast.expr) -> Iterator[str]:
    """The names of the types that an annotation allows, without their parameters."""
    match annotation:
        case ast.BinOp(left, ast.BitOr(), right):
            yield from (*_alternatives(left), *_alternatives(right))
        case ast.Subscript(ast.Name(name) | ast.Attribute(_, name), inside):
            if name in ("Optional", "Union"):
                for part in inside.elts if isinstance(inside, ast.Tuple) else (inside,):
                    yield from _alternatives(part)
        case ast.Name(name) | ast.Attribute(_, name):
            yield name


def _described(method: Method, parameter: str) -> str:
    """The first sentence about an argument in the docstring, and its default."""
    sentence = _first_sentence(_about(parameter, inspect.getdoc(method) or ""))
    default = parameters(method)[parameter].default
    if default in (None, False, inspect.Parameter.empty):
        return sentence
    return f"{sentence} (default {default})"


def _about(parameter: str, doc: str) -> str:
    """The text about an argument in the section Args of a docstring, on one line."""
    _, _, section = doc.partition("Args:\n")
    entries: list[str] = []
    for line in dedent(section.partition("\n\n")[0]).splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(line.strip())
    told = (entry.partition(": ") for entry in entries)
    return next((text for name, _, text in told if name == parameter), "")


def _first_sentence(text: str) -> str:
    """The first sentence as plain text, in lower case like all help."""
    sentence, _, _ = text.replace("... ", "...\0").partition(". ")
    plain = _ROLE.sub(r"\1", sentence.replace("\0", " ")).replace("``", "")
    word = plain.partition(" ")[0]
    lower = word == "A" or (word.istitle() and len(word) > 1)  # no symbol, and no name of a class
    return (plain[0].lower() + plain[1:] if lower else plain).rstrip(".")
