"""Plug-in points by name: one table for the Python interface and the command line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from d2pyg._base.choice import check_choice, shown

T = TypeVar("T")

FAMILIES = ("kernel", "forward", "reverse", "metric", "backend", "engine", "method", "source")
_TABLE: dict[str, dict[str, Any]] = {family: {} for family in FAMILIES}


def register(family: str, name: str) -> Callable[[T], T]:
    """Makes a class or function available by name.

    If the same definition runs again, such as in a notebook cell or a script that is also imported, it
    replaces the old one. A different definition cannot use a name that is taken.

    Args:
        family: ``"kernel"``, ``"forward"``, ``"reverse"``, ``"metric"``, ``"backend"``, ``"engine"``,
            ``"method"`` (of selection; ``d2pyg.select`` is ``"d2"``) or ``"source"`` (a format of files,
            a :class:`d2pyg.sources.Table`). d2pyg creates a forward layer with ``gamma``, ``kernel`` and
            ``update``, a reverse message with ``gamma`` and ``kernel``, a source with a path and the
            name of the argument, and any other class without arguments.
        name: The name to pass, as in ``select(..., kernel=name)``.

    Raises:
        ValueError, TypeError: If there is no such family, if the name is taken, or if the entry is not
            callable.

    Example:
        >>> from d2pyg.nn import Kernel
        >>> @d2pyg.register("kernel", "doc-example")
        ... class Triangle(Kernel):
        ...     def weight(self, distance, gamma):
        ...         return (1 - gamma * distance).clamp(min=0)
        >>> d2pyg.nn.ForwardMessagePassing(kernel="doc-example")
        ForwardMessagePassing(gamma=10.0, kernel=Triangle(), update='sum')
    """

    def add(entry: T) -> T:
        if not isinstance(family, str) or family not in _TABLE:
            raise ValueError(
                f"Expected the family to be one of {', '.join(_TABLE)} (got {shown(family)}). "
                f"Choose one of these."
            )
        if not isinstance(name, str) or not name or not callable(entry):
            raise TypeError(
                f"Expected a name, and a class or function of that name (got {shown(name)} and "
                f"{type(entry).__name__}). Use @d2pyg.register({family!r}, 'name')."
            )
        entries = _TABLE[family]
        is_taken = name in entries and not _is_again(entries[name], entry)
        if is_taken or name == "auto":
            raise ValueError(
                f"Expected a {family} name that is free (got {name!r}, which is taken). "
                f"Choose another name."
            )
        entries[name] = entry
        return entry

    return add


def _is_again(before: object, entry: object) -> bool:
    """Whether both are the same definition, run twice: the same name in the same module."""
    return before is entry or _definition(before) == _definition(entry) != ""


def _definition(entry: object) -> str:
    """Where a class or function is defined; empty if it has no name.

    A script is one module, whether it runs as ``__main__`` or is imported by its file name, as
    ``torch_geometric.nn.Sequential`` and spawned processes do.
    """
    name, module = getattr(entry, "__qualname__", ""), getattr(entry, "__module__", "")
    if not name or "<lambda>" in name:
        return ""
    return f"{getattr(sys.modules.get(module), '__file__', None) or module}:{name}"


def choices(family: str) -> list[str]:
    """The registered names of a family, sorted."""
    return sorted(_TABLE.get(family, {}))


def name_of(plug_in: object) -> str:
    """The record of a name or an object in settings: the name, or the repr of the object.

    A registered class or function is recorded by its registered name.
    """
    if isinstance(plug_in, str):
        return plug_in
    for entries in _TABLE.values():
        for name, entry in entries.items():
            if entry is plug_in:
                return name
    return str(getattr(plug_in, "__name__", None) or repr(plug_in))


def look_up(family: str, name: str | Callable[..., Any]) -> Any:
    """The entry of that name; an unknown name is an error that lists the choices.

    A function or class can be given instead of a name.
    """
    entries = _TABLE.get(family, {})
    if callable(name):
        return name
    if not isinstance(name, str):
        raise TypeError(
            f"Expected {family!r} to be a name or an object of that kind "
            f"(got {type(name).__name__}). Names: {', '.join(choices(family))}."
        )
    return entries[check_name(family, name, choices(family))]


def check_name(family: str, name: str, allowed: list[str]) -> str:
    """A name of the family; another is an error that lists the choices."""
    remedy = f"Add your own with @d2pyg.register({family!r}, {shown(name)})."
    return check_choice(family, name, allowed, remedy)


def made(family: str, plug_in: str | Callable[..., Any], *values: Any, **arguments: Any) -> Any:
    """Calls the entry of that name, or a given class or function, with these arguments."""
    entry = look_up(family, plug_in)
    if inspect.isabstract(entry):
        raise TypeError(
            f"Expected {family!r} to be complete (got {name_of(entry):.60} without "
            f"{', '.join(sorted(entry.__abstractmethods__)):.60}). Subclass it with these methods."
        )
    try:
        inspect.signature(entry).bind(*values, **arguments)
    except (TypeError, ValueError) as error:  # some built-in functions have no signature
        raise TypeError(
            f"Expected {family!r} to be called as others of its kind are (got {name_of(plug_in):.60}: "
            f"{error}). Check its arguments."
        ) from error
    return entry(*values, **arguments)
