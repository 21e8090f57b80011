"""d2pyg explain: a coreset file and samples in, the messages that decided out."""

from __future__ import annotations

import argparse
import json
from typing import Any

from d2pyg.cli import common, streams
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.formats import READERS
from d2pyg.selection.repeat import repeat

_INPUTS = ("embeddings", "scores", "labels")

_EPILOG = """
examples:
  Why samples 12 and 40 were kept, or not:
    d2pyg explain coreset.npz 12 40
  With --ids given to d2pyg select, by name:
    d2pyg explain coreset.csv img_0012.png
  After the files have moved, or for a coreset that was selected in Python:
    d2pyg explain coreset.npz 12 --embeddings x.npy --scores s.npy --labels y.npy

A coreset file holds no graph, so the same selection is made again, and has to give the same picks.
Where its inputs are is in the file; relative paths start from the current folder.

SAMPLE is a name where the coreset has names, and else an index; with --index always an index.

--json prints a list on stdout, an object a sample:
  sample, id     its index, and its name or null
  score_before   the score that was given
  score_after    after the forward pass; null if the cutoff dropped it
  rank           its place by that score among the group_size samples of its group (class)
  group_size     number of samples past the cutoff in that group
  fate           picked, initial, left (not picked) or cut (dropped by the cutoff)
  place          its place in the coreset, from 0, or null
  score_last     its score when it was picked, or at the end
  messages       what lowered it before that: [{sample, place, loss}, ...] of picks, in order
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "explain",
        help="why samples of a coreset were kept, or which picks stood in their way",
        description="Select again as a coreset file says, and follow the messages to some samples.",
        epilog=common.FILES + common.GRAPHS + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_explain)
    add = parser.add_argument
    add("coreset", metavar="CORESET", help=f"file of d2pyg select: {' '.join(READERS)}")
    add("samples", nargs="+", metavar="SAMPLE", help="name or index")
    add("--index", action="store_true", help="samples are given by index")
    add("--embeddings", metavar="FILE", help="the embeddings or the graph (default: as in the file)")
    add("--scores", metavar="FILE", help="difficulty (default: as in the file)")
    add("--labels", metavar="FILE", help="classes (default: as in the file)")
    add = parser.add_argument_group("how it runs").add_argument
    common.add_device(add)
    common.add_reporting(add)


def _explain(arguments: argparse.Namespace) -> None:
    coreset = Coreset.load(arguments.coreset)
    samples = [_index(coreset, sample, arguments.index) for sample in arguments.samples]
    named = coreset.settings.get("files", {})
    given = {name: getattr(arguments, name) or named.get(name) for name in _INPUTS}
    if given["embeddings"] is None:
        raise ValueError(
            f"Expected 'embeddings' for a coreset whose file does not say where they are (got "
            f"{arguments.coreset!r}). Pass --embeddings, and --scores and --labels if it had them."
        )
    again = repeat(
        coreset,
        **common.read_inputs(given),
        device=arguments.device,
        progress=common.progress(arguments),
    )
    found = [again.explain(sample) for sample in samples]
    if arguments.json:
        streams.say(json.dumps([explanation.as_dict() for explanation in found]))
    else:
        streams.say("\n".join(str(explanation) for explanation in found))


def _index(coreset: Coreset, sample: str, by_index: bool) -> int:
    """The sample of that name, or of that index where there are no names."""
    total = len(coreset.scores)
    if coreset.ids is not None and not by_index:
        names = [str(name) for name in coreset.ids.tolist()]
        if sample not in names:
            raise ValueError(
                f"Expected 'SAMPLE' to be a name among the ids of the coreset (got {sample!r}). Check "
                f"the name, or pass --index to give indices."
            )
        return names.index(sample)
    digits = sample.isascii() and sample.isdecimal() and len(sample) < 20
    if not digits or int(sample) >= total:
        raise ValueError(
            f"Expected 'SAMPLE' to be an index in 0 to {total - 1} (got {sample!r}). Samples are "
            f"numbered from 0{'.' if coreset.ids is not None else '; this coreset has no names.'}"
        )
    return int(sample)
