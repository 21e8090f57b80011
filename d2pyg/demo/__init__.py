"""The demo: prunes scikit-learn's handwritten digits, and trains on the rest.

``d2pyg demo`` and ``python -m d2pyg.demo`` run it. It needs the packages of the extra ``demo``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

DESCRIPTION = (
    "Prune scikit-learn's handwritten digits, and train networks on the samples kept, on random ones\n"
    "and on the hardest ones. It needs scikit-learn and matplotlib."
)


def add_options(add: Callable[..., Any]) -> None:
    """The options of the demo; ``add`` is the method ``add_argument`` of a parser."""
    add("--keep", type=float, default=0.3, metavar="F", help="fraction kept (default %(default)s)")
    add("--seeds", type=int, default=5, metavar="N", help="trainings of each set (default %(default)s)")
    add("--out", type=Path, default=Path("demo-output"), metavar="FOLDER",
        help="folder of results (default %(default)s)")  # fmt: skip
