"""Checks that a loader gives every sample once, in the order of its data set.

Nothing here starts its workers. :func:`d2pyg.embed` says when the way they are started matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from torch.utils.data.dataloader import _BaseDataLoaderIter
from torch.utils.data.distributed import DistributedSampler
from torch_geometric.data import Data

_LOADERS = (DataLoader, _BaseDataLoaderIter)
_ONE_BATCH = Tensor | np.ndarray | Mapping | Data
_MIXED = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler, DistributedSampler)
_WRAPPED = ("loader", "iterator", "iterable")  # of PyG's PrefetchLoader and iterators, of tqdm


def num_samples(loader: Any) -> int | None:
    """The number of samples of the loader, if it is known.

    Refuses a DataLoader that shuffles or drops samples, or that has an unknown kind of sampler. Accepts
    any other iterable of batches.
    """
    rows = hasattr(loader, "__getitem__") and not isinstance(loader, Sequence)
    dataset, batch = isinstance(loader, Dataset) or rows, isinstance(loader, _ONE_BATCH)
    if dataset or batch or isinstance(loader, str | bytes) or not isinstance(loader, Iterable):
        remedy = "Pass a torch.utils.data.DataLoader."
        if dataset:
            remedy = "Pass DataLoader(loader, batch_size=256), of torch or PyG."
        if batch:
            remedy = "Pass [loader], if it is one batch."
        raise TypeError(
            f"Expected 'loader' to be a DataLoader or another iterable of batches (got "
            f"{type(loader).__name__}). {remedy}"
        )
    for name in _WRAPPED:
        inner = getattr(loader, name, None)
        loader = inner if isinstance(inner, _LOADERS) else loader
    return _checked(loader) if isinstance(loader, _LOADERS) else None


def length_of(values: Any) -> int | None:
    """len(), if there is one."""
    try:
        return len(values)
    except (TypeError, NotImplementedError):  # streams have none, or refuse
        return None


def _checked(loader: DataLoader[Any] | _BaseDataLoaderIter) -> int | None:
    begun = isinstance(loader, _BaseDataLoaderIter)
    dataset, workers, drop_last, in_order = (
        getattr(loader, f"{'_' * begun}{name}", True)
        for name in ("dataset", "num_workers", "drop_last", "in_order")
    )
    if isinstance(loader, _BaseDataLoaderIter) and loader._num_yielded:
        raise ValueError(
            f"Expected 'loader' to be at its beginning (got an iterator that has given "
            f"{loader._num_yielded} of its batches). Pass the DataLoader itself."
        )
    if workers and not in_order:
        raise ValueError(
            f"Expected 'loader' to keep the order of the data set (got in_order=False and {workers} "
            f"workers). Make one with in_order=True."
        )
    total, sampler = length_of(dataset), loader._index_sampler
    if isinstance(dataset, IterableDataset):
        if workers > 1:
            raise ValueError(
                f"Expected 'loader' to have at most one worker for an IterableDataset, to keep its "
                f"order (got {workers}). Make one with num_workers=1."
            )
        if drop_last:
            raise _loses_samples()
    else:
        _check_sampler(sampler, total)
    one_each = loader._auto_collation or isinstance(sampler, BatchSampler)
    return total if one_each else None  # else each item of the data set is a batch


def _check_sampler(sampler: Any, total: int | None) -> None:
    """Refuses samplers that do not give 0, 1, 2, ..., total - 1, in batches or one by one."""
    rule, got = "keep the order of the data set", type(sampler).__name__
    remedy = "Make one with shuffle=False, without 'sampler' and 'batch_sampler'."
    if isinstance(sampler, BatchSampler) and type(sampler).__iter__ is BatchSampler.__iter__:
        if sampler.drop_last and (total is None or total % sampler.batch_size):
            raise _loses_samples()
        _check_sampler(sampler.sampler, total)
        return
    if isinstance(sampler, SequentialSampler) and type(sampler).__iter__ is SequentialSampler.__iter__:
        indices = list(range(len(sampler.data_source)))
    elif isinstance(sampler, list | tuple | range | np.ndarray | Tensor):
        indices = [int(i) for part in sampler for i in np.ravel(part)]
    else:
        if not isinstance(sampler, _MIXED):
            remedy = f"{remedy[:-1]}; or, where it keeps the order, pass (batch for batch in loader)."
        raise ValueError(f"Expected 'loader' to {rule} (got a {got}). {remedy}")
    wanted = list(range(len(indices) if total is None else total))
    if sorted(indices) != wanted:
        rule, got = "give every sample once", f"{got} of {len(indices)} for {len(wanted)} samples"
    if indices != wanted:
        raise ValueError(f"Expected 'loader' to {rule} (got a {got}). {remedy}")


def _loses_samples() -> ValueError:
    return ValueError(
        "Expected 'loader' to give every sample (got drop_last=True). Make one with drop_last=False."
    )
