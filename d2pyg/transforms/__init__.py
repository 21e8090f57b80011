"""PyG transforms: they add a kNN graph, propagated difficulty and the coreset to the data.

In a ``Batch``, or with a ``batch`` vector, each graph is processed as if it were alone. On
``HeteroData`` they process one node type, ``node_type=``, and leave the rest unchanged.
"""

from d2pyg.transforms.knn_graph import EmbeddingKNNGraph
from d2pyg.transforms.propagate import PropagateDifficulty
from d2pyg.transforms.prune import D2Prune

__all__ = ["D2Prune", "EmbeddingKNNGraph", "PropagateDifficulty"]
