"""Optional packages: imported where used, and an absent one is an error with the pip line."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def require(module: str, package: str, pip_line: str | None = None) -> ModuleType:
    """The module, or an ImportError that says how to install its package.

    Args:
        module: What is imported.
        package: What the package is called.
        pip_line: What follows ``pip install``, where that is more than the package.

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
            f"This needs the package {package}. Install it with: pip install {pip_line or package}",
            name=module,
        ) from error
