from collections import UserDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import DataLoader as GraphLoader

import d2pyg
from d2pyg import WithIndex

Pair = namedtuple("Pair", "x y")


@dataclass
class Record:
    x: float


class Squares(Dataset):
    """Counts how often an item is asked for."""

    asked = 0

    def __len__(self):
        return 7

    def __getitem__(self, i):
        self.asked += 1
        return torch.tensor(float(i * i)), i % 2


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ((1.0, 2), (1.0, 2, 0)),
        ({"x": 1.0}, {"x": 1.0, "index": 0}),
        (UserDict(x=1.0), {"x": 1.0, "index": 0}),
        (Pair(1.0, 2), (Pair(1.0, 2), 0)),
        (Record(1.0), (Record(1.0), 0)),
        ([5, 6, 7], ([5, 6, 7], 0)),  # of tokens, of which the index would be one more
        (5, (5, 0)),
        ("text", ("text", 0)),
    ],
)
def test_forms(item, expected):
    given = WithIndex([item])[0]
    assert given == expected
    assert type(given) is type(expected)
    assert WithIndex([item]).__getitems__([0]) == [expected]


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_with_workers_and_subsets(workers):
    data = WithIndex(Squares())
    loader = DataLoader(Subset(data, [6, 1, 4]), batch_size=2, num_workers=workers)
    batches = list(loader)
    assert torch.cat([index for _, _, index in batches]).tolist() == [6, 1, 4]
    assert torch.cat([x for x, _, _ in batches]).tolist() == [36, 1, 16]
    assert batches[0][2].dtype == torch.int64


def test_collated_dicts_named_tuples_and_tensors():
    batch = next(iter(DataLoader(WithIndex([{"x": 1.0}, {"x": 2.0}]), batch_size=2)))
    assert batch["index"].tolist() == [0, 1]
    pair, index = next(iter(DataLoader(WithIndex([Pair(1.0, 2), Pair(3.0, 4)]), batch_size=2)))
    assert (pair.x.tolist(), index.tolist()) == ([1, 3], [0, 1])
    for rows in torch.eye(3), np.eye(3):
        x, index = next(iter(DataLoader(WithIndex(rows), batch_size=3)))
        assert (x.tolist(), index.tolist()) == (np.eye(3).tolist(), [0, 1, 2])


@pytest.mark.parametrize("name", [None, "number"])
def test_graphs_of_different_sizes(name):
    graphs = [Data(x=torch.zeros(size, 1)) for size in (3, 1, 2)]
    batches = list(GraphLoader(WithIndex(graphs, name), batch_size=2))
    assert torch.cat([batch[name or "sample"] for batch in batches]).tolist() == [0, 1, 2]
    assert "sample" not in graphs[0]  # the data set is as it was
    hetero = HeteroData(paper={"x": torch.zeros(2, 1)})
    batch = next(iter(GraphLoader(WithIndex([hetero, hetero], name), batch_size=2)))
    assert batch[name or "sample"].tolist() == [0, 1]


def test_asks_once_and_counts_from_both_ends():
    squares = Squares()
    data = WithIndex(squares)
    assert data[-1][1:] == (0, 6)
    assert squares.asked == 1
    assert [index for _, _, index in data] == list(range(7))
    assert len(data) == 7
    assert repr(data) == "WithIndex(Squares of 7)"
    for wrong in 7, -8:
        with pytest.raises(IndexError, match="'index' to be below 7"):
            data[wrong]


def test_reads_many_at_once_where_the_data_set_can():
    class Fast(Squares):
        def __getitems__(self, places):
            return [(place,) for place in places]

    assert next(iter(DataLoader(WithIndex(Fast()), batch_size=7)))[1].tolist() == list(range(7))
    assert Fast.asked == 0


def test_feeds_a_recorder_and_is_pruned():
    data = WithIndex(TensorDataset(torch.eye(4), torch.tensor([0, 1, 0, 1])))
    dynamics = d2pyg.scores.TrainingDynamics(len(data))
    for x, y, index in DataLoader(data, batch_size=3, shuffle=True):
        dynamics.update(index, x[:, :2], y)
    dynamics.end_epoch()
    few = d2pyg.take(data, dynamics.confidence().argsort()[-2:])
    assert [item[2] for item in few] == sorted(item[2] for item in few)
    assert all(torch.equal(item[0], data[item[2]][0]) for item in few)


@pytest.mark.extensions
def test_hugging_face():
    datasets = pytest.importorskip("datasets")
    data = WithIndex(datasets.Dataset.from_dict({"x": [1.0, 2.0, 3.0]}))
    batch = next(iter(DataLoader(data, batch_size=3)))
    assert (batch["x"].tolist(), batch["index"].tolist()) == ([1, 2, 3], [0, 1, 2])


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize(
    "wrong", [(torch.eye(2), torch.eye(2)), {"train": [1]}, "text", Stream(), DataLoader([1]), 5, Data()]
)
def test_refuses_what_has_no_items_by_number(wrong):
    with pytest.raises(TypeError, match=r"'dataset' to have a length and items by number \(got a "):
        WithIndex(wrong)


def test_refuses_frames():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"items by number \(got a DataFrame"):
        WithIndex(pandas.DataFrame({"x": [1]}))


@pytest.mark.parametrize(
    ("item", "name"),
    [({"index": 3}, None), (Data(sample=1), None), (Data(x=torch.zeros(2, 1)), "my_index"), ({"y": 1}, "y")],
)  # fmt: skip
def test_refuses_a_name_that_is_taken(item, name):
    with pytest.raises(ValueError, match="'name' to be free for the index in items"):
        WithIndex([item], name)[0]
    assert WithIndex([item], "number")[0]["number"] == 0


def test_refuses_other_names():
    with pytest.raises(TypeError, match="'name' to be a name"):
        WithIndex([1], 3)
