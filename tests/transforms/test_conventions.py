"""What PyG expects of a transform: composed, copied, in data sets, in workers."""

import copy
import pickle

import pytest
import torch
from pyg_cases import graph, hetero, same, some_graphs
from torch_geometric.data import Batch, Data, InMemoryDataset
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import Compose, RemoveIsolatedNodes, ToUndirected

import d2pyg
from d2pyg.transforms import D2Prune, EmbeddingKNNGraph, PropagateDifficulty

ALL = Compose(
    [
        EmbeddingKNNGraph(k=3),
        PropagateDifficulty(0.5, kernel="laplacian"),
        D2Prune(keep=0.5, k=4, labels=None, mask="train_mask"),
    ]
)


class Graphs(InMemoryDataset):
    """Some graphs, built on the spot."""

    def __init__(self, root, graphs, **options):
        self.given = graphs
        super().__init__(root, **options)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self):
        return "data.pt"

    def process(self):
        graphs = (
            self.given if self.pre_transform is None else [self.pre_transform(g) for g in self.given]
        )
        self.save(graphs, self.processed_paths[0])


@pytest.mark.parametrize("copied", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy, copy.copy])
def test_copies_do_the_same(copied):
    data = graph(40, seed=3)
    before = copy.deepcopy(data)
    done = ALL(data)
    assert same(copied(ALL)(data), done)
    assert repr(copied(ALL)) == repr(ALL)
    assert same(data, before)
    assert done.train_mask.sum() < data.train_mask.sum()


def test_a_batch_and_its_tables_stay_as_they_were():
    batch = Batch.from_data_list(some_graphs())
    before = copy.deepcopy(batch)
    ALL(batch)
    assert same(batch, before)
    assert all(
        same(one, two) for one, two in zip(batch.to_data_list(), before.to_data_list(), strict=True)
    )
    data = hetero()
    before = copy.deepcopy(data)
    Compose([EmbeddingKNNGraph(node_type="paper"), D2Prune(keep=0.5, node_type="paper")])(data)
    assert same(data, before)


def test_repr_makes_it_again():
    assert repr(EmbeddingKNNGraph()) == "EmbeddingKNNGraph()"
    assert repr(ALL.transforms[1]) == "PropagateDifficulty(gamma_forward=0.5, kernel='laplacian')"
    assert repr(ALL.transforms[2]) == "D2Prune(keep=0.5, labels=None, mask='train_mask', k=4)"
    own = EmbeddingKNNGraph(metric=d2pyg.graph.CosineMetric(), node_type="paper")
    assert repr(own) == "EmbeddingKNNGraph(metric=CosineMetric(), node_type='paper')"
    for transform in ALL.transforms:
        assert repr(eval(repr(transform))) == repr(transform)


def test_with_transforms_of_pyg():
    """The graph is one that PyG's own can go on with."""
    data = Data(x=graph(20, seed=0).x)
    done = Compose([EmbeddingKNNGraph(k=2), ToUndirected(reduce="min"), RemoveIsolatedNodes()])(data)
    assert done.is_undirected()
    assert done.num_nodes == 20
    assert done.validate()


@pytest.mark.parametrize("when", ["transform", "pre_transform"])
def test_of_a_data_set(tmp_path, when):
    graphs = some_graphs()
    dataset = Graphs(tmp_path, graphs, **{when: ALL})
    for one, given in zip(dataset, graphs, strict=True):
        assert same(one, ALL(given))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_in_workers(tmp_path):
    graphs = some_graphs()
    dataset = Graphs(tmp_path, graphs, transform=ALL)
    batches = list(DataLoader(dataset, batch_size=2, num_workers=2))
    expected = [Batch.from_data_list([ALL(one) for one in pair]) for pair in (graphs[:2], graphs[2:])]
    assert len(batches) == 2
    assert all(same(one, two) for one, two in zip(batches, expected, strict=True))
    chosen = batches[0].x[batches[0].coreset_index]
    assert torch.equal(chosen, torch.cat([one.x[ALL(one).coreset_index] for one in graphs[:2]]))
