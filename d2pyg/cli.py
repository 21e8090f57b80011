"""The command line: a door into the Python functions, with no logic of its own."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from d2pyg import __version__, formats
from d2pyg.budget import BALANCES
from d2pyg.checks import as_tensor
from d2pyg.coreset import Coreset
from d2pyg.io import check_output, path_of, read_array, replacing
from d2pyg.nn.forward import UPDATES
from d2pyg.pruning import select
from d2pyg.registry import choices

USAGE_STATUS = 2
_INPUTS = ("embeddings", "scores", "labels", "initial", "ids")
_LISTS = (".npy", ".txt", ".json")

_SELECT_EPILOG = """\
files:
  Arrays are read from .npy (memory-mapped), .npz, .pt and .safetensors files, names from .txt files,
  one a line. Where a file holds several arrays, write file.npz:key. Nothing is ever unpickled.

examples:
  Keep the 30% that are hard and diverse, class by class:
    d2pyg select embeddings.npy --scores scores.npy --labels labels.npy --keep 0.3 --out coreset.npz
  Prune 70% without scores or labels, and list what to delete:
    d2pyg select run.npz:features --prune 0.7 --out kept.npy --removed delete.txt
  As the authors' code does it:
    d2pyg select f.npy --scores s.npy --budget 5000 --kernel laplacian --scale none --out c.csv

--json prints one object on stdout:
  out            the file written
  kept           number of samples kept
  of             number of samples
  seconds        time taken, reading and writing included
  score_before   [lowest, highest] score given (all 1 without --scores)
  score_after    [lowest, highest] score after the forward pass, of samples past the cutoff
  score_kept     [lowest, highest] score given, of the samples kept
  kept_per_class {label: number kept}, or null without --labels
  settings       every argument, the engine and backend used, and versions
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status: 0, or 2 where an argument or a file is wrong."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = arguments.command
    problem: str | None = None
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            command(arguments)
        except (ValueError, TypeError, ImportError, OSError, RuntimeError, MemoryError) as error:
            problem = " ".join(str(error).split()) or type(error).__name__
        except KeyboardInterrupt:
            print("d2pyg: interrupted, nothing was written", file=sys.stderr)
            return 130
    if problem is not None:
        print(f"d2pyg: error: {problem}", file=sys.stderr)
        return USAGE_STATUS
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        self.exit(USAGE_STATUS, f"d2pyg: error: {line} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="d2pyg", description="Keep the part of a training set worth training on.")
    parser.add_argument("--version", action="version", version=f"d2pyg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_select(commands)
    return parser


def _add_select(commands: Any) -> None:
    parser = commands.add_parser(
        "select",
        help="embeddings and difficulty scores in, coreset out",
        description="Keep the samples that are hard and diverse (D2 Pruning, arXiv:2310.07931).",
        epilog=_SELECT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=_select)
    add = parser.add_argument
    add("embeddings", metavar="EMBEDDINGS", help="file of N x d floats")
    add("--out", required=True, metavar="FILE", help=f"where to write: {' '.join(formats.WRITERS)}")
    add("--scores", metavar="FILE", help="difficulty, N numbers >= 0, higher is harder (default: 1)")
    add("--labels", metavar="FILE", help="N integers: a graph and a budget a class")
    add("--ids", metavar="FILE", help="N names of the samples, carried into the output")
    add("--initial", metavar="FILE", help="indices chosen already; they are not chosen again")

    group = parser.add_argument_group("how many (exactly one)")
    group.add_argument("--keep", type=float, metavar="F", help="fraction kept")
    group.add_argument("--prune", type=float, metavar="F", help="fraction removed")
    group.add_argument("--budget", type=int, metavar="N", help="number of samples kept")

    add = parser.add_argument_group("the method").add_argument
    add("--k", type=int, metavar="K", help="neighbours a sample (default 5)")
    add("--gamma-forward", type=float, default=1.0, metavar="G",
        help="decay of forward messages with distance (default %(default)s)")  # fmt: skip
    add("--gamma-reverse", type=float, metavar="G",
        help="decay of reverse messages with distance (default 0.1)")  # fmt: skip
    add("--kernel", default="rbf", metavar="NAME",
        help=f"{', '.join(choices('kernel'))} (default %(default)s)")  # fmt: skip
    add("--scale", type=_scale, default="median", metavar="S",
        help="distances are divided by: median, none or a number (default %(default)s)")  # fmt: skip
    add("--update", default="sum", metavar="NAME",
        help=f"{', '.join(UPDATES)} (default %(default)s)")  # fmt: skip
    add("--reverse", default="weighted", metavar="NAME",
        help=f"{', '.join(choices('reverse'))} (default %(default)s)")  # fmt: skip
    add("--clamp", action=argparse.BooleanOptionalAction, default=False,
        help="picks at or below 0 send no message")  # fmt: skip
    add("--undirected", action=argparse.BooleanOptionalAction, default=True,
        help="an edge in either direction joins both samples")  # fmt: skip
    add("--metric", metavar="NAME", help=f"{', '.join(choices('metric'))} (default euclidean)")
    add("--cutoff", type=float, default=0.0, metavar="F",
        help="fraction of the hardest samples dropped first (default %(default)s)")  # fmt: skip
    add("--balance", default="proportional", metavar="NAME",
        help=f"{', '.join(BALANCES)}: seats of the classes (default %(default)s)")  # fmt: skip
    add("--min-per-class", type=int, default=0, metavar="N",
        help="seats each class gets first (default %(default)s)")  # fmt: skip

    add = parser.add_argument_group("how it runs").add_argument
    add("--backend", default="auto", metavar="NAME",
        help=f"kNN: auto, {', '.join(choices('backend'))} (default %(default)s)")  # fmt: skip
    add("--engine", default="auto", metavar="NAME",
        help=f"selection: auto, {', '.join(choices('engine'))} (default %(default)s)")  # fmt: skip
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (default cpu)")
    add("--progress", action=argparse.BooleanOptionalAction, default=None,
        help="show progress bars (default: on a terminal)")  # fmt: skip
    add("--json", action="store_true", help="print a summary for programs on stdout")
    add("--removed", metavar="FILE",
        help=f"write what is not kept: names, or indices without --ids: {' '.join(_LISTS)}")  # fmt: skip


def _select(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    out = formats.check_target("out", arguments.out)
    removed = arguments.removed and check_output("removed", arguments.removed, _LISTS)
    if removed and removed.resolve() == out.resolve():
        raise ValueError(
            f"Expected 'removed' to differ from 'out' (got {str(out)!r} for both). Name two files."
        )
    given = {name: getattr(arguments, name) for name in _INPUTS}
    for name, output in (("out", out), ("removed", removed)):
        if output and output.resolve() in {path_of(file).resolve() for file in given.values() if file}:
            raise ValueError(
                f"Expected {name!r} to differ from the inputs (got {str(output)!r}). Name another file."
            )
    files: dict[str, Any] = {
        name: None if file is None else read_array(name, file) for name, file in given.items()
    }
    for name in ("scores", "labels", "initial"):  # names, read from text, are select's to refuse
        if files[name] is not None and getattr(files[name].dtype, "kind", "") != "U":
            files[name] = as_tensor(name, files[name])
    options = {
        name: getattr(arguments, name)
        for name in (
            "keep", "prune", "budget", "k", "gamma_forward", "gamma_reverse", "kernel", "scale",
            "update", "reverse", "clamp", "undirected", "balance", "min_per_class", "cutoff",
            "metric", "backend", "engine", "device",
        )
    }  # fmt: skip
    progress = sys.stderr.isatty() if arguments.progress is None else arguments.progress
    coreset = select(files.pop("embeddings"), **files, **options, progress=progress)
    coreset.settings["files"] = given
    summary = {"out": str(out), **_summary(coreset, files["scores"], files["labels"])}

    if removed:
        left_out = ~coreset.mask
        left_out[coreset.settings["initial"]] = False  # chosen already: they stay
        with replacing(removed) as file:  # which happens only if `out` was written too
            file.write(_list_of(coreset, left_out.nonzero().flatten(), removed.suffix))
            coreset.save(out)
    else:
        coreset.save(out)
    summary["seconds"] = round(time.perf_counter() - started, 3)
    _report(summary)
    if arguments.json:
        print(json.dumps({**summary, "settings": coreset.settings}))


def _summary(coreset: Coreset, scores: Tensor | None, labels: Tensor | None) -> dict[str, Any]:
    score = torch.ones(len(coreset.scores)) if scores is None else scores.double()
    after = coreset.scores[~coreset.scores.isnan()]
    kept_per_class = None
    if labels is not None:
        label, place = labels.long().unique(return_inverse=True)
        count = place[coreset.index].bincount(minlength=len(label))
        kept_per_class = dict(zip(map(str, label.tolist()), count.tolist(), strict=True))
    return {
        "kept": len(coreset),
        "of": len(coreset.scores),
        "score_before": _range(score),
        "score_after": _range(after),
        "score_kept": _range(score[coreset.index]),
        "kept_per_class": kept_per_class,
    }


def _report(summary: dict[str, Any]) -> None:
    """The summary for people, on stderr."""
    lines = [
        f"kept {summary['kept']} of {summary['of']} samples in {summary['seconds']:.1f} s "
        f"-> {summary['out']}",
        "scores {:.4g} to {:.4g}".format(*summary["score_before"])
        + ", after the forward pass {:.4g} to {:.4g}".format(*summary["score_after"])
        + ", kept {:.4g} to {:.4g}".format(*summary["score_kept"]),
    ]
    if summary["kept_per_class"] is not None:
        counts = [f"{label}: {count}" for label, count in summary["kept_per_class"].items()]
        more = f", and {len(counts) - 20} more classes" if len(counts) > 20 else ""
        lines.append(f"kept per class {', '.join(counts[:20])}{more}")
    print("\n".join(lines), file=sys.stderr)


def _list_of(coreset: Coreset, index: Tensor, suffix: str) -> bytes:
    """A file of the names of these samples, or of their indices where there are no names."""
    chosen: np.ndarray[Any, Any] = index.numpy() if coreset.ids is None else coreset.ids[index]
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, chosen)
        return buffer.getvalue()
    if suffix == ".json":
        return json.dumps(chosen.tolist()).encode()
    names = [str(name) for name in chosen.tolist()]
    if any("\n" in name for name in names):
        raise ValueError(
            "Expected 'removed' to be a .json or .npy file (got .txt, for names with line breaks). "
            "Choose another suffix."
        )
    return "".join(f"{name}\n" for name in names).encode()


def _range(values: Tensor) -> list[float]:
    return [float(values.min()), float(values.max())]


def _scale(text: str) -> str | float | None:
    if text in ("median", "none"):
        return None if text == "none" else text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected median, none or a number (got {text!r})") from None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"d2pyg: warning: {message}", file=sys.stderr)
