"""embed gives rows in data set order, or refuses the loader; what the refusal advises works."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    ChainDataset,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader as GraphLoader
from torch_geometric.loader import DynamicBatchSampler, PrefetchLoader
from tqdm import tqdm

import d2pyg

N = 10
X = torch.arange(float(N)).view(N, 1)
MODEL = nn.Identity()


class Stream(IterableDataset):
    def __iter__(self):
        return iter(X)


class Sized(Stream):
    def __len__(self):
        return N


class Rows:
    """A data set of another package, such as of Hugging Face."""

    def __len__(self):
        return N

    def __getitem__(self, i):
        return X[i]

    def __iter__(self):
        return iter(X)


class Reversed(Sampler):
    def __iter__(self):
        return iter(range(N - 1, -1, -1))

    def __len__(self):
        return N


class Hidden(SequentialSampler):
    """A subclass may do anything."""

    def __iter__(self):
        return iter(range(N - 1, -1, -1))


class Swapped(BatchSampler):
    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


def batches_of(sampler, size=4, drop_last=False):
    return DataLoader(X, batch_sampler=BatchSampler(sampler, size, drop_last))


IN_ORDER = {
    "plain": DataLoader(X, 4),
    "by one": DataLoader(X, 1),
    "drop_last of nothing": DataLoader(X, 5, drop_last=True),
    "sequential": DataLoader(X, 4, sampler=SequentialSampler(X)),
    "a range": DataLoader(X, 4, sampler=range(N)),
    "an array": DataLoader(X, 4, sampler=np.arange(N)),
    "a tensor": DataLoader(X, 4, sampler=torch.arange(N)),
    "batches": batches_of(SequentialSampler(X)),
    "batches of a range": batches_of(range(N)),
    "batches that drop nothing": batches_of(range(N), 5, drop_last=True),
    "a list of batches": DataLoader(X, batch_sampler=[[0, 1, 2], [3], [4, 5, 6, 7, 8, 9]]),
    "ranges": DataLoader(X, batch_sampler=[range(6), range(6, N)]),
    "no batching of its own": DataLoader(X, None, sampler=BatchSampler(SequentialSampler(X), 4, False)),
    "no batching at all": DataLoader(X.split(3), None),
    "a stream": DataLoader(Stream(), 4),
    "a stream with a length": DataLoader(Sized(), 4),
    "streams in a chain": DataLoader(ChainDataset([Stream()]), 4),
    "a stream of batches": DataLoader(ChainDataset([Stream()]), None, collate_fn=lambda row: row[None]),
    "collated": DataLoader(X, 4, collate_fn=torch.stack),
    "one that keeps the order with a worker": DataLoader(X, 4, num_workers=1, in_order=True),
}


@pytest.mark.parametrize("name", IN_ORDER)
def test_in_order(name):
    assert d2pyg.embed(MODEL, IN_ORDER[name]).equal(X)


@pytest.mark.parametrize("dataset", [X, Stream()], ids=["map", "stream"])
def test_an_iterator(dataset):
    loader = DataLoader(dataset, 4)
    assert d2pyg.embed(MODEL, iter(loader), progress=True).equal(X)
    begun = iter(loader)
    next(begun)
    with pytest.raises(ValueError, match=r"at its beginning \(got an iterator that has given 1 of its"):
        d2pyg.embed(MODEL, begun)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("dataset", [X, Stream()], ids=["map", "stream"])
def test_a_worker(dataset):
    loader = DataLoader(dataset, 4, num_workers=1)
    assert d2pyg.embed(MODEL, loader).equal(X)
    assert d2pyg.embed(MODEL, iter(loader)).equal(X)


def test_batches_that_the_user_vouches_for():
    shuffled = DataLoader(X, 4, sampler=Reversed())
    with pytest.raises(ValueError, match=r"pass \(batch for batch in loader\)"):
        d2pyg.embed(MODEL, shuffled)
    assert d2pyg.embed(MODEL, (batch for batch in shuffled)).equal(X.flip(0))


CHANCE = torch.Generator().manual_seed(0)
ORDER, EVERY = "keep the order of the data set", "give every sample"
SHUFFLE = "shuffle=False, without 'sampler' and 'batch_sampler'"
VOUCH = r"pass \(batch for batch in loader\)"
REFUSED = {
    "shuffle": (DataLoader(X, 4, shuffle=True, generator=CHANCE), ORDER, f"RandomSampler.*{SHUFFLE}.$"),
    "random": (DataLoader(X, 4, sampler=RandomSampler(X)), ORDER, f"RandomSampler.*{SHUFFLE}.$"),
    "subset": (DataLoader(X, 4, sampler=SubsetRandomSampler(range(N))), ORDER, f"{SHUFFLE}.$"),
    "weighted": (DataLoader(X, 4, sampler=WeightedRandomSampler([1] * N, N)), ORDER, f"{SHUFFLE}.$"),
    "distributed": (
        DataLoader(X, 4, sampler=DistributedSampler(X, num_replicas=2, rank=0)),
        ORDER,
        "DistributedSampler",
    ),
    "random batches": (batches_of(RandomSampler(X)), ORDER, f"RandomSampler.*{SHUFFLE}.$"),
    "random batches, no batching": (
        DataLoader(X, None, sampler=BatchSampler(RandomSampler(X), 4, False)),
        ORDER,
        "RandomSampler",
    ),
    "a sampler of one's own": (DataLoader(X, 4, sampler=Reversed()), ORDER, f"Reversed.*{VOUCH}"),
    "a subclass": (DataLoader(X, 4, sampler=Hidden(X)), ORDER, f"Hidden.*{VOUCH}"),
    "batches of a subclass": (batches_of(Hidden(X)), ORDER, f"Hidden.*{VOUCH}"),
    "a batch sampler's subclass": (
        DataLoader(X, batch_sampler=Swapped(SequentialSampler(X), 4, False)),
        ORDER,
        f"Swapped.*{VOUCH}",
    ),
    "a coreset": (DataLoader(X, 4, sampler=d2pyg.CoresetSampler(range(N))), ORDER, "CoresetSampler"),
    "a list out of order": (DataLoader(X, 4, sampler=[1, 0, *range(2, N)]), ORDER, "got a list"),
    "batches out of order": (DataLoader(X, batch_sampler=[[1, 0], range(2, N)]), ORDER, "got a list"),
    "a list of fewer": (DataLoader(X, 4, sampler=range(7)), EVERY, "got a range of 7 for 10 samples"),
    "one twice": (DataLoader(X, 4, sampler=[0, *range(N)]), EVERY, "got a list of 11 for 10 samples"),
    "sequential over fewer": (
        DataLoader(X, 4, sampler=SequentialSampler(range(7))),
        EVERY,
        "got a SequentialSampler of 7 for 10 samples",
    ),
    "drop_last": (DataLoader(X, 4, drop_last=True), EVERY, "got drop_last=True.*drop_last=False"),
    "batches that drop": (batches_of(range(N), 4, drop_last=True), EVERY, "got drop_last=True"),
    "a stream that drops": (DataLoader(Stream(), 5, drop_last=True), EVERY, "got drop_last=True"),
    "a stream from two workers": (
        DataLoader(Stream(), 4, num_workers=2),
        "have at most one worker for an IterableDataset",
        r"\(got 2\). Make one with num_workers=1",
    ),
    "whichever worker is first": (
        DataLoader(X, 4, num_workers=2, in_order=False),
        ORDER,
        "got in_order=False and 2 workers.*in_order=True",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_out_of_order(name):
    loader, rule, rest = REFUSED[name]
    wrapped = [loader, tqdm(loader, disable=True), PrefetchLoader(loader, device=torch.device("cpu"))]
    if not loader.num_workers:
        wrapped.append(iter(loader))
    for one in wrapped:
        with pytest.raises(ValueError, match=f"'loader' to {rule}.*{rest}"):
            d2pyg.embed(MODEL, one)


def test_loaders_of_graphs():
    graphs = [Data(x=torch.full((size, 1), float(size)), num_nodes=size) for size in (2, 5, 3)]

    def mean(model, batch):
        model(torch.stack([graph.x.mean(0) for graph in batch.to_data_list()]))

    loader = GraphLoader(graphs, 2)
    assert d2pyg.embed(MODEL, loader, forward=mean).flatten().tolist() == [2, 5, 3]
    with pytest.raises(ValueError, match=f"{ORDER} .got a RandomSampler"):
        d2pyg.embed(MODEL, GraphLoader(graphs, 2, shuffle=True), forward=mean)
    dynamic = GraphLoader(graphs, batch_sampler=DynamicBatchSampler(graphs, max_num=6))
    with pytest.raises(ValueError, match=f"{ORDER} .got a DynamicBatchSampler.*{VOUCH}"):
        d2pyg.embed(MODEL, dynamic, forward=mean)


@pytest.mark.parametrize(
    ("loader", "remedy"),
    [
        (X, r"got Tensor\). Pass \[loader\]"),
        (X.numpy(), r"got ndarray\). Pass \[loader\]"),
        ({"x": X}, r"got dict\). Pass \[loader\]"),
        (Data(x=X), r"got Data\). Pass \[loader\]"),
        (TensorDataset(X), r"got TensorDataset\). Pass DataLoader\(loader, batch_size=256\)"),
        (Stream(), r"got Stream\). Pass DataLoader\(loader, batch_size=256\)"),
        (Rows(), r"got Rows\). Pass DataLoader\(loader, batch_size=256\)"),
        (None, r"got NoneType\). Pass a torch.utils.data.DataLoader"),
        ("x.npy", r"got str\). Pass a torch.utils.data.DataLoader"),
        (3, r"got int\)"),
    ],
)
def test_no_loaders(loader, remedy):
    with pytest.raises(TypeError, match=f"'loader' to be a DataLoader or another iterable .*{remedy}"):
        d2pyg.embed(MODEL, loader)
    if isinstance(loader, IterableDataset | TensorDataset | Rows):
        assert d2pyg.embed(MODEL, DataLoader(loader, batch_size=256)).equal(X)
    elif isinstance(loader, torch.Tensor):
        assert d2pyg.embed(MODEL, [loader]).equal(X)
