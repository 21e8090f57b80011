"""d2pyg demo: scikit-learn's digits in, accuracies of networks trained on coresets of them out."""

from __future__ import annotations

from typing import Any

from d2pyg.cli.arguments import options
from d2pyg.demo import DESCRIPTION, add_options


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands, "demo", help="prune a small data set, and train on the rest", description=DESCRIPTION
    )
    add_options(parser.add_argument_group("options").add_argument)
    options.add_last(parser.add_argument_group("expert").add_argument)
