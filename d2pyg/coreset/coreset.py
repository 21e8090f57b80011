"""Coreset: the result of every selection."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

from d2pyg._base.checks import ArrayLike, as_count, as_index
from d2pyg._base.io import check_input, readable
from d2pyg._base.no_values import NoValues
from d2pyg._base.outputs import replacing
from d2pyg.coreset import formats, lists, row_tables, tables
from d2pyg.coreset.explanation import Explanation, explain
from d2pyg.coreset.integrity import Fields
from d2pyg.coreset.settings import of_first
from d2pyg.greedy.strongest import strongest
from d2pyg.greedy.trace import Trace

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Coreset(NoValues):
    """The samples kept, in pick order.

    Attributes:
        index: int64 [B], the picks in order; ``index[:b]`` is the coreset of size b.
        pick_scores: float64 [B], the score each had when it was picked.
        scores: float64 [N], all scores after the forward pass; NaN where the cutoff dropped the
            sample.
        settings: Every argument, the engine and backend used, and versions: enough to repeat it.
        ids: Your own names of all N samples, or None. An int64 array, text of fixed width, or str
            objects if one long name would make fixed width too wide.
        trace: What :meth:`explain` needs. It keeps the graph in memory. It is not saved.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.2]])
        >>> coreset = d2pyg.select(x, scores=[1.0, 2.0, 3.0, 1.0], budget=2, k=1)
        >>> coreset
        Coreset(2 of 4, engine='heap')
        >>> coreset.index, coreset.mask
        (tensor([2, 1]), tensor([False,  True,  True, False]))
        >>> list(coreset), coreset.removed, coreset[:1]
        ([2, 1], tensor([0, 3]), Coreset(1 of 4, engine='heap'))
    """

    index: Tensor
    pick_scores: Tensor
    scores: Tensor
    settings: dict[str, Any] = field(default_factory=dict)
    ids: np.ndarray[Any, Any] | None = None
    trace: Trace | None = field(default=None, repr=False)

    @property
    def mask(self) -> Tensor:
        """bool [N], True for the samples kept.

        pandas and polars do not accept tensors. Write ``dataframe[coreset.mask.numpy()]`` in pandas and
        ``dataframe.filter(coreset.mask.numpy())`` in polars. For pick order, write
        ``dataframe.iloc[coreset]`` and ``dataframe[coreset.index.numpy()]``.
        """
        mask = torch.zeros(len(self.scores), dtype=torch.bool, device=self.index.device)
        return mask.index_fill(0, self.index, True)

    @property
    def removed(self) -> Tensor:
        """int64, the samples that are not kept, ascending.

        ``initial`` samples were kept before, so they are neither in ``index`` nor here.
        """
        initial = torch.tensor(self.settings.get("initial") or [], dtype=torch.int64)
        return (~self.mask).index_fill(0, initial.to(self.index.device), False).nonzero().flatten()

    @property
    def kept_ids(self) -> np.ndarray[Any, Any]:
        """Your names of the samples kept, [B], in pick order.

        Raises:
            ValueError: If the coreset has no names.
        """
        if self.ids is None:
            raise ValueError(
                "Expected a coreset with names of its samples (got one without). Pass ids= when you "
                "select, or take coreset.index."
            )
        names: np.ndarray[Any, Any] = self.ids[self.index.cpu().numpy()]
        return names

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with one row per sample, the picks first. ``.csv`` files hold the same table.

        Columns: ``index``, ``id`` (if there are ids), ``rank`` (place in pick order, missing if the
        sample was not picked), ``kept``, ``pick_score``, ``score``.

        Raises:
            ImportError: If pandas is not installed.
        """
        return tables.frame(_fields(self))

    def __len__(self) -> int:
        return len(self.index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.index.tolist())

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Coreset: ...
    def __getitem__(self, place: int | slice) -> int | Coreset:
        """``coreset[i]`` is the sample picked at place i, ``coreset[:b]`` the coreset of size b.

        The first b picks are the picks of budget b, with classes too. The settings of ``coreset[:b]``
        have that budget. If the picks of your own method depend on the budget, set
        ``settings["nests"] = False``.

        Raises:
            ValueError: If the slice does not begin with the first pick or is longer than the coreset, or
                if the method's picks depend on the budget.
            IndexError: If there is no such place.
        """
        if not isinstance(place, slice):
            return int(self.index[operator.index(place)])
        count = place.stop
        if place.start not in (None, 0) or place.step not in (None, 1) or count is None:
            raise ValueError(
                f"Expected 'coreset[:b]', the first b picks (got {place}). For other picks, index "
                f"coreset.index."
            )
        remedy = "Select again with a larger budget for more picks."
        count = as_count("b", count, 1, len(self), ", the number of picks", remedy)
        settings = of_first(self.settings, count)
        return Coreset(
            self.index[:count], self.pick_scores[:count], self.scores, settings, self.ids, self.trace
        )

    def __eq__(self, other: object) -> bool:
        """Whether the picks, their scores and the number of samples are the same."""
        if not isinstance(other, Coreset):
            return NotImplemented
        return (
            len(self.scores) == len(other.scores)
            and np.array_equal(self.index.cpu(), other.index.cpu())
            and np.array_equal(self.pick_scores.cpu(), other.pick_scores.cpu(), equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash((len(self.scores), *self.index.tolist()))

    def _instead(self, name: str) -> str:
        return f"Pass {name} of all samples. Those of the samples kept are {name}[coreset.index]."

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        """``index``, as an array of its own unless ``copy`` is False."""
        array = self.index.cpu().numpy()
        if copy is False:
            if self.index.is_cuda or dtype not in (None, array.dtype):
                raise ValueError(
                    f"Expected 'copy' to be None or True for another device or dtype (got False for "
                    f"{self.index.device} and {dtype}). Leave it out."
                )
            return array
        return array.astype(array.dtype if dtype is None else dtype)

    def __repr__(self) -> str:
        how = "method" if "method" in self.settings else "engine"
        return f"Coreset({len(self)} of {len(self.scores)}, {how}={self.settings.get(how)!r})"

    def explain(self, sample: int) -> Explanation:
        """Why a sample was picked, or which picks lowered it and by how much.

        Args:
            sample: Its index, 0 to N - 1.

        Returns:
            An :class:`~d2pyg.coreset.explanation.Explanation`; print it.

        Raises:
            ValueError: If the coreset was loaded from a file (files do not hold the graph), or comes
                from a method without messages.

        Example:
            >>> x = torch.tensor([[0.0], [0.0], [5.0]])
            >>> coreset = d2pyg.select(x, scores=[3.0, 2.0, 1.0], budget=1, k=1, gamma_forward=0)
            >>> print(coreset.explain(1))
            sample 1: not picked, with -1 left
              score 2, after the forward pass 5, rank 2 of 3
              pick 1, sample 0, took 6
        """
        if self.trace is None:
            raise ValueError(
                "Expected a coreset fresh from select or greedy_select (got one without a graph: loaded "
                "from a file, or of another method). Select again, or use 'd2pyg explain'."
            )
        last = len(self.scores) - 1
        remedy = "Samples are numbered from 0."
        sample = as_count("sample", sample, 0, last, "", remedy)
        name = None if self.ids is None else self.ids[sample : sample + 1].tolist()[0]
        initial = self.settings["initial"]
        return explain(self.trace, sample, self.index, self.pick_scores, initial, name)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the coreset. The suffix decides the format.

        - ``.npy``: ``index`` alone.
        - ``.npz``, ``.pt``, ``.json``: everything, by the names of the attributes, and ``checksum``.
          In ``.npz``, names of very different lengths are stored as ``ids_utf8`` (the bytes of all
          names) and ``ids_end`` (int64 [N], where each name ends).
        - ``.csv``, ``.parquet`` (needs pyarrow): everything, one row per sample: ``index``, ``id`` (if
          there are ids), ``rank`` (place in pick order, empty if the sample was not picked), ``kept``,
          ``pick_score``, ``score``. The picks come first, in order. Settings and checksum are JSON,
          in the column ``d2pyg`` of the first row or in the metadata of the schema.

        Names that are not UTF-8, as ``os.fsdecode`` returns them, are written as the original bytes; in
        Parquet, ``id`` is then a column of bytes. The file is written to a temporary file and then
        renamed. If that fails, an older file stays as it was.

        Raises:
            ValueError: If the suffix is unknown, or the attributes do not fit together.
            FileNotFoundError: If the folder does not exist.
            ImportError: If pyarrow is needed and not installed.
        """
        path = formats.check_target("path", path)
        with replacing(path) as file:
            write(self, file, path.suffix)

    def save_ids(
        self, path: str | os.PathLike[str], *, removed: bool = False, datacomp: bool = False
    ) -> None:
        """Writes your names of what is kept, in pick order; indices, if the coreset has no names.

        The suffix says the format: ``.npy``; ``.txt``, one a line; ``.json``, a list; ``.parquet``, one
        column ``id`` (needs pyarrow), as the removal step of NeMo Curator reads it.

        Args:
            path: Where to write.
            removed: List what is not kept instead, in the order of the samples.
            datacomp: Write a ``.npy`` file of dtype ``u8,u8``, sorted, as DataComp's resharder reads it.
                Names have to be DataComp's uids, of 32 hex digits.

        Raises:
            ValueError: If the suffix is unknown, or the format cannot hold the names.
            FileNotFoundError: If the folder does not exist.
            ImportError: If pyarrow is needed and not installed.

        Example:
            >>> import pathlib, tempfile
            >>> path = pathlib.Path(tempfile.mkdtemp()) / "delete.txt"
            >>> coreset = d2pyg.select(torch.eye(3), [1, 3, 2], budget=1, k=1, ids=["a", "b", "c"])
            >>> coreset.save_ids(path, removed=True)
            >>> path.read_text().split()
            ['a', 'c']
        """
        path = lists.check_target("path", path, datacomp)
        with replacing(path) as file:
            file.write(list_of(self, "path", path.suffix, removed, datacomp))

    def save_rows(self, path: str | os.PathLike[str]) -> None:
        """Writes a table that is aligned with the data set: row i is sample i. ``.csv`` or ``.parquet``.

        Columns, empty or null where there is no value:

        - ``index``, ``id`` (if there are ids), ``kept``;
        - ``rank``: place in pick order; ``pick_score``, ``score``: as :meth:`save` has them;
        - ``lowered_by``: the pick that lowered the sample most before it was picked, the first of
          equals, or one of ``initial``; ``lowered_by_id``, its id; ``lowered_by_distance``, between the
          two; with ``scale="local"``, in its units. Coresets that were loaded from a file, and those
          of methods without messages, lack these columns.

        Parquet files (need pyarrow) have row groups of at most 25,000 rows.

        Raises:
            ValueError: If the suffix is unknown.
            FileNotFoundError: If the folder does not exist.
            ImportError: If pyarrow is needed and not installed.
        """
        path = row_tables.check_target("path", path)
        with replacing(path) as file:
            row_tables.write_rows(row_columns(self), file, path.suffix)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Coreset:
        """Reads a file of :meth:`save`, except ``.npy``, which holds only the index.

        Nothing is unpickled. The content is checked: its parts must fit together, and the checksum must
        match. If you change a file by hand, remove the checksum.

        Raises:
            ValueError: If the file is not a complete coreset, or damaged.
            FileNotFoundError: If there is no such file.
        """
        path = check_input("path", path, formats.READERS)
        with readable("path", path):
            fields = formats.read(path)
        return cls(fields.index, fields.pick_scores, fields.scores, fields.settings, fields.ids)


def write(coreset: Coreset, file: IO[bytes], suffix: str) -> None:
    """Writes what :meth:`Coreset.save` writes, into an open file.

    Raises:
        ValueError: If the attributes do not fit together, so the file could not be read.
    """
    formats.write(_fields(coreset), file, suffix)


def list_of(
    coreset: Coreset, name: str, suffix: str, removed: bool = False, datacomp: bool = False
) -> bytes:
    """What :meth:`Coreset.save_ids` writes; ``name`` is the argument that the file is for."""
    index = (coreset.removed if removed else coreset.index).cpu().numpy()
    names = None if coreset.ids is None else coreset.ids[index]
    if datacomp:
        return lists.datacomp_list(name, names)
    return lists.name_list(name, index if names is None else names, suffix)


def row_columns(coreset: Coreset) -> tables.Columns:
    """The columns that :meth:`Coreset.save_rows` writes, of all samples."""
    lowered = None
    if coreset.trace is not None:
        lowered = strongest(coreset.trace, coreset.index, coreset.pick_scores)
    return row_tables.columns_of(_fields(coreset), lowered)


def _fields(coreset: Coreset) -> Fields:
    tensors = (coreset.index.cpu(), coreset.pick_scores.cpu(), coreset.scores.cpu())
    return Fields(*tensors, coreset.settings, coreset.ids)


def picks_of(coreset: Coreset | ArrayLike, num_samples: int | None) -> Tensor:
    """The index int64 [B] of a coreset, or a given index, on the CPU, in pick order.

    If ``num_samples`` is known, the coreset must be of that many samples.
    """
    if not isinstance(coreset, Coreset):
        return as_index("coreset", coreset, num_samples).cpu()
    total = len(coreset.scores)
    if num_samples not in (None, total):
        raise ValueError(
            f"Expected 'coreset' to be of the {num_samples} samples of the data set (got one of "
            f"{total}). Check that both are of the same split."
        )
    return coreset.index.cpu()
