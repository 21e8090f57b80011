"""How the documentation is built: python -m sphinx -W -n docs docs/_build (make docs does)."""

import os
import shutil
import sys
from pathlib import Path

import d2pyg

# The commands whose --help is shown are run by this Python, wherever it is, and fit the page.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ["COLUMNS"] = "88"

project = "d2pyg"
author = "The d2pyg authors"
copyright = f"{author}, MIT license"  # noqa: A001 (Sphinx's name)
version = release = d2pyg.__version__

# Notebooks are shown with the outputs that they are kept with.
HERE = Path(__file__).parent
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", dirs_exist_ok=True)
nb_execution_mode = "off"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # formulas need no network
    "sphinx_copybutton",
    "sphinxcontrib.programoutput",
]
myst_enable_extensions = ["dollarmath"]
html_theme = "furo"
html_title = f"d2pyg {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
copybutton_exclude = ".linenos, .gp, .go"  # of an example, the code alone is copied
exclude_patterns = ["_build", "jupyter_execute"]
highlight_language = "python"

autodoc_mock_imports = ["transformers"]  # its callback is described without it
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # docstrings say what an argument may be
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Links into other projects' references need a network, so they are for the published pages.
if "READTHEDOCS" in os.environ or "D2PYG_INTERSPHINX" in os.environ:
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
    "torch_geometric": ("https://pytorch-geometric.readthedocs.io/en/latest", None),
}

nitpicky = True  # a reference that leads nowhere is a warning, and make docs takes warnings as errors
nitpick_ignore_regex = [
    ("py:.*", r"(torch|torch_geometric|numpy|lightning|abc|pathlib|sklearn|transformers)\..*"),
    ("py:exc", r"[A-Z]\w+Error(, [A-Z]\w+Error)*"),
    ("py:class", r"d2pyg\.greedy\.trace\.Trace"),  # what Coreset.explain reads, and no user
]
