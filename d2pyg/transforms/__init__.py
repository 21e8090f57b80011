"""PyG transforms: a kNN graph, difficulty spread over it, and the coreset, as attributes of the data.

On a ``Batch``, and wherever there is a ``batch`` vector, a graph gets what it would get alone. On
``HeteroData`` they work on one node type, ``node_type=``, and leave the rest as it is.
"""

from d2pyg.transforms.knn_graph import EmbeddingKNNGraph
from d2pyg.transforms.propagate import PropagateDifficulty
from d2pyg.transforms.prune import D2Prune

__all__ = ["D2Prune", "EmbeddingKNNGraph", "PropagateDifficulty"]
