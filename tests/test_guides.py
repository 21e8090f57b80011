"""Every code block of the documentation is executed, page by page, in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from code_blocks import code_blocks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if not {"_build", "benchmarks"} & set(page.parts))

pytest.importorskip("sklearn")


def blocks(page):
    return code_blocks(page, ("python", "bash"))


def needs(page):
    """The packages that a page's first line of code asks for."""
    found = re.search(r"^# needs: (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].split(", ") if found else []


def pages():
    """Pages with code; those that need packages which make test does not install are marked."""
    return [
        pytest.param(
            page, id=str(page.relative_to(DOCS)), marks=pytest.mark.extensions if needs(page) else ()
        )
        for page in PAGES
        if blocks(page) and page.stem != "index"
    ]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", pages())
def test_code_runs(page, tmp_path, monkeypatch):
    for package in needs(page):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    names = {"__name__": "__main__"}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, str(page), "exec"), names)
            continue
        done = subprocess.run(
            ["bash", "-euc", code], capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_pages_with_code_are_there():
    names = {param.id for param in pages()}
    assert {
        "start/training.md",
        "start/command-line.md",
        "guides/pyg.md",
        "guides/lightning.md",
    } <= names
