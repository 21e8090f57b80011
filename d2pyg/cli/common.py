"""What several commands share: options, inputs, progress."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from d2pyg._base.checks import as_tensor
from d2pyg._base.io import path_of, read_array
from d2pyg._base.registry import choices
from d2pyg.cli.streams import on_terminal
from d2pyg.coreset.coreset import Coreset
from d2pyg.coreset.formats import READERS
from d2pyg.graph.files import read_graph_or_array
from d2pyg.graph.scale import SCALES
from d2pyg.nn.forward import UPDATES
from d2pyg.scores.dynamics import TrainingDynamics
from d2pyg.scores.state import NotARecorderError
from d2pyg.selection.budget import BALANCES
from d2pyg.selection.flow import FLOWS

FILES = """\
files:
  Arrays are read from .npy (memory-mapped), .npz, .pt and .safetensors files, names from .txt files,
  one a line. Where a file holds several arrays, write file.npz:key. Nothing is ever unpickled.
"""
GRAPHS = """\
  A graph that d2pyg graph wrote can stand in place of the embeddings.
"""

METHOD = (
    "kernel", "scale", "update", "forward", "reverse", "flow", "metric", "balance",
    "min_per_class",
)  # fmt: skip

Add = Callable[..., Any]


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that were given: parsers of selections leave the others out, with ``SUPPRESS``."""
    return {name: getattr(arguments, name) for name in names if name in arguments}


def add_method(add: Add) -> None:
    """The options of :data:`METHOD`."""
    add("--kernel", metavar="NAME",
        help=f"{', '.join(choices('kernel'))} (default rbf)")  # fmt: skip
    add("--scale", type=_scale, metavar="S",
        help="distances are divided by: median, local, none or a number (default median)")  # fmt: skip
    add("--update", metavar="NAME",
        help=f"{', '.join(UPDATES)} (default sum; without scores none)")  # fmt: skip
    add("--forward", metavar="NAME",
        help=f"{', '.join(choices('forward'))} (default weighted)")  # fmt: skip
    add("--reverse", metavar="NAME",
        help=f"{', '.join(choices('reverse'))} (default weighted)")  # fmt: skip
    add("--flow", metavar="NAME",
        help=f"{FLOWS[0]}, edges join both samples (default with scores); {FLOWS[1]}, a pick lowers its "
        f"own k nearest; {FLOWS[2]}, those that have it among theirs (default without "
        "scores)")  # fmt: skip
    add_metric(add)
    add("--balance", metavar="NAME",
        help=f"{', '.join(BALANCES)}: seats of the classes (default proportional)")  # fmt: skip
    add("--min-per-class", type=whole, metavar="N",
        help="seats each class gets first (default 0)")  # fmt: skip


def add_metric(add: Add) -> None:
    """How near two samples are."""
    add("--metric", metavar="NAME", help=f"{', '.join(choices('metric'))} (default euclidean)")


def add_engine(add: Add) -> None:
    """How picks are found."""
    add("--engine", metavar="NAME",
        help=f"selection: auto, {', '.join(choices('engine'))} (default auto)")  # fmt: skip


def add_running(add: Add) -> None:
    """How a command runs and reports."""
    add_search(add)
    add_reporting(add)


def add_search(add: Add) -> None:
    """How neighbors are searched, and where a command computes."""
    add("--backend", metavar="NAME",
        help=f"kNN: auto, {', '.join(choices('backend'))} (default auto)")  # fmt: skip
    add_device(add)


def add_device(add: Add) -> None:
    """Where a command computes."""
    add("--device", metavar="NAME", help="cpu, cuda, cuda:1, ... (default cpu)")


def add_reporting(add: Add) -> None:
    """How a command reports."""
    add("--progress", action=argparse.BooleanOptionalAction, default=None,
        help="show progress bars (default: on a terminal)")  # fmt: skip
    add("--json", action="store_true", default=False, help="print a summary for programs on stdout")
    add("--verbose", action="store_true", default=False, help="say first what the graph will take")


def check_files(given: Mapping[str, str | None], outputs: Mapping[str, Path | None]) -> None:
    """No output takes the place of an input, or of another output."""
    inputs = {path_of(file).resolve() for file in given.values() if file}
    names: dict[Path, str] = {}
    for name, output in outputs.items():
        if output is None:
            continue
        target = output.resolve()
        if target in inputs:
            raise ValueError(
                f"Expected {name!r} to differ from the inputs (got {str(output)!r}). Name another file."
            )
        if target in names:
            raise ValueError(
                f"Expected {name!r} to differ from {names[target]!r} (got {str(output)!r} for both). "
                f"Name two files."
            )
        names[target] = name


def read_inputs(given: Mapping[str, str | None]) -> dict[str, Any]:
    """The array of each file that is named; in place of embeddings, a graph."""
    files: dict[str, Any] = {}
    for name, file in given.items():
        read = _READERS.get(name) or read_array
        files[name] = None if file is None else read(name, file)
    for name, values in files.items():
        # names, read from text, are refused further on
        is_array = isinstance(values, Tensor | np.ndarray) and getattr(values.dtype, "kind", "") != "U"
        if is_array and name not in ("embeddings", "ids"):
            files[name] = as_tensor(name, values)
    return files


def _recorder_or_array(name: str, file: str) -> Any:
    """What TrainingDynamics.save wrote, or numbers."""
    if file.endswith(".pt"):
        with in_words_of_options({"path": name}), suppress(NotARecorderError):
            return TrainingDynamics.load(file)
    return read_array(name, file)


def _coreset_or_array(name: str, file: str) -> Any:
    """A coreset that d2pyg select wrote, or indices, a mask or names."""
    suffix = path_of(file).suffix
    if suffix not in READERS:
        return read_array(name, file)
    if suffix in (".npz", ".pt"):
        with suppress(ValueError, TypeError):  # a coreset, of which no key is named, is no one array
            return read_array(name, file)
    with in_words_of_options({"path": name}):
        return Coreset.load(file)


_READERS: dict[str, Callable[[str, str], Any]] = {
    "embeddings": read_graph_or_array,
    "scores": _recorder_or_array,
    "initial": _coreset_or_array,
}


@contextmanager
def in_words_of_options(written: Mapping[str, str]) -> Iterator[None]:
    """Errors name what the user wrote, where a function has another name for it."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        for parameter, option in written.items():
            text = text.replace(repr(parameter), repr(option))
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(text) from error


def progress(arguments: argparse.Namespace) -> bool:
    """What was asked for, or whether this is a terminal."""
    return on_terminal() if arguments.progress is None else bool(arguments.progress)


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """A table with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")  # a path can hold any bytes


def whole(text: str) -> int:
    """The value of an option, in digits of ASCII."""
    try:
        return int(text.encode("ascii"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from None


def real(text: str) -> float:
    """The value of an option, in digits of ASCII."""
    try:
        return float(text.encode("ascii"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid float value: {text!r}") from None


def fraction_or_auto(text: str) -> str | float:
    """The value of --cutoff."""
    if text == "auto":
        return text
    try:
        return real(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected auto or a number (got {text!r})") from None


def _scale(text: str) -> str | float | None:
    if text in (*SCALES, "none"):
        return None if text == "none" else text
    try:
        return real(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"expected {', '.join(SCALES)}, none or a number (got {text!r})"
        ) from None
