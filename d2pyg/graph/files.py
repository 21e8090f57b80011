"""Graphs as files: a plain dict of tensors and values, never pickled objects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import degree

from d2pyg._base.checks import as_tensor
from d2pyg._base.content import check_size
from d2pyg._base.io import check_input
from d2pyg._base.options import GRAPH_SUFFIXES
from d2pyg._base.outputs import check_output, replacing
from d2pyg.graph.edges import Edges, edges_of
from d2pyg.sources.pt import Pt

_NEEDED = ("edge_index", "edge_attr", "num_nodes")


def save_graph(graph: Data, path: str | os.PathLike[str]) -> None:
    """Writes a kNN graph to a file, so that you can build it once and use it for many settings.

    The file is a dict that ``torch.load(path, weights_only=True)`` reads: ``edge_index``,
    ``edge_attr``, ``num_nodes``, ``k``, ``metric``, ``backend``, and all other attributes of the graph.
    Tensors are stored on the CPU. The file is written beside the target and then renamed, so a failure
    leaves an older file as it was.

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
    target = check_output("path", path, GRAPH_SUFFIXES)
    misfit = _misfit(graph, edges_of(graph))
    if misfit is not None:
        raise ValueError(
            f"Expected the attributes of 'graph' to fit its edges (got one of which {misfit}). Delete "
            f"the wrong attribute, such as with del graph['k']."
        )
    content = {
        **{name: _plain(name, value) for name, value in graph.to_dict().items()},
        "num_nodes": int(graph.num_nodes),
    }
    with replacing(target) as file:
        torch.save(content, file)


def load_graph(path: str | os.PathLike[str]) -> Data:
    """Reads a graph that :func:`save_graph` wrote, onto the CPU, and checks it. Nothing is unpickled.

    Args:
        path: Ends in ``.pt``.

    Returns:
        The graph, as :func:`d2pyg.knn_graph` returns it.

    Raises:
        ValueError: If the file is damaged or holds no graph.
        FileNotFoundError: If there is no such file.
    """
    return read_graph("path", path)


def read_graph(name: str, path: str | os.PathLike[str]) -> Data:
    """The same, for the argument ``name``."""
    path = check_input(name, path, GRAPH_SUFFIXES)
    return _graph(name, path, Pt(path, name).content)


def graph_in(name: str, file: Pt) -> Data | None:
    """The graph of a ``.pt`` file, if it holds one."""
    content = file.content
    is_graph = isinstance(content, Mapping) and "edge_index" in content
    return _graph(name, file.path, content) if is_graph else None


def _graph(name: str, path: Path, content: Any) -> Data:
    """The graph that a file holds, checked."""
    try:
        for key in _NEEDED:
            if not isinstance(content, Mapping) or key not in content:
                raise ValueError(f"it has no {key!r}")
        if not all(isinstance(key, str) for key in content):
            raise ValueError("its names are not strings")
        if any(isinstance(value, Tensor) and value.device.type != "cpu" for value in content.values()):
            raise ValueError("it has a tensor without data")
        if type(content["num_nodes"]) is not int:
            raise ValueError("its 'num_nodes' is not a whole number")
        graph = Data()
        for key, value in content.items():
            graph[key] = value
        check_size(8 * content["num_nodes"])
        misfit = _misfit(graph, edges_of(graph))
        if misfit is not None:
            raise ValueError(misfit)
    except MemoryError:
        raise
    except Exception as error:  # torch raises any at odd tensors
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise ValueError(
            f"Expected {name!r} to be a graph that d2pyg.save_graph wrote (got {str(path)!r}: "
            f"{reason}). Write it again with d2pyg.save_graph."
        ) from error
    return graph


def _misfit(graph: Data, edges: Edges) -> str | None:
    """The first attribute that contradicts the edges, in words."""
    for key in ("metric", "backend"):
        if not isinstance(graph.get(key), str | None):
            return f"its {key!r} is not a string"
    if "k" not in graph:
        return None
    if type(graph.k) is not int:
        return "its 'k' is not a whole number"
    found, sent = (degree(end, edges.num_nodes, torch.int64) for end in (edges.target, edges.source))
    most = min(graph.k, edges.num_nodes)
    # In groups of k samples or less each is joined to all others.
    odd = (found > most) | ((found < most) & (found != sent))
    if not bool(odd.any()):
        return None
    node = int(odd.nonzero()[0])
    return f"its 'k' is {graph.k}, and node {node} has {int(found[node])} neighbors"


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
