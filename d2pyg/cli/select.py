"""d2pyg select: embeddings and scores in, coreset out."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import as_tensor
from d2pyg._base.outputs import replacing_all
from d2pyg._base.registry import look_up
from d2pyg.cli import common, methods, streams
from d2pyg.cli.arguments.methods import parameters
from d2pyg.cli.arguments.select import INPUTS, OPTIONS
from d2pyg.cli.initial import read_initial
from d2pyg.coreset import formats, lists, row_tables
from d2pyg.coreset.coreset import Coreset, list_of, row_columns, write
from d2pyg.metrics import class_counts
from d2pyg.selection.difficulty import difficulty_of
from d2pyg.selection.initial import as_initial
from d2pyg.selection.select import select


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    started = time.perf_counter()
    out = formats.check_target("out", arguments.out)
    besides = _outputs_besides(arguments)
    name = arguments.method
    method = look_up("method", name)
    options = common.given(arguments, (*INPUTS, *OPTIONS, *arguments.more))
    methods.check_options(name, method, options)
    given = {key: file for key, file in options.items() if key in (*INPUTS, *arguments.files)}
    common.check_files(given, {"out": out, **besides})
    inputs = common.read_inputs(
        {key: file for key, file in given.items() if key != "initial"}, named="ids" in parameters(method)
    )
    files = inputs.values
    if "initial" in given:
        files["initial"] = read_initial(given["initial"], files)
    if "progress" in parameters(method):
        options["progress"] = common.progress(arguments)
    coreset = method(**{**options, **files})
    initial = as_initial(files.get("initial"), len(coreset.scores), coreset.ids)
    coreset.settings.setdefault("initial", initial.tolist())  # a method of the user's may not record it
    coreset.settings["read"] = inputs.read
    coreset.settings["files"] = {key: given.get(key) for key in (*INPUTS, *given)}
    total = len(coreset.scores)
    score = torch.ones(total)  # where a method has no use for scores
    if method is select or "scores" in files:
        score = as_tensor("scores", difficulty_of(files.get("scores"), total).scores).double()
    summary = {"out": str(out), **_summary(coreset, score, files.get("labels"), method is select)}

    with replacing_all(out, *besides.values()) as (target, *others):
        write(coreset, target, out.suffix)
        for (name, path), file in zip(besides.items(), others, strict=True):
            if name == "rows":
                row_tables.write_rows(row_columns(coreset), file, path.suffix)
            else:
                file.write(list_of(coreset, name, path.suffix, name == "removed", name == "datacomp"))
    summary["seconds"] = round(time.perf_counter() - started, 3)
    _report(summary, "scores" in files)
    if arguments.json:
        streams.say(json.dumps({**summary, "settings": coreset.settings}))


def _outputs_besides(arguments: argparse.Namespace) -> dict[str, Path]:
    """The files that were asked for besides the coreset."""
    asked = {name: getattr(arguments, name) for name in ("kept", "removed", "datacomp", "rows")}
    return {
        name: row_tables.check_target(name, path)
        if name == "rows"
        else lists.check_target(name, path, name == "datacomp")
        for name, path in asked.items()
        if path is not None
    }


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


def _report(summary: dict[str, Any], scored: bool) -> None:
    """Prints the summary for people on stderr. Without scores, it has no line about them."""
    lines = [
        f"kept {summary['kept']} of {summary['of']} samples in {summary['seconds']:.1f} s "
        f"-> {summary['out']}"
    ]
    if scored:
        ranges = {
            "scores": "score_before",
            "after the forward pass": "score_after",
            "kept": "score_kept",
        }
        known = {name: summary[key] for name, key in ranges.items() if summary[key] is not None}
        lines.append(", ".join(f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in known.items()))
    if summary["kept_per_class"] is not None:
        counts = [f"{label}: {count}" for label, count in summary["kept_per_class"].items()]
        more = f", and {len(counts) - 20} more classes" if len(counts) > 20 else ""
        lines.append(f"kept per class {', '.join(counts[:20])}{more}")
    streams.tell("\n".join(lines))


def _range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]
