"""PropagateDifficulty is the forward step of select, bit by bit."""

import pytest
import torch
from pyg_cases import graph, hetero, same, some_graphs
from torch_geometric.data import Batch, Data
from torch_geometric.nn import SimpleConv
from torch_geometric.transforms import Compose

import d2pyg
from d2pyg.transforms import D2Prune, EmbeddingKNNGraph, PropagateDifficulty


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gamma_forward": 0.3, "kernel": "laplacian"},
        {"scale": None, "flow": "target_to_source"},
        {"scale": 0.7, "update": "product"},
    ],
)
def test_equals_the_scores_of_select(device, settings):
    data = graph(80, seed=4, device=device)
    done = Compose([EmbeddingKNNGraph(k=4), PropagateDifficulty(**settings)])(data)
    coreset = d2pyg.select(data.x, data.score, budget=1, k=4, **settings)
    assert torch.equal(done.difficulty, coreset.scores)
    assert done.difficulty.device == data.x.device
    assert torch.equal(done.score, data.score)


def test_equals_simple_conv(device):
    """Written as PyG's own layer on the same weights."""
    data = EmbeddingKNNGraph(k=3)(graph(50, seed=5, device=device))
    done = PropagateDifficulty(0.5, scale=2.0, flow="target_to_source")(data)
    weight = (-0.5 * (data.edge_attr / 2.0).square()).exp()
    layer = SimpleConv("sum", combine_root="sum")
    expected = layer(data.score.view(-1, 1), data.edge_index, weight).flatten()
    torch.testing.assert_close(done.difficulty, expected)


class Trusted(d2pyg.nn.ForwardMessagePassing):
    """Difficulty, and less of it where labels are doubted."""

    in_channels = 2

    def scalarize(self, score):
        return score[:, 0] / (1 + score[:, 1])


def test_a_layer_of_ones_own(device):
    data = graph(50, seed=6, device=device)
    data.score = torch.stack([data.score, data.score.flip(0)], dim=1)
    layer = Trusted(gamma=0.5)
    done = Compose([EmbeddingKNNGraph(k=4), PropagateDifficulty(forward=layer)])(data)
    pruned = D2Prune(keep=0.2, k=4, labels=None, forward=layer)(data)
    coreset = d2pyg.select(data.x, data.score, keep=0.2, k=4, forward=layer)
    assert torch.equal(done.difficulty, coreset.scores)
    assert torch.equal(pruned.coreset_index, coreset.index)


def test_a_batch_is_its_graphs_one_by_one(device):
    """So each has a scale of its own."""
    transform = Compose([EmbeddingKNNGraph(k=4), PropagateDifficulty(out="after")])
    graphs = [*some_graphs(device), graph(1, 7, device)]
    graphs[1].x *= 100
    batch, alone = transform(Batch.from_data_list(graphs)), [transform(one) for one in graphs]
    assert same(batch, Batch.from_data_list(alone))
    assert all(same(one, two) for one, two in zip(batch.to_data_list(), alone, strict=True))
    assert alone[-1].after.tolist() == graphs[-1].score.tolist()


def test_one_node_type_and_other_names(device):
    data = hetero(device=device)
    transform = Compose(
        [
            EmbeddingKNNGraph(
                k=3, edge_index="near_edge_index", edge_attr="distance", node_type="paper"
            ),
            PropagateDifficulty(
                scores="loss", edge_index="near_edge_index", edge_attr="distance", node_type="paper"
            ),
        ]
    )
    data["paper"].loss = data["paper"].score.float()
    done = transform(data)
    expected = d2pyg.select(data["paper"].x, data["paper"].loss, budget=1, k=3).scores
    assert torch.equal(done["paper"].difficulty, expected)
    assert same(done["author"], data["author"])
    assert "difficulty" not in data["paper"]


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"gamma_forward": -1}, ValueError, r"'gamma_forward' to be at least 0"),
        ({"kernel": "x"}, ValueError, r"'kernel' to be one of"),
        ({"scale": 0}, ValueError, r"'scale' to be above 0"),
        ({"update": "max"}, ValueError, r"'update' to be one of sum, product"),
        ({"flow": "up"}, ValueError, r"'flow' to be one of both, target_to_source"),
        ({"scores": None}, TypeError, r"'scores' to be a name"),
        ({"out": 3}, TypeError, r"'out' to be a name"),
        ({"edge_index": 3}, TypeError, r"'edge_index' to be a name"),
        ({"edge_attr": 3}, TypeError, r"'edge_attr' to be a name"),
    ],
)
def test_wrong_settings(settings, error, match):
    with pytest.raises(error, match=match):
        PropagateDifficulty(**settings)


def test_wrong_data():
    data = graph(6, seed=0)
    with pytest.raises(
        ValueError, match=r"a kNN graph with distances \(got no 'edge_index'\). Put EmbeddingKNNGraph"
    ):
        PropagateDifficulty()(data)
    with pytest.raises(
        ValueError, match=r"got no 'edge_index' of edge type \('paper', 'near', 'paper'\)"
    ):
        PropagateDifficulty(node_type="paper")(hetero())
    citations = Data(score=data.score, edge_index=data.link_edge_index)
    with pytest.raises(ValueError, match=r"got no 'edge_attr'.*its edges need distances"):
        PropagateDifficulty()(citations)
    citations.edge_attr = torch.ones(6, 2)
    with pytest.raises(ValueError, match=r"distances in 'edge_attr', floating of shape \(6,\)"):
        PropagateDifficulty()(citations)
    near = EmbeddingKNNGraph(k=2)(data)
    with pytest.raises(
        ValueError, match=r"'scores' to name an attribute .*got 'loss'\). Name the difficulty"
    ):
        PropagateDifficulty(scores="loss")(near)
    near.score = near.score * -1
    with pytest.raises(ValueError, match=r"'scores' to be at least 0"):
        PropagateDifficulty()(near)
    near.score = near.score.abs() * 0 + 1e308
    with pytest.raises(ValueError, match=r"scores after the forward pass to be finite"):
        PropagateDifficulty(gamma_forward=0)(near)
