"""Optional packages: imported where used, and an absent one is an error with the pip line."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def require(module: str, package: str) -> ModuleType:
    """The module, or an ImportError that says how to install its package.

    Example:
        >>> require("no_such_module", "no-such-package")
        Traceback (most recent call last):
        ...
        ImportError: This needs the package no-such-package. Install it with: pip install no-such-package
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise ImportError(
            f"This needs the package {package}. Install it with: pip install {package}",
            name=module,
        ) from error
