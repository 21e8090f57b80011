"""D2 Pruning on PyTorch Geometric: the part of a training set that is worth training on.

The data flows one way, and the folders say so::

    embeddings ─> graph/ ─> nn/ (forward messages) ─> greedy/ (reverse messages) ─> Coreset
    scores ────────────────────^

:func:`select` is the whole way in one call. Method: Maharana, Yadav, Bansal, "D2 Pruning: Message
Passing for Balancing Diversity and Difficulty in Data Pruning", ICLR 2024 (arXiv:2310.07931).
"""

__version__ = "0.1.0"  # before the imports: `settings` records it

from d2pyg import baselines, graph, greedy, metrics, nn, scores, transforms
from d2pyg.compare import compare
from d2pyg.coreset import Coreset
from d2pyg.dataset import prune_dataset, take
from d2pyg.embed import embed
from d2pyg.graph import knn_graph, load_graph, save_graph
from d2pyg.greedy import greedy_select
from d2pyg.pruning import select
from d2pyg.registry import register
from d2pyg.sampler import CoresetSampler
from d2pyg.sweep import sweep

__all__ = [
    "Coreset",
    "CoresetSampler",
    "__version__",
    "baselines",
    "compare",
    "embed",
    "graph",
    "greedy",
    "greedy_select",
    "knn_graph",
    "load_graph",
    "metrics",
    "nn",
    "prune_dataset",
    "register",
    "save_graph",
    "scores",
    "select",
    "sweep",
    "take",
    "transforms",
]
