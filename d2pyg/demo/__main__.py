"""``python -m d2pyg.demo`` is the command ``d2pyg demo``, with Python's own errors."""

import argparse

from d2pyg.demo import DESCRIPTION, add_options

parser = argparse.ArgumentParser(prog="python -m d2pyg.demo", description=DESCRIPTION)
add_options(parser.add_argument)
arguments = parser.parse_args()

from d2pyg.demo.digits import run  # noqa: E402  # takes seconds: torch

run(arguments.keep, arguments.seeds, arguments.out)
