"""d2pyg select: embeddings and scores in, coreset out."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2pyg._base import defaults
from d2pyg._base.checks import as_tensor
from d2pyg._base.outputs import check_output, replacing_all
from d2pyg._base.registry import choices, look_up
from d2pyg.cli import common, methods, streams
from d2pyg.coreset import formats
from d2pyg.coreset.coreset import Coreset, write
from d2pyg.metrics import class_counts
from d2pyg.selection.difficulty import difficulty_of
from d2pyg.selection.initial import as_initial
from d2pyg.selection.select import select

_INPUTS = ("embeddings", "scores", "labels", "initial", "ids")
_OPTIONS = (
    "keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "clamp", "cutoff",
    *common.METHOD, "backend", "engine", "device",
)  # fmt: skip
_OWN = ("command", "files", "help", "import", "json", "method", "modules", "more", "out", "progress",
        "removed", "verbose")  # of the command itself, never a method's  # fmt: skip
_LISTS = (".npy", ".txt", ".json")

_EPILOG = """
examples:
  Keep the 30% that are hard and diverse, class by class:
    d2pyg select embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 --out coreset.npz
  Prune 70% without scores or labels, and list what to delete:
    d2pyg select run.npz:features --prune 0.7 --out kept.npy --removed delete.txt
  From what a training run recorded, without what it took for another class:
    d2pyg select embeddings.npy --scores run.pt --cutoff auto --keep 0.3 --out coreset.npz
  As the authors' code does it:
    d2pyg select f.npy --scores s.npy --k 5 --gamma-forward 1 --kernel laplacian --scale none \\
        --budget 5000 --out c.csv
  Another method, to compare with:
    d2pyg select --method ccs --scores scores.npy --cutoff 0.1 --seed 0 --keep 0.3 --out ccs.npz

  A graph that is built once, for two selections:
    d2pyg graph embeddings.npy --out graph.pt
    d2pyg select graph.pt --scores scores.npy --k 5 --keep 0.1 --out small.npz
    d2pyg select graph.pt --scores scores.npy --keep 0.3 --out large.npz

--json prints one object on stdout:
  out            the file written
  kept           number of samples kept
  of             number of samples
  seconds        time taken, reading and writing included
  score_before   [lowest, highest] score given (without --scores 1 to 1.004, in a drawn order; other
                 methods than d2: 1)
  score_after    [lowest, highest] score after the forward pass, of samples past the cutoff; null for
                 other methods than d2
  score_kept     [lowest, highest] score given, of the samples kept
  kept_per_class {label: number kept}, or null without --labels
  settings       every argument, the engine and backend used, and versions
"""


def add_to(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "select",
        help="embeddings and difficulty scores in, coreset out",
        description="Keep the samples that are hard and diverse (D2 Pruning, arXiv:2310.07931), or "
        "those that another method would keep.",
        epilog=common.FILES + common.GRAPHS + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", nargs="?",
        help="file of N x d floats, or a graph; some methods do without")  # fmt: skip
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(formats.WRITERS)}")
    add("--scores", metavar="FILE",
        help="difficulty, N numbers >= 0, higher is harder (default: all alike); or what "
        "TrainingDynamics.save wrote, for its borderline scores")  # fmt: skip
    add("--labels", metavar="FILE", help="N integers: a graph and a budget a class")
    add("--ids", metavar="FILE", help="N names of the samples, carried into the output")
    add(
        "--initial",
        metavar="FILE",
        help="chosen already, they come first: a coreset file, indices, a mask, or names of --ids",
    )

    group = parser.add_argument_group("how many (exactly one)")
    group.add_argument("--keep", type=common.real, metavar="F", help="fraction kept")
    group.add_argument("--prune", type=common.real, metavar="F", help="fraction removed")
    group.add_argument("--budget", type=common.whole, metavar="N", help="number of samples kept")

    add = parser.add_argument_group("the method").add_argument
    add("--method", default="d2", metavar="NAME",
        help=f"{', '.join(choices('method'))} (default %(default)s)")  # fmt: skip
    add("--k", type=common.whole, metavar="K",
        help=f"neighbors a sample (default {defaults.K}, or all that a graph has)")  # fmt: skip
    add("--gamma-forward", type=common.real, metavar="G",
        help="decay of forward messages with distance (default "
        f"{defaults.GAMMA_FORWARD:g})")  # fmt: skip
    add("--gamma-reverse", type=common.real, metavar="G",
        help="decay of reverse messages with distance (default "
        f"{defaults.GAMMA_REVERSE:g})")  # fmt: skip
    add("--clamp", action=argparse.BooleanOptionalAction,
        help="picks at or below 0 send no message")  # fmt: skip
    add("--cutoff", type=common.fraction_or_auto, metavar="F",
        help="fraction of the hardest samples dropped first (default 0.0); auto: those with a negative "
        "margin, where --scores is a recorder's file")  # fmt: skip
    common.add_method(add)

    more, files = methods.add_options(parser, {*_INPUTS, *_OPTIONS, *_OWN})
    parser.set_defaults(command=_select, more=more, files=files)
    add = parser.add_argument_group("how it runs").add_argument
    common.add_engine(add)
    common.add_running(add)
    add("--removed", default=None, metavar="FILE",
        help=f"write what is not kept: names, or indices without --ids: {' '.join(_LISTS)}")  # fmt: skip


def _select(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    out = formats.check_target("out", arguments.out)
    removed = None if arguments.removed is None else check_output("removed", arguments.removed, _LISTS)
    name = arguments.method
    method = look_up("method", name)
    options = common.given(arguments, (*_INPUTS, *_OPTIONS, *arguments.more))
    methods.check_options(name, method, options)
    given = {key: file for key, file in options.items() if key in (*_INPUTS, *arguments.files)}
    common.check_files(given, {"out": out, "removed": removed})
    files = common.read_inputs(given)
    if "progress" in methods.parameters(method):
        options["progress"] = common.progress(arguments)
    coreset = method(**{**options, **files})
    coreset.settings["files"] = {key: given.get(key) for key in (*_INPUTS, *given)}
    total = len(coreset.scores)
    score = torch.ones(total)  # where a method has no use for scores
    if method is select or "scores" in files:
        score = as_tensor("scores", difficulty_of(files.get("scores"), total).scores).double()
    summary = {"out": str(out), **_summary(coreset, score, files.get("labels"), method is select)}

    with replacing_all(*(path for path in (out, removed) if path)) as targets:
        write(coreset, targets[0], out.suffix)
        if removed:
            left_out = _left_out(coreset, files.get("initial"))
            targets[1].write(formats.name_list(left_out, removed.suffix))
    summary["seconds"] = round(time.perf_counter() - started, 3)
    _report(summary)
    if arguments.json:
        streams.say(json.dumps({**summary, "settings": coreset.settings}))


def _summary(coreset: Coreset, score: Tensor, labels: Tensor | None, messages: bool) -> dict[str, Any]:
    score = score[:, 0] if score.dim() > 1 else score  # the difficulty
    after = coreset.scores[~coreset.scores.isnan()]
    kept_per_class = None
    if labels is not None:
        count = class_counts(labels, coreset.index)
        kept_per_class = {str(label): kept for label, kept in count.items()}
    return {
        "kept": len(coreset),
        "of": len(coreset.scores),
        "score_before": _range(score),
        "score_after": _range(after) if messages and len(after) else None,
        "score_kept": _range(score[coreset.index]),
        "kept_per_class": kept_per_class,
    }


def _report(summary: dict[str, Any]) -> None:
    """The summary for people, on stderr."""
    after = ""
    if summary["score_after"] is not None:
        after = ", after the forward pass {:.4g} to {:.4g}".format(*summary["score_after"])
    lines = [
        f"kept {summary['kept']} of {summary['of']} samples in {summary['seconds']:.1f} s "
        f"-> {summary['out']}",
        "scores {:.4g} to {:.4g}".format(*summary["score_before"])
        + after
        + ", kept {:.4g} to {:.4g}".format(*summary["score_kept"]),
    ]
    if summary["kept_per_class"] is not None:
        counts = [f"{label}: {count}" for label, count in summary["kept_per_class"].items()]
        more = f", and {len(counts) - 20} more classes" if len(counts) > 20 else ""
        lines.append(f"kept per class {', '.join(counts[:20])}{more}")
    streams.tell("\n".join(lines))


def _left_out(coreset: Coreset, initial: Any) -> np.ndarray[Any, Any]:
    """The samples that are neither kept nor chosen already, by name or else by index."""
    left_out = ~coreset.mask
    left_out[as_initial(initial, len(left_out), coreset.ids)] = False
    index = left_out.nonzero().flatten().numpy()
    return index if coreset.ids is None else coreset.ids[index]


def _range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]
