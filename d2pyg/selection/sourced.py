"""What a method of selection takes from a source besides the embeddings, and records of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from d2pyg.sources.source import Source

Function = TypeVar("Function", bound=Callable[..., Any])


def sourced(function: Function) -> Function:
    """Where ``embeddings``, the first argument, are a source, it gives ``ids`` unless they are passed.

    ``settings["read"]`` of the result then holds the description of the source.
    """

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        source = arguments[0] if arguments else options.get("embeddings")
        if not isinstance(source, Source):
            return function(*arguments, **options)
        if options.get("ids") is None:
            options["ids"] = source.ids
        read = {"embeddings": source.description}  # as the files are now
        result = function(*arguments, **options)
        result.settings["read"] = read
        return result

    return cast(Function, call)
