"""D2 Pruning on PyTorch Geometric: the part of a training set that is worth training on.

The data flows one way, and the folders say so::

    embeddings ─> graph/ ─> nn/ (forward messages) ─> greedy/ (reverse messages) ─> Coreset
    scores ────────────────────^

:func:`select` is the whole way in one call. Method: Maharana, Yadav, Bansal, "D2 Pruning: Message
Passing for Balancing Diversity and Difficulty in Data Pruning", ICLR 2024 (arXiv:2310.07931).

Importing the package takes no time: torch, PyG and all of d2pyg are imported when a name is used first.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from d2pyg._version import __version__

if TYPE_CHECKING:
    from d2pyg import baselines, graph, metrics, nn, plot, scores, sources, transforms
    from d2pyg._base.registry import register
    from d2pyg.coreset.coreset import Coreset
    from d2pyg.data.dataset import prune_dataset, take
    from d2pyg.data.embedding import embed
    from d2pyg.data.files.take import take_files
    from d2pyg.data.indexed import WithIndex
    from d2pyg.data.sampler import CoresetSampler
    from d2pyg.evaluate.comparison import compare
    from d2pyg.evaluate.sweeping import sweep
    from d2pyg.graph import extend_graph, knn_graph, load_graph, save_graph, shrink_graph
    from d2pyg.selection.duplicates import duplicates
    from d2pyg.selection.greedy_select import greedy_select
    from d2pyg.selection.repeat import repeat
    from d2pyg.selection.select import select
    from d2pyg.sources.opening import open  # noqa: A004

_MODULES = ("baselines", "graph", "metrics", "nn", "plot", "scores", "sources", "transforms")
_HOME = {
    "Coreset": "coreset.coreset",
    "CoresetSampler": "data.sampler",
    "WithIndex": "data.indexed",
    "compare": "evaluate.comparison",
    "duplicates": "selection.duplicates",
    "embed": "data.embedding",
    "extend_graph": "graph",
    "greedy_select": "selection.greedy_select",
    "knn_graph": "graph",
    "load_graph": "graph",
    "open": "sources.opening",
    "prune_dataset": "data.dataset",
    "register": "_base.registry",
    "repeat": "selection.repeat",
    "save_graph": "graph",
    "select": "selection.select",
    "shrink_graph": "graph",
    "sweep": "evaluate.sweeping",
    "take": "data.dataset",
    "take_files": "data.files.take",
}

__all__ = [
    "Coreset",
    "CoresetSampler",
    "WithIndex",
    "__version__",
    "baselines",
    "compare",
    "duplicates",
    "embed",
    "extend_graph",
    "graph",
    "greedy_select",
    "knn_graph",
    "load_graph",
    "metrics",
    "nn",
    "open",
    "plot",
    "prune_dataset",
    "register",
    "repeat",
    "save_graph",
    "scores",
    "select",
    "shrink_graph",
    "sources",
    "sweep",
    "take",
    "take_files",
    "transforms",
]


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # which sees the imports above

    def __getattr__(name: str) -> object:
        """Imports everything at the first name asked for, so that all plug-ins are registered."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in _MODULES:
            globals()[module] = import_module(f"{__name__}.{module}")
        for public, module in _HOME.items():
            globals()[public] = getattr(import_module(f"{__name__}.{module}"), public)
        return globals()[name]
