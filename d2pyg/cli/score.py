"""d2pyg score: saved logits, a recorder's file or embeddings in, difficulty scores out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg import scores
from d2pyg._base.options import ARRAY_SUFFIXES
from d2pyg._base.outputs import check_output, replacing
from d2pyg.cli import common, streams
from d2pyg.cli.arguments.score import FROM_EMBEDDINGS, FROM_LOSSES, FROM_TRAINING
from d2pyg.scores.recorder import Recorder
from d2pyg.sources.spec import open_spec, read_array

_RECORDERS = ("window", "el2n_epochs", "margin")  # options a recorder got when it was made
_PARAMETERS = {"el2n_epochs": "epochs", "prototypes": "num_prototypes"}
_WRITTEN = {
    "num_prototypes": "prototypes",
    "path": "dynamics",
    "epochs": "el2n_epochs",
}
_SOURCES = ("logits", "labels", "dynamics", "embeddings")
_OPTIONS = (*_RECORDERS, "raw", "prototypes", "seed", "k", "metric", "backend", "device")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    name = arguments.name
    out = check_output("out", arguments.out, ARRAY_SUFFIXES)
    sources, options = _sources(arguments, name), _options(arguments, name)
    parts = arguments.logits or []
    given = {source: getattr(arguments, source) for source in _SOURCES if source != "logits"}
    files = {f"logits {epoch}": part for epoch, part in enumerate(parts)}
    common.check_files({**given, **files}, {"out": out})
    with common.in_words_of_options(_WRITTEN):
        if sources == ("dynamics",):
            score = getattr(Recorder.load(arguments.dynamics), name)(**options)
        elif sources == ("embeddings",):
            bars = {"progress": common.progress(arguments)} if name == "neighbor_distance" else {}
            embeddings = open_spec("embeddings", arguments.embeddings, ids=None)
            score = getattr(scores, name)(embeddings, **options, **bars)
        else:
            epochs: list[Any] = [read_array("logits", part) for part in parts]
            labels = common.read_inputs({"labels": arguments.labels}).values["labels"]
            logits = epochs[0] if len(epochs) == 1 else epochs
            score = getattr(scores, name)(logits, labels, **options)
    with replacing(out) as file:
        np.save(file, score.cpu().numpy())
    summary = {
        "out": str(out),
        "name": name,
        **_summary(score),
        "seconds": round(time.perf_counter() - started, 3),
    }
    streams.tell(
        "{name} of {samples} samples: {0:.4g} to {1:.4g}, mean {mean:.4g}, in {seconds:.1f} s "
        "-> {out}".format(*summary["range"], **summary),
    )
    if arguments.json:
        streams.say(json.dumps(summary))


def _sources(arguments: argparse.Namespace, name: str) -> tuple[str, ...]:
    """The inputs of the score. Refuses missing inputs and others."""
    sources: tuple[str, ...] = ("logits", "labels")
    if name in FROM_EMBEDDINGS:
        sources = ("embeddings",)
    elif name in FROM_LOSSES or arguments.dynamics is not None:
        sources = ("dynamics",)
    for source in sources:
        if getattr(arguments, source) is None and (name, source) != ("entropy", "labels"):
            remedy = f"--{source} {source}.npy" if source != "dynamics" else ""
            other = "" if name in FROM_EMBEDDINGS else f"{', or ' * bool(remedy)}--dynamics run.pt"
            raise ValueError(f"Expected {source!r} for {name} (got none). Pass {remedy}{other}.")
    _refuse(arguments, name, _SOURCES, sources)
    return sources


def _options(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """The options given, as parameters of the function."""
    used = {**FROM_TRAINING, **FROM_LOSSES, **FROM_EMBEDDINGS}[name]
    if arguments.dynamics is not None:
        used = tuple(option for option in used if option not in _RECORDERS)
    _refuse(arguments, name, _OPTIONS, used)
    if "seed" in used and arguments.seed is None:
        raise ValueError(
            f"Expected 'seed' for {name} (got none). Pass --seed 0; another seed gives other scores."
        )
    found = {option: getattr(arguments, option) for option in used}
    return {_PARAMETERS.get(o, o): value for o, value in found.items() if value is not None}


def _refuse(
    arguments: argparse.Namespace, name: str, names: tuple[str, ...], used: tuple[str, ...]
) -> None:
    """An argument that the score has no use for is an error."""
    for option in names:
        value = getattr(arguments, option)
        if value is None or option in used:
            continue
        where = name if arguments.dynamics is None else f"{name} from 'dynamics'"
        raise ValueError(
            f"Expected {option!r} to be left out for {where}, which does not use it (got "
            f"{value!r}). It takes {', '.join(used) or 'none of these options'}."
        )


def _summary(score: Tensor) -> dict[str, Any]:
    low, high = score.aminmax()
    return {
        "samples": len(score),
        "range": [float(low), float(high)],
        "mean": float(score.mean()),
    }
