"""Parts of shards as one array: in memory, or in a file of its own."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from d2pyg._base.content import UnfitError, check_size
from d2pyg._base.temporary import naming
from d2pyg.sources.table import Array


def gathered(
    blocks: Iterator[Array],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    work: Path | None = None,
) -> Array:
    """One array of all blocks; a block that is all of it comes back as it is, such as mapped.

    Args:
        blocks: Its rows, in order.
        shape: Of the result.
        dtype: Of all blocks.
        work: A folder for a file that holds the result, mapped; default: in memory.
    """
    first = next(blocks, np.empty((0, *shape[1:]), dtype))
    if len(first) == shape[0] and (work is None or isinstance(first, np.memmap)):
        return first
    every = chain([first], blocks)
    return _in_memory(every, shape, dtype) if work is None else _in_file(every, shape, dtype, work)


def _in_memory(blocks: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    try:
        check_size(math.prod(shape) * dtype.itemsize)
    except UnfitError as error:
        raise ValueError(
            f"Expected embeddings that fit into memory (got shape {shape}: {error}). Pass "
            f"d2pyg.open(..., work='folder'), which puts them into one file there."
        ) from error
    array = np.empty(shape, dtype)
    row = 0
    for block in blocks:
        array[row : row + len(block)] = block
        row += len(block)
    return array


def _in_file(
    blocks: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[Any], folder: Path
) -> Array:
    """A mapped file that goes when nobody uses it any more.

    It is written by calls that fail where the disk is full; a mapping would end the process.
    """
    with naming(folder):
        descriptor, name = tempfile.mkstemp(prefix=".d2pyg-", suffix=".npy", dir=folder)
    file = os.fdopen(descriptor, "wb")
    try:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        for block in blocks:
            with naming(folder):
                file.write(np.ascontiguousarray(block).view(np.uint8).data)
        with naming(folder):
            file.flush()
        return np.lib.format.open_memmap(name, mode="c")
    finally:
        file.raw.close()  # without what could not be written
        with suppress(OSError):  # a system that cannot remove a mapped file keeps it
            Path(name).unlink()
