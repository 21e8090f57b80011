"""Helpers of several commands: inputs, progress, tables."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import has_magic
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d2pyg._base.checks import as_tensor
from d2pyg.cli.streams import on_terminal
from d2pyg.graph.files import graph_in
from d2pyg.scores.recorder import Recorder
from d2pyg.scores.state import NotARecorderError
from d2pyg.sources.description import described
from d2pyg.sources.pt import Pt
from d2pyg.sources.source import Source
from d2pyg.sources.spec import open_spec, path_of, read_column, split


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, Any]:
    """The options that were given. With ``SUPPRESS``, parsers leave out the others."""
    return {name: getattr(arguments, name) for name in names if name in arguments}


def check_files(given: Mapping[str, str | list[str] | None], outputs: Mapping[str, Path | None]) -> None:
    """No output takes the place of an input, or of another output, or is a new shard of an input."""
    named = [[files] if isinstance(files, str) else files or [] for files in given.values()]
    inputs = [path_of(file).resolve() for files in named for file in files if not file.startswith(":")]
    names: dict[Path, str] = {}
    for name, output in outputs.items():
        if output is None:
            continue
        target = output.resolve()
        if target in inputs:
            raise ValueError(
                f"Expected {name!r} to differ from the inputs (got {str(output)!r}). Name another file."
            )
        if any(_is_part(target, path) for path in inputs):
            raise ValueError(
                f"Expected {name!r} to lie outside of the folders of inputs, where it would be a shard "
                f"(got {str(output)!r}). Name another file."
            )
        if target in names:
            raise ValueError(
                f"Expected {name!r} to differ from {names[target]!r} (got {str(output)!r} for both). "
                f"Name two files."
            )
        names[target] = name


def _is_part(target: Path, given: Path) -> bool:
    """Whether a file would be among those of a folder or a pattern."""
    if given.is_dir():
        return target.is_relative_to(given)
    return has_magic(str(given)) and target.match(str(given))


class Inputs(NamedTuple):
    """What was read for each argument, and the descriptions of the files."""

    values: dict[str, Any]
    read: dict[str, dict[str, Any]]


def read_inputs(given: Mapping[str, str | None], named: bool = False) -> Inputs:
    """The source, the graph or the array that each argument names; ``:column`` is one of the source.

    Args:
        given: What the arguments are; embeddings first.
        named: Whether samples have names: those of ``ids``, or else of the source.
    """
    found = Inputs({}, {})
    for name, spec in given.items():
        value: Any = None
        read = None
        if spec is not None and spec.startswith(":"):
            source = _source(found, name, spec)
            value = source.ids if name == "ids" else source.column(spec[1:])
        elif spec is not None and (name, spec) != ("ids", "none"):
            reader: Reader = _READERS.get(name, read_column)
            value, read = reader(name, spec, *_ids(given, named, name))
        if name not in ("embeddings", "ids") and _is_numeric(value):
            value = as_tensor(name, value)
        found.values[name] = value
        if read is not None:
            found.read[name] = read
    first = found.values.get("embeddings")
    if named and found.values.get("ids") is None and isinstance(first, Source):
        found.values["ids"] = first.ids
    return found


def read_embeddings(name: str, spec: str, ids: str | None = None) -> tuple[Any, dict[str, Any]]:
    """A source, or in its place a graph."""
    path, key = split(spec)
    if key is None and Pt.claims(Path(path)):
        graph = graph_in(name, file := Pt(Path(path), name))
        if graph is not None:
            return graph, described([file], [int(graph.num_nodes or 0)])
    source = open_spec(name, spec, ids)
    return source, source.description


def _ids(given: Mapping[str, str | None], named: bool, name: str) -> tuple[str | None, ...]:
    """The column of ids that embeddings are opened with."""
    if name != "embeddings":
        return ()
    spec = given.get("ids", "auto" if named else None)
    return (spec[1:] if spec and spec.startswith(":") else "auto" if spec == "auto" else None,)


def _source(found: Inputs, name: str, spec: str) -> Source:
    source = found.values.get("embeddings")
    if not isinstance(source, Source):
        raise ValueError(
            f"Expected {name!r} to be a file where the embeddings are none with columns (got {spec!r}). "
            f"Write it as FILE{spec}."
        )
    return source


def _recorder_or_array(name: str, file: str) -> tuple[Any, dict[str, Any] | None]:
    """What a recorder's save() wrote, or numbers."""
    if file.endswith(".pt"):
        with in_words_of_options({"path": name}), suppress(NotARecorderError):
            return Recorder.load(file), None
    return read_column(name, file)


def _is_numeric(values: Any) -> bool:
    """Whether it is an array of numbers; names, read from text, are refused further on."""
    return isinstance(values, np.ndarray) and values.dtype.kind not in "UO"


Reader = Callable[..., tuple[Any, dict[str, Any] | None]]
_READERS: dict[str, Reader] = {
    "embeddings": read_embeddings,
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
