"""d2pyg demo: scikit-learn's digits in, accuracies of networks trained on coresets of them out."""

from __future__ import annotations

import argparse

from d2pyg.demo import digits


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    digits.run(arguments.keep, arguments.seeds, arguments.out)
