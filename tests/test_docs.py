"""The reference has a place for every public name. (make docs builds it, and takes warnings as errors.)"""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
from code_blocks import code_blocks

import d2pyg

DOCS = Path(__file__).parents[1] / "docs"
PAGES = "\n".join(path.read_text() for path in DOCS.joinpath("reference").glob("*.rst"))
MODULES = [name for name in d2pyg.__all__ if isinstance(getattr(d2pyg, name), ModuleType)]


def test_every_name_of_the_package_has_an_entry():
    named = set(re.findall(r"^\.\. auto(?:function|class):: (\w+)$", PAGES, re.MULTILINE))
    assert named >= set(d2pyg.__all__) - {*MODULES, "__version__"}


@pytest.mark.parametrize("name", [*MODULES, "scores.lightning", "scores.hugging_face", "sklearn"])
def test_every_public_module_has_a_page(name):
    assert f".. automodule:: d2pyg.{name}\n   :members:\n" in PAGES
    assert importlib.util.find_spec(f"d2pyg.{name}")


def test_every_page_is_in_a_table_of_contents():
    linked = {
        (path.parent / re.sub(r".*<(.+)>", r"\1", line)).with_suffix("")
        for path in DOCS.rglob("*.md")
        for block in re.findall(r"^```{toctree}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    pages = {
        page for page in DOCS.rglob("*") if page.suffix in (".md", ".rst") and "_build" not in page.parts
    }
    assert {page.with_suffix("") for page in pages} - linked == {DOCS / "index"}


def test_code_fits_the_page():
    long = [
        f"{path.name}: {line}"
        for path in DOCS.rglob("*.md")
        if "_build" not in path.parts
        for _, code in code_blocks(path, ("python", "bash"))
        for line in code.splitlines()
        if len(line) > 90  # what the site shows without wrapping
    ]
    assert not long
