"""Neighbors by pyg-lib, on the CPU or CUDA, re-ranked and certified: exact."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.extras import require
from d2pyg._base.progress import Progress
from d2pyg._base.registry import register
from d2pyg.graph.knn_op import KnnOp, held, op_neighbors
from d2pyg.graph.points import Points


@register("backend", "pyg_lib")
def pyg_lib_neighbors(points: Points, k: int, bar: Progress) -> tuple[Tensor, Tensor]:
    """pyg-lib's candidates: the op of torch-cluster, with the same limits."""
    return op_neighbors(points, k, bar, _op())


pyg_lib_neighbors.held = held  # type: ignore[attr-defined]  # for the plan


def _op() -> KnnOp:
    """The op of pyg-lib 0.6 and later."""
    pip_line = f"'pyg-lib>=0.6' -f {_wheels(torch.__version__, torch.version.cuda)}"
    require("pyg_lib", "pyg-lib", pip_line)
    if not hasattr(torch.ops.pyg, "knn"):
        raise ImportError(
            f"Expected pyg-lib to be 0.6 or later, which has a knn (got an older one). "
            f"Install it with: pip install {pip_line}",
            name="pyg_lib",
        )
    return lambda x, y, count: torch.ops.pyg.knn(x, y, None, None, count, False, 1)


def _wheels(version: str, cuda: str | None) -> str:
    """Where pyg-lib's wheels for a torch lie: it is not on PyPI.

    Example:
        >>> _wheels("2.13.1+cu130", "13.0")
        'https://data.pyg.org/whl/torch-2.13.0+cu130.html'
    """
    major, minor = version.split(".")[:2]
    built_for = "cpu" if cuda is None else "cu" + cuda.replace(".", "")
    return f"https://data.pyg.org/whl/torch-{major}.{minor}.0+{built_for}.html"
