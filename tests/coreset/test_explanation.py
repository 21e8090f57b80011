"""Every sample's messages sum to the difference they explain, exactly."""

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg.nn import ReverseMessage


class Half(ReverseMessage):
    def message(self, pick_score, neighbor_score, distance):
        return (pick_score + neighbor_score) / 4


def check(coreset):
    """What holds of every explanation, whatever the setting."""
    place = {int(i): n for n, i in enumerate(coreset.index)}
    for sample in range(len(coreset.scores)):
        found = coreset.explain(sample)
        if found.fate == "cut":
            assert math.isnan(coreset.scores[sample])
            assert "dropped by the cutoff" in str(found)
            continue
        assert found.score_after - sum(m.loss for m in found.messages) == found.score_last
        assert found.score_after == pytest.approx(float(coreset.scores[sample]), abs=1e-8)
        assert found.place == place.get(sample)
        if found.place is not None:
            assert found.score_last == float(coreset.pick_scores[found.place])
            assert f"picked as number {found.place + 1}" in str(found)
        places = [-1 if m.place is None else m.place for m in found.messages]
        assert places == sorted(places)
        for m in found.messages:
            assert m.place is None or int(coreset.index[m.place]) == m.sample
            assert found.place is None or m.place is None or m.place < found.place


@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("flow", ["target_to_source", "both"])
@pytest.mark.parametrize("reverse", ["weighted", "absolute"])
def test_messages_sum_to_the_difference(clamp, flow, reverse, rng, device):
    x = torch.as_tensor(rng.normal(size=(120, 2)), device=device)
    options = {"clamp": clamp, "flow": flow, "reverse": reverse}
    check(d2pyg.select(x, rng.exponential(size=120), keep=0.7, **options))


def test_with_classes_cutoff_initial_and_ids(rng):
    x, labels = rng.normal(size=(120, 2)), rng.integers(0, 3, 120)
    names = [f"sample-{i}" for i in range(120)]
    scores = rng.exponential(size=120)
    options = {"labels": labels, "cutoff": 0.1, "initial": np.argsort(scores)[:9], "ids": names}
    coreset = d2pyg.select(x, scores, keep=0.5, **options)
    check(coreset)
    found = coreset.explain(int(np.argsort(scores)[3]))
    assert found.fate == "initial"
    assert found.id == f"sample-{found.sample}"
    assert found.score_before == scores[found.sample]
    assert "taken first, as one of 'initial'" in str(found)
    everyone = [coreset.explain(i) for i in range(120)]
    for label in range(3):
        here = [e for e in everyone if labels[e.sample] == label and e.fate != "cut"]
        assert sorted(e.rank for e in here) == list(range(1, len(here) + 1))
        assert {e.group_size for e in here} == {len(here)}
        by_rank = sorted(here, key=lambda e: e.rank)
        assert [e.score_after for e in by_rank] == sorted((e.score_after for e in here), reverse=True)


def test_initial_samples_send_in_the_order_given(rng):
    """Near one another, so that those before lower those after."""
    x, order = rng.normal(size=(80, 2)), rng.permutation(80)[:30]
    labels = rng.integers(0, 2, 80)
    for reverse in "weighted", Half():
        options = {"initial": order, "scale": 3.0, "labels": labels, "reverse": reverse}
        coreset = d2pyg.select(x, rng.exponential(size=80), budget=20, **options)
        check(coreset)
        turn = {int(sample): at for at, sample in enumerate(order)}
        for sample, at in turn.items():
            senders = [m.sample for m in coreset.explain(sample).messages]
            assert [turn[sender] for sender in senders] == sorted(turn[sender] for sender in senders)
            assert all(turn[sender] < at for sender in senders)


def test_an_initial_sample_that_the_cutoff_dropped():
    x = torch.arange(4.0).unsqueeze(1)
    found = d2pyg.select(x, [1.0, 9.0, 1.0, 1.0], budget=1, k=1, cutoff=0.25, initial=[1]).explain(1)
    assert (found.fate, found.rank, found.place) == ("initial", None, None)
    assert str(found) == (
        "sample 1: score 9, dropped by the cutoff, taken first, as one of 'initial', without messages"
    )


def test_a_sample_that_auto_dropped_and_then_took():
    dynamics = d2pyg.scores.TrainingDynamics(4, window=2)
    for _ in range(2):
        logits = torch.tensor([[0.0, 2.0], [0.0, -2.0], [0.0, -1.0], [0.0, 1.0]])
        dynamics.update(torch.arange(4), logits, torch.ones(4).long())
        dynamics.end_epoch()
    x = torch.arange(4.0).unsqueeze(1)
    coreset = d2pyg.select(x, dynamics, budget=3, k=1, cutoff="auto")
    found = coreset.explain(2)
    assert (found.fate, found.rank, found.place, found.messages) == ("picked", None, 2, [])
    assert math.isnan(found.score_after)
    assert math.isnan(found.score_last)
    assert str(found).endswith(
        "dropped by the cutoff, picked as number 3, when no other sample was left"
    )
    assert (found.as_dict()["score_last"], found.as_dict()["place"]) == (None, 2)
    assert coreset.explain(1).fate == "cut"


def test_a_message_on_the_neighbors_score_and_parallel_edges(rng):
    pair = rng.integers(0, 30, (2, 150))
    pair = pair[:, pair[0] != pair[1]]
    pair = np.concatenate([pair, pair[:, :40]], axis=1)
    graph = Data(edge_index=torch.as_tensor(pair), edge_attr=torch.ones(pair.shape[1]), num_nodes=30)
    check(d2pyg.greedy_select(rng.exponential(size=30), graph, 25, Half(), initial=[4, 9, 11]))
    batch = np.arange(30) % 2
    graph = d2pyg.knn_graph(rng.normal(size=(30, 2)), 3, batch=batch)
    check(d2pyg.greedy_select(rng.exponential(size=30), graph, 10, Half(), batch=batch))


def test_by_hand():
    # 0 - 1 - 2 at distance 0: picking 1 (5) takes 5 from both; 0 is then at -1, 2 at -4, 3 alone at 2.
    graph = Data(
        edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), edge_attr=torch.zeros(4), num_nodes=4
    )
    coreset = d2pyg.greedy_select([4.0, 5.0, 1.0, 2.0], graph, 3)
    found = coreset.explain(0)
    assert found.messages == [(1, 0, 5.0)]
    assert (found.fate, found.place, found.rank, found.score_last) == ("picked", 2, 2, -1.0)
    assert str(coreset.explain(2)) == (
        "sample 2: not picked, with -4 left\n"
        "  score 1, after the forward pass 1, rank 4 of 4\n"
        "  pick 1, sample 1, took 5"
    )
    assert str(coreset.explain(3)).endswith("no pick before was its neighbor")


def test_the_text_shows_the_largest_messages():
    star = torch.tensor([[0] * 15, list(range(1, 16))])  # 0 is a neighbor of all
    graph = Data(edge_index=star, edge_attr=torch.zeros(15), num_nodes=16)
    coreset = d2pyg.greedy_select([0.0, *range(1, 16)], graph, 15)
    text = str(coreset.explain(0))
    assert text.count("took") == 10
    assert "and 5 smaller messages" in text
    assert "pick 1, sample 15, took 15" in text


def test_errors(rng, tmp_path):
    coreset = d2pyg.select(rng.normal(size=(20, 2)), budget=5)
    with pytest.raises(ValueError, match=r"'sample' to be between 0 and 19 \(got 20\)"):
        coreset.explain(20)
    coreset.save(tmp_path / "c.npz")
    with pytest.raises(ValueError, match="fresh from select or greedy_select"):
        d2pyg.Coreset.load(tmp_path / "c.npz").explain(0)
