"""Checks the options of a selection method against the arguments of its function."""

from __future__ import annotations

import inspect
from collections.abc import Collection

from d2pyg import baselines  # noqa: F401  # they register themselves
from d2pyg._base.registry import choices
from d2pyg.cli.arguments.methods import Method, parameters


def check_options(name: str, method: Method, given: Collection[str]) -> None:
    """Refuses options that the method does not take, and missing ones that it requires."""
    own = parameters(method)
    takes_all = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(method).parameters.values())
    for option in given:
        if option not in own and not takes_all:
            raise ValueError(
                f"Expected {option!r} to be left out with method {name!r}, which does not take it. "
                f"It takes {', '.join(own)}."
            )
    for option, parameter in own.items():
        if parameter.default is parameter.empty and option not in given:
            swallowed = option == "embeddings" and "initial" in given
            remedy = (
                "Write it before --initial, which takes all files after it" if swallowed else "Pass it"
            )
            raise ValueError(
                f"Expected {option!r} with method {name!r} (got none). {remedy}, or choose another "
                f"method: {', '.join(choices('method'))}."
            )
