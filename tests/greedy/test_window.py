"""The way without a look from the host, on any device; capturing itself needs CUDA."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from d2pyg._base.progress import progress_bar
from d2pyg.graph.edges import Edges
from d2pyg.greedy import sequential, window
from d2pyg.greedy.problem import Problem
from d2pyg.nn import ReverseMessage, WeightedReverse


class Half(ReverseMessage):
    """Depends on the neighbor's score, so neither monotone nor linear."""

    def message(self, pick_score, neighbor_score, distance):
        return self.weight(distance) * (pick_score + neighbor_score) / 2


class Shared(ReverseMessage):
    """Depends on the other neighbors of the pick."""

    def message(self, pick_score, neighbor_score, distance):
        return pick_score * neighbor_score.softmax(0)


def problem(rng, reverse, nodes=60, edges=300, groups=1, clamp=False, initial=(), device="cpu"):
    group = rng.integers(0, groups, nodes)
    pair = rng.integers(0, nodes, (2, edges))
    pair = pair[:, (pair[0] != pair[1]) & (group[pair[0]] == group[pair[1]])]
    pair = np.concatenate([pair, [[n for n in range(1, nodes) if group[n] == group[0]]] * 2], axis=1)
    pair[1, edges:] = 0  # node 0 is a hub
    pair = pair[:, pair[0] != pair[1]]
    left = np.bincount(np.delete(group, list(initial)), minlength=groups)
    made = Problem.build(
        score=torch.as_tensor(rng.normal(1, 1, nodes)).to(device),
        edges=Edges(
            *torch.as_tensor(pair).to(device),
            torch.as_tensor(rng.exponential(size=pair.shape[1])).to(device),
            nodes,
        ),
        group=torch.as_tensor(group).to(device),
        count=torch.as_tensor(rng.integers(0, left + 1)),
        first=torch.tensor(initial, dtype=torch.int64, device=device),
        reverse=reverse,
        clamp=clamp,
    )
    return made[0]


def bar():
    return progress_bar(0, "", "", False)


def assert_same(one, two):
    assert one.index.equal(two.index)
    assert one.score.equal(two.score)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_windows_equal_the_loop(seed, data):
    reverse = data.draw(st.sampled_from([WeightedReverse(0.5), WeightedReverse(0.0), Half(0.5)]))
    made = problem(
        np.random.default_rng(seed),
        reverse,
        groups=data.draw(st.integers(1, 4)),
        clamp=data.draw(st.booleans()),
        initial=data.draw(st.lists(st.integers(0, 59), max_size=9, unique=True)),
    )
    expected = sequential.loop(made, bar())
    found = window.in_windows(made, bar())
    assert_same(found, expected)
    assert found.report == {"picks_captured": 0}


def test_replayed_blocks(monkeypatch, rng):
    """What a CUDA graph does, without one: the same block again and again."""
    monkeypatch.setattr(window, "_WORTH_CAPTURING", 64)
    monkeypatch.setattr(window, "_captured", lambda block, report: block)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    made = problem(rng, Half(0.5), nodes=400, edges=2000, groups=2)
    made = problem_with_counts(made, [150, 70])
    expected = sequential.loop(made, bar())
    found = window.in_windows(made, bar())
    assert_same(found, expected)
    assert found.report == {"picks_captured": 128 + 64}


def problem_with_counts(made, count):
    return type(made)(**{**vars(made), "count": count})


def test_a_message_that_cannot_be_captured_runs_from_the_host_and_the_report_says_so(monkeypatch, rng):
    class Broken:
        def __init__(self, graph):
            pass

        def __enter__(self):
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

        def __exit__(self, *error):
            raise AssertionError("was not entered")

    monkeypatch.setattr(window, "_WORTH_CAPTURING", 64)
    monkeypatch.setattr(torch.cuda, "graph", Broken)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    made = problem_with_counts(problem(rng, Half(0.5), nodes=200, edges=900), [150])
    found = window.in_windows(made, bar())
    assert_same(found, sequential.loop(made, bar()))
    assert found.report == {
        "picks_captured": 0,
        "eager": "the message cannot be captured: operation not permitted when stream is capturing",
    }


def test_messages_that_need_their_own_row_are_found(rng):
    assert sequential.same_in_windows(problem(rng, Half(0.5)))
    assert not sequential.same_in_windows(problem(rng, Shared()))


@pytest.mark.parametrize("reverse", [Half(0.5), Shared()])
def test_on_cuda_the_engine_takes_windows_where_the_message_allows(reverse, rng, monkeypatch, device):
    made = problem(rng, reverse, device=device)
    expected = sequential.loop(made, bar())
    monkeypatch.setattr(sequential, "_without_host", lambda problem: True)
    found = sequential.sequential(made, bar())
    assert_same(found, expected)
    assert ("eager" in found.report) == isinstance(reverse, Shared)


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_messages_that_are_not_finite(value, rng):
    class Bad(ReverseMessage):
        def message(self, pick_score, neighbor_score, distance):
            return torch.where(neighbor_score > 1.5, value, 0.1 * pick_score)

    made = problem_with_counts(problem(rng, Bad()), [30])
    with pytest.raises(ValueError, match="to be finite"):
        window.in_windows(made, bar())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_captured_on_cuda(rng):
    made = problem_with_counts(problem(rng, Half(0.5), nodes=5000, edges=30000, device="cuda"), [3000])
    found = sequential.sequential(made, bar())
    assert_same(found, sequential.loop(made, bar()))
    assert found.report == {"picks_captured": 3000 // 64 * 64}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_a_message_that_asks_the_host(rng):
    class Asks(Half):
        def message(self, pick_score, neighbor_score, distance):
            return super().message(pick_score, neighbor_score, distance) * float(pick_score[0] > -9)

    made = problem_with_counts(problem(rng, Asks(0.5), nodes=5000, edges=30000, device="cuda"), [2000])
    found = sequential.sequential(made, bar())
    assert_same(found, sequential.loop(made, bar()))
    assert found.report["picks_captured"] == 0
    assert "cannot be captured" in found.report["eager"]
