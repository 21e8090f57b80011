"""The names of plug-ins, without importing them: those of d2pyg are read from its source.

So help and errors in options do not wait for the import of torch.
"""

from __future__ import annotations
import __future__

import ast
from collections.abc import Callable, Iterator
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from d2pyg._base import defaults, registry

_ROOT = Path(__file__).parents[2]  # torch_geometric reads the source of its layers too


def names(family: str) -> list[str]:
    """The names of a family, sorted: those of d2pyg and other registered ones."""
    ours = (name for own, name, _ in _definitions() if own == family)
    return sorted({*ours, *registry.choices(family)})


def methods() -> dict[str, Callable[..., Any]]:
    """All methods by name: the registered function, or one with the same signature and docstring."""
    known = {name: node for family, name, node in _definitions() if family == "method"}
    there = registry.choices("method")
    return {
        name: registry.look_up("method", name) if name in there else _without_body(known[name])
        for name in names("method")
    }


@cache
def _definitions() -> list[tuple[str, str, ast.AST]]:
    """Family, name and definition of all that d2pyg registers."""
    found: list[tuple[str, str, ast.AST]] = []
    for path in sorted(_ROOT.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "@register(" in source or "@method(" in source:
            found += _registered(ast.parse(source))
    return found


def _registered(module: ast.Module) -> Iterator[tuple[str, str, ast.AST]]:
    for node in module.body:
        for decorator in getattr(node, "decorator_list", []):
            match decorator:
                case ast.Call(ast.Name("register"), [ast.Constant(family), ast.Constant(name)]):
                    yield str(family), str(name), node
                case ast.Call(ast.Name("method"), [ast.Constant(name)]):
                    yield "method", str(name), node


def _without_body(node: ast.AST) -> Callable[..., Any]:
    assert isinstance(node, ast.FunctionDef)
    head = copy(node)
    head.decorator_list, head.body = [], node.body[:1]  # the docstring
    program = ast.Module([head], [])
    made = dict(vars(defaults))
    exec(compile(program, node.name, "exec", __future__.annotations.compiler_flag), made)
    function: Callable[..., Any] = made[node.name]
    return function
