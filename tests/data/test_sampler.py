"""CoresetSampler: what it draws, how often, in which order."""

import pickle
from collections import Counter

import pytest
import torch
from pyg_cases import graph
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as GraphLoader
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import BaseSampler, SamplerOutput

import d2pyg

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
CORESET = d2pyg.select(X, budget=11)
PICKED = CORESET.index.tolist()


def epochs(sampler, number=4):
    return [list(sampler) for _ in range(number)]


def test_each_epoch_is_the_coreset_in_a_new_order():
    drawn = epochs(d2pyg.CoresetSampler(CORESET, seed=5))
    assert all(sorted(epoch) == sorted(PICKED) for epoch in drawn)
    assert all(type(i) is int for i in drawn[0])
    assert len({tuple(epoch) for epoch in drawn}) == 4
    assert drawn == epochs(d2pyg.CoresetSampler(CORESET, seed=5))
    # no seed runs through another's epochs
    other = epochs(d2pyg.CoresetSampler(CORESET, seed=6))
    assert not {tuple(epoch) for epoch in drawn} & {tuple(epoch) for epoch in other}


def test_set_epoch_goes_on_where_it_was():
    drawn = epochs(d2pyg.CoresetSampler(CORESET))
    again = d2pyg.CoresetSampler(CORESET)
    again.set_epoch(2)
    assert epochs(again, 2) == drawn[2:]
    for epoch in (0, 1, 2, 3):  # as trainers do with a DistributedSampler
        again.set_epoch(epoch)
        assert list(again) == drawn[epoch]


def test_without_shuffling_in_pick_order():
    assert epochs(d2pyg.CoresetSampler(CORESET, shuffle=False), 2) == [PICKED, PICKED]
    longer = d2pyg.CoresetSampler(CORESET, shuffle=False, num_samples=15)
    assert list(longer) == PICKED + PICKED[:4]


@pytest.mark.parametrize("number", [1, 4, 11, 12, 40, 110])
def test_more_samples_go_round(number):
    sampler = d2pyg.CoresetSampler(CORESET, num_samples=number, seed=1)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == number
    times = Counter(drawn)
    assert set(times) <= set(PICKED)
    assert {times[i] for i in PICKED} <= {number // 11, -(-number // 11)}
    rounds = [drawn[start : start + 11] for start in range(0, number, 11)]
    assert all(len(set(one)) == len(one) for one in rounds)
    assert len({tuple(one) for one in rounds}) == len(rounds)


def test_of_indices(device):
    index = CORESET.index.to(device)[:3]
    sampler = d2pyg.CoresetSampler(index)
    assert sorted(sampler) == sorted(PICKED[:3])
    index = [4, 2, 9]
    sampler = d2pyg.CoresetSampler(index, shuffle=False)
    index[0] = 5
    assert list(sampler) == [4, 2, 9]
    array = CORESET.index.clone()
    sampler = d2pyg.CoresetSampler(array, shuffle=False)
    array[0] = 39
    assert list(sampler) == PICKED


def test_copies_and_repr():
    sampler = d2pyg.CoresetSampler(CORESET, seed=2, num_samples=20)
    first = list(sampler)
    assert repr(sampler) == "CoresetSampler(20 of 11, epoch=1)"
    copied = pickle.loads(pickle.dumps(sampler))
    assert list(copied) == list(sampler) != first
    assert len(pickle.dumps(sampler)) < 1000


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    ("batch_size", "options"),
    [
        (4, {}),
        (4, {"num_workers": 2, "persistent_workers": True}),
        (None, {"num_workers": 1}),
        (None, {}),
    ],
)
def test_in_a_loader_each_pass_is_an_epoch(batch_size, options):
    loader = DataLoader(
        torch.arange(40), batch_size, sampler=d2pyg.CoresetSampler(CORESET, num_samples=14), **options
    )
    expected = epochs(d2pyg.CoresetSampler(CORESET, num_samples=14), 3)
    for epoch in expected:
        batches = list(loader)
        assert len(batches) == len(loader) == (14 if batch_size is None else 4)
        assert (
            torch.stack(batches).tolist() == epoch
            if batch_size is None
            else torch.cat(batches).tolist() == epoch
        )


def test_in_a_loader_of_graphs():
    graphs = [Data(number=i, num_nodes=2) for i in range(40)]
    loader = GraphLoader(graphs, batch_size=3, sampler=d2pyg.CoresetSampler(CORESET, seed=3))
    numbers = torch.cat([batch.number for batch in loader]).tolist()
    assert numbers == list(d2pyg.CoresetSampler(CORESET, seed=3))


class Alone(BaseSampler):
    """The seed nodes, and nothing around them: stands in for neighbor sampling, which takes pyg-lib."""

    def sample_from_nodes(self, index, **_):
        none = torch.empty(0, dtype=torch.int64)
        return SamplerOutput(index.node, none, none, none, metadata=(index.input_id, index.time))

    sample_from_edges = None  # not asked for


@pytest.mark.parametrize(
    "options",
    [
        {"input_nodes": CORESET.mask, "shuffle": True},
        {"input_nodes": CORESET.index, "shuffle": True},
        {"sampler": d2pyg.CoresetSampler(CORESET)},
    ],
    ids=["mask", "index", "sampler"],
)
def test_seed_nodes_of_neighbor_loaders(options):
    """NodeLoader is what NeighborLoader extends."""
    data = graph(40, seed=0)
    data.edge_index = data.link_edge_index
    loader = NodeLoader(data, Alone(), batch_size=4, **options)
    seeds = torch.cat([batch.n_id[: batch.batch_size] for batch in loader])
    assert sorted(seeds.tolist()) == sorted(PICKED)


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"coreset": []}, ValueError, r"'coreset' to hold a sample or more \(got none\)"),
        ({"coreset": [-1]}, ValueError, r"'coreset' to be at least 0 \(got -1\)"),
        ({"coreset": CORESET.mask}, TypeError, r"'coreset' to be integer indices"),
        ({"shuffle": 1}, TypeError, r"'shuffle' to be True or False"),
        ({"seed": -1}, ValueError, r"'seed' to be at least 0"),
        ({"seed": 0.5}, TypeError, r"'seed' to be a whole number"),
        (
            {"num_samples": 0},
            ValueError,
            r"'num_samples' to be at least 1 \(got 0\). For each sample once",
        ),
    ],
)
def test_wrong_arguments(settings, error, match):
    with pytest.raises(error, match=match):
        d2pyg.CoresetSampler(**{"coreset": CORESET, **settings})


def test_wrong_epoch():
    with pytest.raises(ValueError, match=r"'epoch' to be at least 0 \(got -1\)"):
        d2pyg.CoresetSampler(CORESET).set_epoch(-1)
