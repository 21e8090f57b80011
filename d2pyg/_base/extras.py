"""Optional packages: imported where used. If one is missing, the error has the pip command."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def require(module: str, package: str, pip_line: str | None = None) -> ModuleType:
    """The module, or an ImportError that says how to install its package.

    Args:
        module: The module to import.
        package: The name of the package.
        pip_line: The arguments of ``pip install``, if they are more than the package.

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
