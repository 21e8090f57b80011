"""Graphs as files: a plain dict of tensors and values, never pickled objects."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from d2pyg.checks import as_tensor
from d2pyg.graph.edges import edges_of
from d2pyg.io import check_input, load_pt, path_of, read_array, readable
from d2pyg.outputs import check_output, replacing

SUFFIXES = (".pt",)
_NEEDED = ("edge_index", "edge_attr", "num_nodes")


def save_graph(graph: Data, path: str | os.PathLike[str]) -> None:
    """Writes a kNN graph, to be built once and used for many settings.

    The file is a dict that ``torch.load(path, weights_only=True)`` reads: ``edge_index``,
    ``edge_attr``, ``num_nodes``, ``k``, ``metric``, ``backend``, and what else the graph has. Tensors
    are stored on the CPU. It is written beside the target and then renamed, so a failure leaves an
    older file as it was.

    Args:
        graph: From :func:`d2pyg.knn_graph`, or any with ``edge_index`` and distances in
            ``edge_attr``. Its attributes are tensors, numbers, strings, None, or lists and dicts of
            them.
        path: Ends in ``.pt``.

    Raises:
        ValueError, TypeError: If the graph or the path breaks its rule.
        FileNotFoundError: If the folder does not exist.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/graph.pt"
        >>> save_graph(d2pyg.knn_graph(torch.tensor([[0.0], [1.0], [3.0]]), k=1), path)
        >>> graph = load_graph(path)
        >>> graph.k, graph.metric, graph.edge_attr
        (1, 'euclidean', tensor([1., 1., 2.], dtype=torch.float64))
    """
    target = check_output("path", path, SUFFIXES)
    edges_of(graph)
    content = {
        **{name: _plain(name, value) for name, value in graph.to_dict().items()},
        "num_nodes": int(graph.num_nodes),
    }
    with replacing(target) as file:
        torch.save(content, file)


def load_graph(path: str | os.PathLike[str]) -> Data:
    """Reads what :func:`save_graph` wrote, onto the CPU, and checks it. Nothing is unpickled.

    Args:
        path: Ends in ``.pt``.

    Returns:
        The graph, as :func:`d2pyg.knn_graph` returns it.

    Raises:
        ValueError: If the file is damaged or holds no graph.
        FileNotFoundError: If there is no such file.
    """
    return _load("path", check_input("path", path, SUFFIXES))


def read_graph_or_array(name: str, spec: str) -> Data | Tensor | np.ndarray[Any, Any]:
    """The graph of a ``.pt`` file that holds one, or an array as :func:`~d2pyg.io.read_array` does."""
    path = path_of(spec)
    if str(path) == str(Path(spec)) and _holds_graph(path):
        return _load(name, path)
    return read_array(name, spec)


def _holds_graph(path: Path) -> bool:
    if path.suffix not in SUFFIXES or not zipfile.is_zipfile(path):
        return False
    try:  # mapped, so that nothing but the names is read
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # for the reader of arrays to explain
        return False
    return isinstance(content, Mapping) and "edge_index" in content


def _load(name: str, path: Path) -> Data:
    with readable(name, path):
        content = load_pt(path)
    lacking = [key for key in _NEEDED if not isinstance(content, Mapping) or key not in content]
    if lacking:
        raise _no_graph(name, path, f"it has no {lacking[0]!r}")
    graph = Data()
    for key, value in content.items():
        graph[key] = value
    for key in ("num_nodes", *(["k"] if "k" in content else [])):
        if type(content[key]) is not int:
            raise _no_graph(name, path, f"its {key!r} is no whole number")
    try:
        edges_of(graph)
    except (ValueError, TypeError) as error:
        raise _no_graph(name, path, str(error).partition(". ")[0]) from error
    return graph


def _no_graph(name: str, path: Path, reason: str) -> ValueError:
    return ValueError(
        f"Expected {name!r} to be a graph that d2pyg.save_graph wrote (got {str(path)!r}: "
        f"{reason}). Write it again with d2pyg.save_graph."
    )


def _plain(name: str, value: Any) -> Any:
    """A value that can be read back without unpickling: tensors on the CPU, and Python's own."""
    if isinstance(value, Tensor):
        tensor = as_tensor(name, value).cpu()
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        return tensor if whole else tensor.clone()  # a view would bring all that it is a view of
    if isinstance(value, list | tuple):
        return [_plain(name, entry) for entry in value]
    if isinstance(value, Mapping):
        return {_plain(name, key): _plain(name, entry) for key, entry in value.items()}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(
        f"Expected the attributes of 'graph' to be tensors or plain values (got "
        f"{type(value).__name__} in {name!r}). Convert it, or take it away with del graph[{name!r}]."
    )
