"""How the reference is built: python -m sphinx -W -n docs docs/_build (make docs does)."""

import os
import sys
from pathlib import Path

import d2pyg

# The commands whose --help is shown are run by this Python, wherever it is.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

project = "d2pyg"
author = "The d2pyg authors"
version = release = d2pyg.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.programoutput",
]
html_theme = "furo"
html_title = f"d2pyg {version}"
exclude_patterns = ["_build"]
highlight_language = "python"

autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say what an argument may be
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True

nitpicky = True  # a reference that leads nowhere is a warning, and make docs takes warnings as errors
nitpick_ignore_regex = [
    ("py:.*", r"(torch|torch_geometric|numpy|lightning|abc|sklearn)\..*"),
    ("py:exc", r"[A-Z]\w+Error(, [A-Z]\w+Error)*"),
    ("py:class", r"d2pyg\.explanation\.Trace"),  # what Coreset.explain reads, and no user
]
