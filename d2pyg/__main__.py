"""``python -m d2pyg`` is the command ``d2pyg``."""

from d2pyg.cli import run

run()
