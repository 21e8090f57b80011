"""Figures that notebooks can always show. Needs matplotlib."""

from __future__ import annotations

import io
import warnings
from typing import IO

from d2pyg._base.extras import require

require("matplotlib.figure", "matplotlib")
from matplotlib import figure  # noqa: E402


class Figure(figure.Figure):
    """A figure made without pyplot, so nothing needs to be closed.

    IPython shows plain figures only after a pyplot figure was made. It always shows this one.
    """

    def _repr_png_(self) -> bytes:
        made = io.BytesIO()
        save_figure(self, made, ".png", dpi=100)
        return made.getvalue()


def save_figure(drawn: figure.Figure, file: IO[bytes], suffix: str, dpi: int = 150) -> None:
    """Writes a figure in the format of a suffix. A character that the font lacks is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        drawn.savefig(file, format=suffix[1:], dpi=dpi)
