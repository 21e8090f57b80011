"""Modules import from rooms below their own alone, also for types and inside functions."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import d2pyg

# From the ground up. Rooms of one floor do not know each other.
FLOORS = [
    {"_version", "_base"},
    {"sources"},
    {"graph"},
    {"nn", "metrics"},
    {"scores", "greedy"},
    {"coreset"},
    {"data", "plot"},
    {"selection"},
    {"baselines", "sklearn"},
    {"evaluate"},
    {"demo", "transforms"},
    {"cli"},
    {"__init__", "__main__"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in sorted(rooms)}

ROOT = Path(d2pyg.__file__).parent


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports_of(source: str, modules: set[str]) -> set[str]:
    """The modules that a source names in its imports, wherever these stand."""
    named = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= inside & modules or {str(node.module)}
            if inside - modules:
                named.add(str(node.module))
    return named & modules


IMPORTS = {name: imports_of(path.read_text(encoding="utf-8"), {*FILES}) for name, path in FILES.items()}


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def test_every_room_has_a_floor():
    assert {room_of(module) for module in FILES} == FLOOR.keys()


@pytest.mark.parametrize("room", FLOOR)
def test_a_room_imports_rooms_below_it(room):
    upward = [
        f"{module} imports {other}"
        for module, imports in IMPORTS.items()
        for other in imports
        if room_of(module) == room != room_of(other) and FLOOR[room_of(other)] >= FLOOR[room]
    ]
    assert upward == []


def test_no_circle_among_modules():
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_imports_are_found_wherever_they_stand():
    source = """
import a.b
from a import c, d
if TYPE_CHECKING:
    from a.e import f
def function():
    import g
"""
    assert imports_of(source, {"a", "a.b", "a.c", "a.e", "g"}) == {"a", "a.b", "a.c", "a.e", "g"}
