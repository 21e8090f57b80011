"""Checks the inputs of a forward layer: scores, and edges with distances."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import FLOATS


def check_edges(score: Tensor, edge_index: Tensor, distance: Tensor) -> None:
    """Checks score (N,) or (N, F), edge_index (2, E) and distance (E,)."""
    if not isinstance(edge_index, Tensor) or edge_index.layout != torch.strided:
        raise TypeError(
            f"Expected 'edge_index' to be a dense tensor [2, E] (got {type(edge_index).__name__}, "
            f"not dense). With a sparse adj_t of distances, pass edge_index.flip(0) and distance of "
            f"edge_index, distance = torch_geometric.utils.to_edge_index(adj_t)."
        )
    for name, value in (("score", score), ("distance", distance)):
        if not isinstance(value, Tensor) or value.dtype not in FLOATS:
            got = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(
                f"Expected {name!r} to be a floating tensor, as sums of weighted scores are (got "
                f"{got}). Convert it with torch.as_tensor({name}).double()."
            )
    if score.dim() not in (1, 2):
        raise ValueError(
            f"Expected 'score' to be [N], or [N, F] in columns (got shape {tuple(score.shape)}). "
            f"Reshape it."
        )
    whole = edge_index.dtype in (torch.int32, torch.int64)
    if edge_index.dim() != 2 or len(edge_index) != 2 or not whole:
        raise ValueError(
            f"Expected 'edge_index' to be integers of shape (2, E) (got {edge_index.dtype} "
            f"{tuple(edge_index.shape)}). Pass graph.edge_index."
        )
    if edge_index.numel() and not torch.compiler.is_compiling():  # reading values breaks a graph
        low, high = edge_index.aminmax()
        if int(low) < 0 or int(high) >= len(score):
            raise ValueError(
                f"Expected 'edge_index' to lie in 0 to {len(score) - 1}, the samples (got "
                f"{int(low) if int(low) < 0 else int(high)}). Check that 'score' is of the same graph."
            )
    devices = [str(tensor.device) for tensor in (score, edge_index, distance)]
    if len(set(devices)) > 1:
        raise ValueError(
            f"Expected 'score', 'edge_index' and 'distance' to be on one device (got "
            f"{', '.join(devices)}). Move them with .to(device)."
        )
    if distance.shape != edge_index.shape[1:]:
        raise ValueError(
            f"Expected 'distance' to have one value for each of the {edge_index.size(1)} edges (got "
            f"shape {tuple(distance.shape)}). Check that both come from the same graph."
        )
