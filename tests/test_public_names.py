"""The public names and their signatures, held against a list, so that a change is seen.

After a change that is meant: python tests/test_public_names.py
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

import d2pyg

LIST = Path(__file__).parent / "public_names.txt"
MODULES = (
    "baselines",
    "coreset.duplicates",
    "graph",
    "metrics",
    "nn",
    "plot",
    "scores",
    "scores.lightning",
    "sources",
    "transforms",
)


def signature(value):
    """Names and defaults of the arguments; annotations are the type checker's to hold."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    plain = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=found.empty))


def described(path, value):
    """A line for a function, and one for each public method of a class."""
    yield f"{path}{signature(value)}"
    if inspect.isclass(value):
        own = [base for base in reversed(value.__mro__) if base.__module__.startswith("d2pyg")]
        for name, member in sorted({n: m for base in own for n, m in vars(base).items()}.items()):
            if not name.startswith("_") and (
                callable(member) or isinstance(member, classmethod | property)
            ):
                shown = "" if isinstance(member, property) else signature(getattr(value, name))
                yield f"{path}.{name}{shown}"


def public_names():
    lines = []
    for name in d2pyg.__all__:
        value = getattr(d2pyg, name)
        if not isinstance(value, ModuleType | str):
            lines += described(f"d2pyg.{name}", value)
    for name in MODULES:
        module = importlib.import_module(f"d2pyg.{name}")
        found = getattr(module, "__all__", None) or [
            key
            for key, value in vars(module).items()
            if not key.startswith("_") and getattr(value, "__module__", None) == module.__name__
        ]
        for key in sorted(found):
            lines += described(f"d2pyg.{name}.{key}", getattr(module, key))
    return lines


def test_no_name_or_signature_changes_unseen():
    assert public_names() == LIST.read_text(encoding="utf-8").splitlines()


def test_dir_and_all_agree():
    assert sorted(dir(d2pyg)) == sorted(d2pyg.__all__)


if __name__ == "__main__":
    LIST.write_text("\n".join(public_names()) + "\n", encoding="utf-8")
