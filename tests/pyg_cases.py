"""Graphs to transform, and what has to be the same of two of them."""

import torch
from torch_geometric.data import Data, HeteroData


def graph(num_nodes, seed, device="cpu", classes=2):
    """Embeddings, scores, classes, a mask, and a ring of links of its own, none of them near ones."""
    made = torch.Generator().manual_seed(seed)
    ring = torch.arange(num_nodes)
    return Data(
        x=torch.randn(num_nodes, 3, generator=made),
        score=torch.rand(num_nodes, generator=made, dtype=torch.float64),
        y=torch.randint(classes, (num_nodes,), generator=made),
        train_mask=torch.rand(num_nodes, generator=made) < 0.7,
        val_mask=torch.rand(num_nodes, generator=made) < 0.3,
        link_edge_index=torch.stack([ring, ring.roll(1)]),
        name=f"graph {seed}",
    ).to(device)


def some_graphs(device="cpu"):
    return [graph(n, seed, device) for seed, n in enumerate([30, 9, 45, 4])]


def hetero(seed=0, num_nodes=30, device="cpu"):
    """Papers with all that a graph has, authors, and links between them."""
    one = graph(num_nodes, seed)
    data = HeteroData()
    for name in ("x", "score", "y", "train_mask", "val_mask"):
        data["paper"][name] = one[name]
    data["author"].x = torch.arange(6.0).view(3, 2)
    data["author", "wrote", "paper"].edge_index = torch.tensor([[0, 1, 2], [5, 0, 7]])
    data.year = "2023"
    return data.to(device)


def same(one, two):
    """The same attributes with the same values, bit by bit, on the same devices."""
    one, two = one.to_dict(), two.to_dict()
    return equal(one, two)


def equal(one, two):
    if isinstance(one, torch.Tensor):
        alike = one.dtype == two.dtype and one.shape == two.shape and one.device == two.device
        return alike and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(equal(one[key], two[key]) for key in one)
    return one == two
