"""Helpers of several commands: inputs, progress, tables."""

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
from d2pyg.cli.streams import on_terminal
from d2pyg.graph.files import read_graph_or_array
from d2pyg.scores.recorder import Recorder
from d2pyg.scores.state import NotARecorderError


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that were given. With ``SUPPRESS``, parsers leave out the others."""
    return {name: getattr(arguments, name) for name in names if name in arguments}


def check_files(given: Mapping[str, str | list[str] | None], outputs: Mapping[str, Path | None]) -> None:
    """Refuses an output that is also an input or another output."""
    named = [[files] if isinstance(files, str) else files or [] for files in given.values()]
    inputs = {path_of(file).resolve() for files in named for file in files}
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
    """The array of each file given. Embeddings may also be a graph."""
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
    """A saved recorder, or an array of numbers."""
    if file.endswith(".pt"):
        with in_words_of_options({"path": name}), suppress(NotARecorderError):
            return Recorder.load(file)
    return read_array(name, file)


_READERS: dict[str, Callable[[str, str], Any]] = {
    "embeddings": read_graph_or_array,
    "scores": _recorder_or_array,
}


@contextmanager
def in_words_of_options(written: Mapping[str, str]) -> Iterator[None]:
    """Renames parameters in errors to the options that the user wrote."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        for parameter, option in written.items():
            text = text.replace(repr(parameter), repr(option))
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(text) from error


def progress(arguments: argparse.Namespace) -> bool:
    """Whether to show progress: as asked for, or if stderr is a terminal."""
    return on_terminal() if arguments.progress is None else bool(arguments.progress)


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """A table with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")  # a path can hold any bytes
