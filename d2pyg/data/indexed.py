"""WithIndex: a data set whose items come with their index."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence, Sized
from typing import Any

from torch.utils.data import Dataset, IterableDataset
from torch_geometric.data.data import BaseData

from d2pyg._base.checks import as_name
from d2pyg._base.columns import package_of
from d2pyg.data.tables import table_rows


class WithIndex(Dataset[Any]):
    """A data set whose items come with their index, which recorders of training runs need.

    ===============================  ===================================================================
    item                             result
    ===============================  ===================================================================
    tuple                            a tuple with the index at its end
    dict and other mappings          a dict with the index under ``"index"``
    PyG ``Data``, ``HeteroData``     a copy with the index as attribute ``sample``
    anything else: a tensor, list,   the pair ``(item, index)``
    named tuple, dataclass, ...
    ===============================  ===================================================================

    Loaders of torch and PyG collate the indices to int64 [B]. WithIndex works in worker processes. It
    reads each item once, so augmentations do not change. Wrap the whole data set, whose scores you want:
    a ``Subset`` of it keeps the indices of the whole.

    Args:
        dataset: A map-style data set: of torch, PyG or Hugging Face, a tensor or an array, a list, or
            any other object with a length and items by number.
        name: Another key or attribute for the index. PyG changes attributes whose names contain "index"
            or "batch" when it batches, so do not use such a name for PyG data.

    Raises:
        TypeError: If the data set has no length, or no items by number.
        ValueError: When an item is taken that has something under this name already.

    Example:
        >>> from torch.utils.data import DataLoader, Subset, TensorDataset
        >>> data = WithIndex(TensorDataset(torch.arange(4.0), torch.tensor([0, 1, 0, 1])))
        >>> data[2]
        (tensor(2.), tensor(0), 2)
        >>> [index for x, y, index in DataLoader(Subset(data, [1, 3]), batch_size=2)]
        [tensor([1, 3])]
        >>> WithIndex([{"text": "a"}, {"text": "b"}])[1]
        {'text': 'b', 'index': 1}
    """

    def __init__(self, dataset: Any, name: str | None = None) -> None:
        frame = package_of(dataset) != "datasets" and table_rows(dataset) is not None
        parts = isinstance(dataset, tuple | Mapping | str | bytes | BaseData | IterableDataset)
        if parts or frame or not isinstance(dataset, Sized) or not hasattr(dataset, "__getitem__"):
            remedy = "Pass torch.utils.data.TensorDataset(x, y) for tensors side by side."
            if isinstance(dataset, Mapping):
                remedy = "Pass one of its splits, such as dataset['train']."
            raise TypeError(
                f"Expected 'dataset' to have a length and items by number (got a "
                f"{type(dataset).__name__}). {remedy}"
            )
        self.dataset = dataset
        self.name = None if name is None else as_name("name", name, "Leave it out for the default.")

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        place = self._place(index)
        return self._with(self.dataset[place], place)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Many items at once, for torch's loaders, if the data set reads many faster than one by one."""
        places = [self._place(index) for index in indices]
        many = getattr(self.dataset, "__getitems__", None)
        items = many(places) if callable(many) else [self.dataset[place] for place in places]
        return [self._with(item, place) for item, place in zip(items, places, strict=True)]

    def __repr__(self) -> str:
        return f"WithIndex({type(self.dataset).__name__} of {len(self)})"

    def _place(self, index: int) -> int:
        place, total = operator.index(index), len(self)
        if not -total <= place < total:
            raise IndexError(f"Expected 'index' to be below {total} (got {place}). It counts from 0.")
        return place % total

    def _with(self, item: Any, index: int) -> Any:
        if type(item) is tuple:
            return (*item, index)
        if isinstance(item, Mapping):
            name = self.name or "index"
            self._check_free(name, name in item)
            return {**item, name: index}
        if isinstance(item, BaseData):
            name = self.name or "sample"
            self._check_free(name, hasattr(item, name) or "index" in name or "batch" in name)
            item = copy.copy(item)
            setattr(item, name, index)
            return item
        return item, index

    def _check_free(self, name: str, taken: bool) -> None:
        if taken:
            raise ValueError(
                f"Expected 'name' to be free for the index in items of the data set (got {name!r}, which"
                f" they have or PyG changes in a batch). Pass WithIndex(dataset, name='number')."
            )
