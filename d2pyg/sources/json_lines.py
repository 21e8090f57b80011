"""``.jsonl``, also packed: an object of JSON a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from d2pyg._base.io import readable
from d2pyg._base.registry import register
from d2pyg.sources.table import Array, Table
from d2pyg.sources.text import COMPRESSED, array_of, opened

_TOGETHER = 1 << 12  # rows


@register("source", "json_lines")
class JsonLines(Table):
    """A file of objects that have the keys of the first one."""

    suffixes = tuple(f".{kind}{packed}" for kind in ("jsonl", "ndjson") for packed in COMPRESSED)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(next(self._objects(0, 1), {}))

    def length(self, column: str) -> int:
        return self._length

    @cached_property
    def _length(self) -> int:
        return sum(1 for _ in self._lines(0, sys.maxsize))

    def blocks(self, column: str, start: int, stop: int) -> Iterator[Array]:
        objects = self._objects(start, stop)
        while values := [row.get(column) for row in islice(objects, _TOGETHER)]:
            if None in values:
                first = start + values.index(None)
                count = values.count(None) + sum(row.get(column) is None for row in objects)
                raise self.missing(column, count, first)
            array = array_of(values)
            if array is None:
                raise self._mixed(column, values, start)
            yield array
            start += len(values)

    def _mixed(self, column: str, values: list[Any], start: int) -> ValueError:
        """The error about values of several kinds or lengths: the first that differs from the first."""
        kind = _kind(values[0])
        place = next((i for i, value in enumerate(values) if _kind(value) != kind), 0)
        got = f"{_kind(values[place])} at row {start + place}"
        if kind == "a number" and not place:
            got = "whole numbers of more than 64 bits"
        if place:
            got = f"{got}, {kind} at row {start}"
        rule = "hold text, truth values, numbers or vectors of one length"
        return self.misfit(column, rule, got, "Write all its values alike.")

    def _lines(self, start: int, stop: int) -> Iterator[str]:
        with readable(self.argument, self.path), opened(self.path) as file:
            yield from islice((line for line in file if not line.isspace()), start, stop)

    def _objects(self, start: int, stop: int) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._lines(start, stop), start):
            with readable(self.argument, self.path):
                row = _object(number, line)
            yield row


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"row {number} is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"row {number} is no object, but {_kind(row)}")
    return row


def _kind(value: Any) -> str:
    if isinstance(value, list):
        numbers = all(type(entry) in (int, float) for entry in value)
        return f"a list of {len(value)} {'numbers' if numbers else 'values that are not all numbers'}"
    kinds = {str: "text", bool: "a truth value", int: "a number", float: "a number"}
    return kinds.get(type(value), "an object")
