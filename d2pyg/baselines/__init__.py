"""Other selection methods, to compare with D2. They take the same inputs and return the same Coreset.

All take ``embeddings`` and ``scores`` first, and ``keep``, ``prune``, ``budget``, ``labels``,
``balance``, ``min_per_class``, ``ids`` and ``device`` as in :func:`d2pyg.select`. Where a method has
``cutoff``, ``initial`` or ``metric``, they also mean the same. With labels, each class gets its seats,
and a method ranks samples inside each class. All randomness comes from ``seed``, drawn on the CPU.
"""

from d2pyg.baselines.ccs import ccs
from d2pyg.baselines.dual import dual
from d2pyg.baselines.facility_location import facility_location
from d2pyg.baselines.graph_cut import graph_cut
from d2pyg.baselines.k_center import k_center
from d2pyg.baselines.moderate import moderate
from d2pyg.baselines.prototypes import prototypes
from d2pyg.baselines.random import random
from d2pyg.baselines.semdedup import semdedup
from d2pyg.baselines.window import easiest, hardest, window

__all__ = [
    "ccs",
    "dual",
    "easiest",
    "facility_location",
    "graph_cut",
    "hardest",
    "k_center",
    "moderate",
    "prototypes",
    "random",
    "semdedup",
    "window",
]
