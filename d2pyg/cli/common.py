"""What several commands share: inputs, progress, tables."""

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
    """The options that were given: parsers of selections leave the others out, with ``SUPPRESS``."""
    return {name: getattr(arguments, name) for name in names if name in arguments}


def check_files(given: Mapping[str, str | list[str] | None], outputs: Mapping[str, Path | None]) -> None:
    """No output takes the place of an input, or of another output."""
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
    """What a recorder's save() wrote, or numbers."""
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
