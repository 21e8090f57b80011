"""prune_dataset and take: the part of a data set that a coreset keeps, for all common kinds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sized
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset
from torch_geometric.data import Data
from torch_geometric.data import Dataset as GraphDataset

from d2pyg._base.checks import ArrayLike, check_choice
from d2pyg._base.columns import package_of
from d2pyg._base.registry import look_up, made
from d2pyg.coreset.coreset import Coreset, picks_of
from d2pyg.data.tables import table_rows
from d2pyg.graph.joined import Joined, are_several
from d2pyg.graph.knn import Embeddings
from d2pyg.scores.given import Scores

ORDERS = ("dataset", "picked")


def prune_dataset(
    dataset: Any,
    embeddings: Embeddings | Data | None,
    scores: Scores = None,
    *,
    keep: float | None = None,
    prune: float | None = None,
    budget: int | None = None,
    method: str | Callable[..., Coreset] = "d2",
    order: str = "dataset",
    **settings: Any,
) -> Any:
    """Selects a coreset, and returns that part of the data set: :func:`d2pyg.select`, then :func:`take`.

    If you also need the coreset, call the two functions yourself.

    Args:
        dataset: Any data set that :func:`take` accepts, of N samples.
        embeddings: [N, d], row i for sample i, or a kNN graph, as in :func:`d2pyg.select`. For a data
            set of graphs, pass one vector per graph, such as the mean of its nodes. None for methods
            that do not need embeddings.
        scores: Difficulty [N], higher is harder; or for ``"d2"`` a
            :class:`d2pyg.scores.TrainingDynamics`.
        keep: Fraction kept. Exactly one of ``keep``, ``prune``, ``budget`` is given.
        prune: Fraction removed.
        budget: Number of samples kept.
        method: ``"d2"``, which is :func:`d2pyg.select`; a name of :mod:`d2pyg.baselines` or of your own;
            or the function itself.
        order: As in :func:`take`.
        **settings: Arguments of the method, such as ``labels``, ``cutoff``, ``k``.

    Returns:
        The result of :func:`take`.

    Raises:
        ValueError, TypeError: If an argument breaks its rule, or lengths differ.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
        >>> texts = ["a", "b", "c", "d", "e", "f"]
        >>> prune_dataset(texts, x, scores=[1, 9, 1, 1, 2, 1], budget=3, k=2)
        ['b', 'd', 'e']
        >>> prune_dataset({"text": texts, "x": x}, x, keep=0.3, method="k_center")["text"]
        ['c', 'f']

        Graphs, by the mean of their nodes:

        >>> from torch_geometric.data import Batch, Data
        >>> from torch_geometric.nn import global_mean_pool
        >>> graphs = [Data(x=torch.full((size, 2), float(size))) for size in (2, 3, 9)]
        >>> batch = Batch.from_data_list(graphs)
        >>> prune_dataset(graphs, global_mean_pool(batch.x, batch.batch), budget=2, k=1)
        [Data(x=[2, 2]), Data(x=[9, 2])]
    """
    look_up("method", method)
    check_choice("order", order, ORDERS)
    total = _size("dataset", dataset)
    samples = _num_samples(embeddings)
    if samples not in (None, total):
        raise ValueError(
            f"Expected 'embeddings' of each of the {total} samples of the data set (got {samples}). "
            f"Check that both are of the same split, in the same order."
        )
    amount = {"keep": keep, "prune": prune, "budget": budget}
    coreset = made("method", method, embeddings, scores, **amount, **settings)
    return take(dataset, coreset, order=order)


def take(dataset: Any, coreset: Coreset | ArrayLike, *, order: str = "dataset") -> Any:
    """The samples of a coreset, as a data set of the same kind.

    =====================================================  ==========================================
    data set                                               result
    =====================================================  ==========================================
    PyG ``Dataset``, ``InMemoryDataset``                   the same, by ``index_select``
    ``torch.utils.data.Dataset`` of known length           ``torch.utils.data.Subset``
    Hugging Face ``datasets.Dataset``                      the same, by ``select``
    a column of one                                        a list of its rows
    pandas or polars frame, series, pandas index           its rows; pandas keeps their labels
    pyarrow table, record batch, array                     its rows; columns of more than 2 GiB of text
                                                           or lists with 64-bit offsets
    sparse matrix of SciPy                                 its rows, by ``tocsr``
    tensor, array                                          its rows, a copy
    list                                                   a list of its samples
    tuple or dict of these, N rows each                    a tuple or dict of their parts
    =====================================================  ==========================================

    Args:
        dataset: A data set of one of these kinds, with N samples.
        coreset: A :class:`d2pyg.Coreset` of N samples, or indices, such as ``coreset.index[:b]``.
        order: ``"dataset"`` keeps the order of the data set, which reads files fastest; ``"picked"`` is
            pick order.

    Raises:
        ValueError: If the coreset was selected from another number of samples than the data set has.
        TypeError: If the data set is of another kind.

    Example:
        >>> x = torch.tensor([[0.0], [0.1], [5.0]])
        >>> coreset = d2pyg.select(x, scores=[1, 2, 9], budget=2, k=1)
        >>> take(["a", "b", "c"], coreset)
        ['b', 'c']
        >>> x, y = take((torch.arange(6).view(3, 2), ["a", "b", "c"]), coreset, order="picked")
        >>> x, y
        (tensor([[4, 5],
                [2, 3]]), ['c', 'b'])
    """
    check_choice("order", order, ORDERS)
    index = picks_of(coreset, _size("dataset", dataset))
    return _part(dataset, index.sort().values if order == "dataset" else index)


def _size(name: str, dataset: Any) -> int:
    """The number of samples of a data set of a known kind. All parts of a tuple or dict must agree."""
    parts = _parts(dataset)
    if parts is not None:
        sizes = [_size(f"{name}[{key!r}]", part) for key, part in parts.items()]
        if len(set(sizes)) != 1:
            raise ValueError(
                f"Expected the parts of {name!r} to have the same number of samples (got "
                f"{', '.join(str(size) for size in sizes) or 'no parts'}). Samples are their rows; for "
                f"samples one by one pass a list."
            )
        return sizes[0]
    known = isinstance(dataset, Dataset | list) or _is_array(dataset) or table_rows(dataset) is not None
    if not known or not isinstance(dataset, Sized) or isinstance(dataset, IterableDataset):
        remedy = "Take the samples coreset.index of it yourself."
        if isinstance(dataset, Mapping):
            remedy = f"Pass one of its splits, such as {name}['train']."
        elif isinstance(dataset, str | os.PathLike):
            remedy = "For files of a data set, call d2pyg.take_files."
        raise TypeError(
            f"Expected {name!r} to be a data set of PyG, torch or Hugging Face, a frame, a table, an "
            f"array, a list, or a tuple or dict of these, of known length (got "
            f"{type(dataset).__module__}.{type(dataset).__name__}). {remedy}"
        )
    shape: Any = getattr(dataset, "shape", None)
    return int(shape[0]) if package_of(dataset) == "scipy" else len(dataset)  # which is ambiguous


def _part(dataset: Any, index: Tensor) -> Any:
    """The samples of that index, in its order."""
    parts = _parts(dataset)
    if parts is not None:
        taken = {key: _part(part, index) for key, part in parts.items()}
        return taken if isinstance(dataset, Mapping) else tuple(taken.values())
    if isinstance(dataset, GraphDataset):
        return dataset.index_select(index.tolist())
    if isinstance(dataset, Dataset):
        return Subset(dataset, index.tolist())
    if isinstance(dataset, Tensor):
        return dataset.index_select(0, index.to(dataset.device))
    if isinstance(dataset, list):
        return [dataset[i] for i in index.tolist()]
    if isinstance(dataset, np.ndarray):
        return dataset[index.numpy()]
    rows = table_rows(dataset)
    assert rows is not None  # _size has seen to it
    return rows(index.numpy())


def _is_array(dataset: Any) -> bool:
    return isinstance(dataset, Tensor | np.ndarray) and dataset.ndim > 0


def _parts(dataset: Any) -> dict[Any, Any] | None:
    """What a tuple or dict holds."""
    if isinstance(dataset, tuple):
        return dict(enumerate(dataset))
    return dict(dataset) if isinstance(dataset, Mapping) and not package_of(dataset) else None


def _num_samples(embeddings: Any) -> int | None:
    """The number of samples in embeddings, if it can be seen. Otherwise the method checks it."""
    if isinstance(embeddings, list | tuple) and are_several(embeddings):
        embeddings = embeddings[0]
    if isinstance(embeddings, list | tuple):
        return len(embeddings)
    if isinstance(embeddings, Data):
        number: int | None = embeddings.num_nodes
        return number
    return len(embeddings) if _is_array(embeddings) or isinstance(embeddings, Joined) else None
