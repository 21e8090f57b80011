"""d2pyg explain: a coreset file and samples in, the messages that decided out."""

from __future__ import annotations

from typing import Any

from d2pyg._base.options import CORESET_SUFFIXES
from d2pyg.cli.arguments import options

_EPILOG = """
examples:
  Why samples 12 and 40 were kept or not:
    d2pyg explain coreset.npz 12 40
  By name, if d2pyg select had --ids:
    d2pyg explain coreset.csv img_0012.png
  If the files have moved, or the coreset was selected in Python:
    d2pyg explain coreset.npz 12 --embeddings x.npy --scores s.npy --labels y.npy

A coreset file holds no graph. So d2pyg runs the same selection again, and checks that the picks are the
same. The file holds the paths of its inputs; relative paths start from the current folder.

SAMPLE is a name if the coreset has names, otherwise an index. With --index it is always an index.

--json prints a list on stdout, with one object per sample:
  sample, id     its index, and its name or null
  score_before   its score before the forward pass
  score_after    its score after the forward pass; null if the cutoff dropped it
  rank           its rank by that score among the group_size samples of its group (class)
  group_size     number of samples of that group that the cutoff left
  fate           picked, initial, left (not picked) or cut (dropped by the cutoff)
  place          its place in the coreset, from 0, or null
  score_last     its score when it was picked, or at the end
  messages       the picks that lowered it before that, in order: [{sample, place, loss}, ...]
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = options.add_command(
        commands,
        "explain",
        help="say why samples were kept, or which picks lowered their scores",
        description="Say why samples were kept, or which picks lowered their scores.",
        epilog=options.FILES + options.GRAPHS + _EPILOG,
    )
    add = parser.add_argument_group("input").add_argument
    add("coreset", metavar="CORESET", help=f"file of d2pyg select: {' '.join(CORESET_SUFFIXES)}")
    add("samples", nargs="+", metavar="SAMPLE", help="name or index")
    add("--index", action="store_true", help="samples are given by index")
    add("--embeddings", metavar="FILE", help="the embeddings or the graph (default: as in the file)")
    add("--scores", metavar="FILE", help="difficulty (default: as in the file)")
    add("--labels", metavar="FILE", help="classes (default: as in the file)")
    options.add_json(parser.add_argument_group("output").add_argument)
    add = parser.add_argument_group("expert").add_argument
    options.add_device(add)
    options.add_progress(add)
    options.add_last(add)
