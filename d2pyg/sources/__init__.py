"""What people have: embeddings and the columns beside them, in one file or many. One file a format."""

from d2pyg.sources.source import Source
from d2pyg.sources.table import Table

__all__ = ["Source", "Table"]
