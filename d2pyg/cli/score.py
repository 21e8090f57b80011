"""d2pyg score: saved logits, a recorder's file or embeddings in, difficulty scores out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg import scores
from d2pyg._base.checks import check_choice
from d2pyg._base.defaults import K
from d2pyg._base.io import read_array
from d2pyg._base.outputs import check_output, replacing
from d2pyg.cli import common, streams
from d2pyg.scores.state import MARGINS

_FROM_TRAINING: dict[str, tuple[str, ...]] = {  # and the options of each
    "forgetting": (),
    "aum": ("margin", "raw"),
    "el2n": ("el2n_epochs",),
    "entropy": (),
    "variance": (),
    "confidence": ("raw",),
    "correctness": ("raw",),
    "borderline": (),
    "dyn_unc": ("window",),
    "dual": ("window",),
}
_FROM_EMBEDDINGS: dict[str, tuple[str, ...]] = {
    "prototypicality": ("prototypes", "seed", "raw"),
    "neighbor_distance": ("k", "metric", "backend", "device"),
}
_RECORDERS = ("window", "el2n_epochs", "margin")  # options a recorder got when it was made
_PARAMETERS = {"el2n_epochs": "epochs", "prototypes": "num_prototypes"}
_WRITTEN = {
    "num_prototypes": "prototypes",
    "path": "dynamics",
    "epochs": "el2n_epochs",
}
_SOURCES = ("logits", "labels", "dynamics", "embeddings")
_OPTIONS = (*_RECORDERS, "raw", "prototypes", "seed", "k", "metric", "backend", "device")
_SUFFIXES = (".npy",)

_EPILOG = """
names:
  From training, higher is harder (d2pyg.scores.TrainingDynamics has the definitions):
    forgetting          times a sample went from right to wrong between epochs
    aum                 area under the margin, from the largest down      --margin --raw
    el2n                length of the error, mean of the first epochs     --el2n-epochs
    entropy             of the predicted classes; needs no --labels
    variance            of the true class's probability over epochs
    confidence          one less that probability's mean                  --raw
    correctness         share of the epochs in which it was wrong         --raw
    borderline          how nearly it was learned; no cutoff is needed
    dyn_unc             that probability's deviation in windows           --window
    dual                the same, times how hard the sample is            --window
  From embeddings alone:
    prototypicality     distance to the nearest of some prototypes        --prototypes --seed --raw
    neighbor-distance  mean distance to the nearest others               --k --metric

examples:
  From the logits of several epochs, one array [epochs, N, C] or a file [N, C] an epoch:
    d2pyg score aum --logits logits.npy --labels y.npy --out scores.npy
    d2pyg score forgetting --logits e0.npy e1.npy e2.npy --labels y.npy --out scores.npy
  From what TrainingDynamics.save wrote:
    d2pyg score dual --dynamics run.pt --out scores.npy
  Without labels:
    d2pyg score prototypicality --embeddings x.npy --prototypes 100 --seed 0 --out scores.npy
    d2pyg score neighbor-distance --embeddings x.npy --k 5 --metric cosine --out scores.npy
  What it is for:
    d2pyg select x.npy --scores scores.npy --keep 0.3 --out coreset.npz

--json prints one object on stdout:
  out            the file written: N float64
  name           the score
  samples        N
  range          [lowest, highest]
  mean           of all samples
  seconds        time taken, reading and writing included
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "score",
        help="logits of a training run or embeddings in, difficulty scores out",
        description="Say how hard each sample is.",
        epilog=common.FILES + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_score)
    add = parser.add_argument
    add("name", metavar="NAME", help="the score, see below")
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(_SUFFIXES)}")

    add = parser.add_argument_group("from what (one of logits, dynamics, embeddings)").add_argument
    add("--logits", nargs="+", metavar="FILE",
        help="floats before softmax, epochs x N x C; or N x C, a file an epoch")  # fmt: skip
    add("--labels", metavar="FILE", help="with --logits, N integers: the classes trained on")
    add("--dynamics", metavar="FILE", help="what TrainingDynamics.save wrote: .pt")
    add("--embeddings", metavar="FILE", help="file of N x d floats")

    add = parser.add_argument_group("options, each for some names").add_argument
    add("--window", type=common.whole, metavar="J", help="epochs in a window (default 10)")
    add(
        "--el2n-epochs",
        type=common.whole,
        metavar="N",
        help="first epochs that are averaged (default 10)",
    )
    add("--margin", metavar="NAME", help=f"between {' or '.join(MARGINS)} (default {MARGINS[0]})")
    add("--raw", action="store_true", default=None,
        help="as its paper has it, where low is hard (select wants high to be hard)")  # fmt: skip
    add("--prototypes", type=common.whole, metavar="N", help="centers of k-means (default 100)")
    add("--seed", type=common.whole, metavar="N", help="of the first centers; there is no default")
    add("--k", type=common.whole, metavar="K", help=f"neighbors a sample (default {K})")
    common.add_metric(add)
    common.add_search(add)
    common.add_reporting(parser.add_argument_group("how it reports").add_argument)


def _score(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    names = (*_FROM_TRAINING, *_FROM_EMBEDDINGS)
    name = check_choice("name", arguments.name.replace("-", "_"), names)
    out = check_output("out", arguments.out, _SUFFIXES)
    sources, options = _sources(arguments, name), _options(arguments, name)
    parts = arguments.logits or []
    given = {source: getattr(arguments, source) for source in _SOURCES if source != "logits"}
    files = {f"logits {epoch}": part for epoch, part in enumerate(parts)}
    common.check_files({**given, **files}, {"out": out})
    function = getattr(scores, name)
    with common.in_words_of_options(_WRITTEN):
        if sources == ("dynamics",):
            score = getattr(scores.TrainingDynamics.load(arguments.dynamics), name)(**options)
        elif sources == ("embeddings",):
            bars = {"progress": common.progress(arguments)} if name == "neighbor_distance" else {}
            score = function(read_array("embeddings", arguments.embeddings), **options, **bars)
        else:
            epochs: list[Any] = [read_array("logits", part) for part in parts]
            labels = common.read_inputs({"labels": arguments.labels})["labels"]
            score = function(epochs[0] if len(epochs) == 1 else epochs, labels, **options)
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
    """What the score is made from; all of it is given, and nothing else."""
    sources: tuple[str, ...] = ("logits", "labels")
    if name in _FROM_EMBEDDINGS:
        sources = ("embeddings",)
    elif arguments.dynamics is not None:
        sources = ("dynamics",)
    for source in sources:
        if getattr(arguments, source) is None and (name, source) != ("entropy", "labels"):
            other = "" if name in _FROM_EMBEDDINGS else ", or --dynamics run.pt"
            raise ValueError(
                f"Expected {source!r} for {name} (got none). Pass --{source} {source}.npy{other}."
            )
    _refuse(arguments, name, _SOURCES, sources)
    return sources


def _options(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """The options that are given, as parameters of the function."""
    used = {**_FROM_TRAINING, **_FROM_EMBEDDINGS}[name]
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
            f"Expected {option!r} to be left out for {where}, which has no use for it (got "
            f"{value!r}). It takes {', '.join(used) or 'none of these options'}."
        )


def _summary(score: Tensor) -> dict[str, Any]:
    low, high = score.aminmax()
    return {
        "samples": len(score),
        "range": [float(low), float(high)],
        "mean": float(score.mean()),
    }
