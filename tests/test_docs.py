"""The reference has a place for every public name. (make docs builds it, and takes warnings as errors.)"""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import d2pyg

PAGES = "\n".join(
    path.read_text() for path in Path(__file__).parents[1].joinpath("docs/reference").glob("*.rst")
)
MODULES = [name for name in d2pyg.__all__ if isinstance(getattr(d2pyg, name), ModuleType)]


def test_every_name_of_the_package_has_an_entry():
    named = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)$", PAGES, re.MULTILINE))
    assert named >= set(d2pyg.__all__) - {*MODULES, "__version__", "register"}


@pytest.mark.parametrize(
    "name", [*sorted(set(MODULES) - {"greedy"}), "plot", "registry", "scores.lightning"]
)
def test_every_public_module_has_a_page(name):
    assert f".. automodule:: d2pyg.{name}\n   :members:\n" in PAGES
    assert importlib.util.find_spec(f"d2pyg.{name}")


def test_every_page_is_in_the_index():
    index = Path(__file__).parents[1].joinpath("docs/index.rst").read_text()
    for page in Path(__file__).parents[1].joinpath("docs/reference").glob("*.rst"):
        assert f"   reference/{page.stem}\n" in index
