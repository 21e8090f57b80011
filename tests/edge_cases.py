"""Edges written down by hand."""

import torch
from torch_geometric.data import Data

from d2pyg.graph.edges import edges_of


def edges(pairs, distances, num_nodes):
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    distance = torch.tensor(distances, dtype=torch.float64)
    return edges_of(Data(edge_index=index, edge_attr=distance, num_nodes=num_nodes))


def as_dict(e):
    pairs = map(tuple, e.edge_index.T.tolist())
    return dict(zip(pairs, e.distance.tolist(), strict=True))
