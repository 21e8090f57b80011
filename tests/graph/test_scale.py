"""What distances are divided by."""

import pytest
import torch

import d2pyg
from d2pyg.graph.edges import Edges
from d2pyg.graph.scale import scaled


def test_local_scales_against_a_loop(rng):
    x = torch.as_tensor(rng.normal(size=(60, 3))) * torch.linspace(0.1, 10, 60).unsqueeze(1)
    x[:7] = x[0]  # of whom all neighbors are at distance 0
    graph = d2pyg.knn_graph(x, 4)
    edges = Edges(*graph.edge_index, graph.edge_attr, 60)
    found, unit = scaled(edges, "local")
    distances = graph.edge_attr.view(60, 4)
    positive = sorted(d for d in graph.edge_attr.tolist() if d > 0)
    assert unit == positive[(len(positive) - 1) // 2]
    own = [float(row.max()) or unit for row in distances]
    assert own[0] == unit
    for source, target, before, after in zip(
        *graph.edge_index.tolist(), graph.edge_attr.tolist(), found.distance.tolist(), strict=True
    ):
        assert after == pytest.approx(before / (own[source] * own[target]) ** 0.5, rel=1e-12)


def test_local_scales_do_not_overflow():
    edges = Edges(*torch.tensor([[0, 1], [1, 0]]), torch.tensor([1e200, 1e200], dtype=torch.float64), 2)
    assert scaled(edges, "local")[0].distance.tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("scale", ["median", "local", 2.0, None])
def test_greedy_select_scales_as_select_does(scale, rng):
    x, scores = rng.normal(size=(80, 3)), rng.random(80)
    graph = d2pyg.knn_graph(x, 5)
    made = d2pyg.select(
        graph, scores, budget=30, scale=scale, update="none", flow="target_to_source", gamma_reverse=0.5
    )
    direct = d2pyg.greedy_select(scores, graph, 30, gamma_reverse=0.5, scale=scale)
    assert direct.index.equal(made.index)
    assert direct.settings["scale_value"] == made.settings["scale_value"]
    assert direct.settings["scale"] == scale


def test_refused():
    graph = d2pyg.knn_graph(torch.arange(5.0).unsqueeze(1), 1)
    with pytest.raises(ValueError, match="'scale' to be one of median, local"):
        d2pyg.greedy_select(torch.ones(5), graph, 2, scale="mean")
    with pytest.raises(ValueError, match=r"'scale' to be above 0 .got 0"):
        d2pyg.greedy_select(torch.ones(5), graph, 2, scale=0)
