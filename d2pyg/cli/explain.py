"""d2pyg explain: a coreset file and samples in, the messages that decided out."""

from __future__ import annotations

import argparse
import json

from d2pyg.cli import common, streams
from d2pyg.coreset.coreset import Coreset
from d2pyg.selection.repeat import check_read, repeat

_INPUTS = ("embeddings", "scores", "labels")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    coreset = Coreset.load(arguments.coreset)
    samples = [_index(coreset, sample, arguments.index) for sample in arguments.samples]
    named = coreset.settings.get("files", {})
    given = {name: getattr(arguments, name) or named.get(name) for name in _INPUTS}
    moved = [name for name in _INPUTS if getattr(arguments, name)]
    ids = coreset.settings.get("read", {}).get("embeddings", {}).get("ids")
    given["ids"] = "none" if ids is None or "embeddings" in moved else f":{ids}"
    if given["embeddings"] is None:
        raise ValueError(
            f"Expected 'embeddings' for a coreset whose file does not say where they are (got "
            f"{arguments.coreset!r}). Pass --embeddings, and --scores and --labels if it had them."
        )
    inputs = common.read_inputs(given)
    del inputs.values["ids"]  # the coreset has them; the source's say whether rows are in their order
    check_read(coreset, {name: read for name, read in inputs.read.items() if name not in moved})
    again = repeat(
        coreset,
        **inputs.values,
        device=arguments.device,
        progress=common.progress(arguments),
    )
    found = [again.explain(sample) for sample in samples]
    if arguments.json:
        streams.say(json.dumps([explanation.as_dict() for explanation in found]))
    else:
        streams.say("\n".join(str(explanation) for explanation in found))


def _index(coreset: Coreset, sample: str, by_index: bool) -> int:
    """The sample of that name, or of that index if there are no names."""
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
