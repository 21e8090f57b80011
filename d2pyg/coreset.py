"""Coreset: the result of every selection."""

from __future__ import annotations

import numbers
import operator
import os
import platform
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch_geometric
from torch import Tensor

from d2pyg import formats
from d2pyg._version import __version__
from d2pyg.checks import ArrayLike, as_array, as_count, as_index, as_signed, as_tensor
from d2pyg.explanation import Explanation, Trace
from d2pyg.io import check_input, readable
from d2pyg.outputs import replacing
from d2pyg.registry import name_of


@dataclass(frozen=True, eq=False)
class Coreset:
    """The samples kept, in pick order.

    Attributes:
        index: int64 [B], the picks in order; ``index[:b]`` is the coreset of size b.
        pick_scores: float64 [B], the score each had when it was picked.
        scores: float64 [N], all scores after the forward pass; NaN where the cutoff dropped the
            sample.
        settings: Every argument, the engine and backend used, and versions: enough to repeat it.
        ids: The user's own names of all N samples, int64 or str, or None.
        trace: What :meth:`explain` needs: the graph, which it keeps in memory. Not saved.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.2]])
        >>> coreset = d2pyg.select(x, scores=[1.0, 2.0, 3.0, 1.0], budget=2, k=1)
        >>> coreset
        Coreset(2 of 4, engine='heap')
        >>> coreset.index, coreset.mask
        (tensor([2, 1]), tensor([False,  True,  True, False]))
    """

    index: Tensor
    pick_scores: Tensor
    scores: Tensor
    settings: dict[str, Any] = field(default_factory=dict)
    ids: np.ndarray[Any, Any] | None = None
    trace: Trace | None = field(default=None, repr=False)

    @property
    def mask(self) -> Tensor:
        """bool [N], True for what is kept."""
        mask = torch.zeros(len(self.scores), dtype=torch.bool, device=self.index.device)
        return mask.index_fill(0, self.index, True)

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        how = "method" if "method" in self.settings else "engine"
        return f"Coreset({len(self)} of {len(self.scores)}, {how}={self.settings.get(how)!r})"

    def explain(self, sample: int) -> Explanation:
        """Why a sample was picked, or which picks lowered it and by how much.

        Args:
            sample: Its index, 0 to N - 1.

        Returns:
            An :class:`~d2pyg.explanation.Explanation`; print it.

        Raises:
            ValueError: If the coreset was loaded from a file, which does not hold the graph, or made
                by a method without messages.

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
        return self.trace.explain(self, as_count("sample", sample, 0, last, "", remedy))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the coreset, in the format that the suffix says.

        - ``.npy``: ``index`` alone.
        - ``.npz``, ``.pt``, ``.json``: everything, by the names of the attributes.
        - ``.csv``, ``.parquet`` (needs pyarrow): everything, a row a sample: ``index``, ``id`` (if
          there are ids), ``rank`` (place in pick order, empty for what was not picked),
          ``pick_score``, ``score``. The picks come first, in order. Settings are JSON in the first
          row's column ``d2pyg``, or in the schema's metadata.

        The file is written beside the target and then renamed, so a failure leaves an older file
        as it was.

        Raises:
            ValueError: If the suffix is unknown.
            FileNotFoundError: If the folder does not exist.
            ImportError: If pyarrow is needed and not installed.
        """
        path = formats.check_target("path", path)
        with replacing(path) as file:
            formats.write(self, file, path.suffix)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Coreset:
        """Reads what :meth:`save` wrote, but for ``.npy``, which holds the index alone.

        Nothing is unpickled.

        Raises:
            ValueError: If the file is not a complete coreset.
            FileNotFoundError: If there is no such file.
        """
        path = check_input("path", path, formats.READERS)
        with readable("path", path):
            coreset = cls(*formats.READERS[path.suffix](path))
            coreset._check()
        return coreset

    def _check(self) -> None:
        index, total = self.index, len(self.scores)
        whole = index.dtype == torch.int64 and index.dim() == self.scores.dim() == 1
        if not whole or self.pick_scores.shape != index.shape:
            raise ValueError("its arrays do not fit together")
        if not self.pick_scores.dtype == self.scores.dtype == torch.float64:
            raise ValueError("its scores are not float64")
        if not isinstance(self.settings, dict):
            raise ValueError("its settings are missing")
        if self.ids is not None:
            as_ids(self.ids, total)
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < total:
            raise ValueError("its index lies outside its samples")
        if len(index.unique()) != len(index):
            raise ValueError("its samples are not distinct")


def picks_of(coreset: Coreset | ArrayLike, num_samples: int | None) -> Tensor:
    """The index int64 [B] of a coreset, or one that is given as such, on the CPU, in pick order.

    It has to be of ``num_samples`` samples, where that is known.
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


def as_ids(ids: Any, num_samples: int) -> np.ndarray[Any, Any]:
    """Names of the samples as an array of str or int64, [N], each once."""
    array = as_tensor("ids", ids).cpu().numpy() if isinstance(ids, Tensor) else as_array("ids", ids)
    if array.dtype.kind == "O" and all(isinstance(name, str) for name in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "iuU":
        raise TypeError(
            f"Expected 'ids' to be integers or strings (got dtype {array.dtype}). Convert them, "
            f"such as with [str(name) for name in ids]."
        )
    if array.shape != (num_samples,):
        raise ValueError(
            f"Expected 'ids' to have one name for each of the {num_samples} samples "
            f"(got shape {array.shape}). Check that both come from the same data set."
        )
    if array.dtype.kind == "u":
        array = as_signed("ids", array)
    elif array.dtype.kind == "i":
        array = array.astype(np.int64)
    names, count = np.unique(array, return_counts=True)
    if len(names) < num_samples:
        raise ValueError(
            f"Expected 'ids' to name each sample once (got {names[count > 1][0]!s} "
            f"{int(count.max())} times). Repeated names could delete what is to be kept."
        )
    return array


def versions() -> dict[str, str]:
    """Versions of what a selection depends on, for ``settings``."""
    return {
        "d2pyg": __version__,
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as any file format can hold them: numbers of all kinds as Python's, objects by name."""

    def value_of(value: Any) -> Any:
        if value is None or isinstance(value, bool | str | list | dict):
            return value
        if isinstance(value, np.bool_):
            return bool(value)
        if hasattr(value, "__index__"):
            return operator.index(value)
        return float(value) if isinstance(value, numbers.Real) else name_of(value)

    return {name: value_of(value) for name, value in settings.items()}
