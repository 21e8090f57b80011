"""The demo: prune scikit-learn's handwritten digits, and train on what is left.

``d2pyg demo`` and ``python -m d2pyg.demo`` run it. It needs the packages of the extra ``demo``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

DESCRIPTION = (
    "Prune scikit-learn's handwritten digits, and train networks on what is left, on random samples and "
    "on the hardest ones. Needs: pip install 'd2pyg[demo]'."
)


def add_options(add: Callable[..., Any]) -> None:
    """The options of the demo; ``add`` is the method ``add_argument`` of a parser."""
    add("--keep", type=float, default=0.3, metavar="F", help="fraction kept (default %(default)s)")
    add("--seeds", type=int, default=5, metavar="N", help="trainings each (default %(default)s)")
    add("--out", type=Path, default=Path("demo-output"), metavar="FOLDER",
        help="folder of results (default %(default)s)")  # fmt: skip
