"""Whatever an argument is given as: the function takes it, or says in an error of its own what it wants."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Data

import d2pyg
from d2pyg import baselines, metrics, transforms
from d2pyg.graph import Joined, nearest_graph
from d2pyg.nn import ForwardMessagePassing, WeightedReverse, check_claims

N = 12
RNG = np.random.default_rng(0)
X, SCORES, LABELS = RNG.normal(size=(N, 3)), RNG.random(N), np.arange(N) % 3
GRAPH = d2pyg.knn_graph(X, 3)
GROUPED = d2pyg.knn_graph(X, 3, batch=LABELS)
CORESET = d2pyg.select(X, SCORES, budget=4)
NODES = Data(
    x=torch.as_tensor(X),
    y=torch.as_tensor(LABELS),
    score=torch.as_tensor(SCORES),
    mask=torch.ones(N, dtype=torch.bool),
    edge_index=GRAPH.edge_index,
    edge_attr=GRAPH.edge_attr,
)

WRONG = {
    "None": None,
    "()": (),
    "[]": [],
    "{}": {},
    "''": "",
    "'x'": "x",
    "bytes": b"x",
    "3": 3,
    "-1": -1,
    "1.5": 1.5,
    "nan": float("nan"),
    "True": True,
    "10**12": 10**12,
    "2**63": 2**63,
    "10**30": 10**30,
    "10**5000": 10**5000,
    "a large fraction": Fraction(10**400),
    "object()": object(),
    "0-d array": np.array(3),
    "0-d object": np.array(None),
    "0-d tensor": torch.tensor(1.5),
    "empty": torch.empty(0),
    "no features": torch.empty(N, 0),
    "no samples": torch.empty(0, 3),
    "NaN": np.full((N, 3), np.nan),
    "NaN vector": np.full(N, np.nan),
    "masked": np.ma.masked_equal(np.ones(N), 1.0),
    "missing": np.array([None] * N),
    "ragged": [[1], [1, 2]],
    "names": ["a"] * N,
    "dates": np.array(["2024-01-01"] * N, dtype="M8[D]"),
    "large integers": [10**30] * N,
    "large unsigned": np.full(N, 2**63, dtype=np.uint64),
    "sparse": torch.eye(3).to_sparse(),
    "meta": torch.empty(N, 3, device="meta"),
    "complex": torch.ones(N, 3, dtype=torch.complex64),
    "a coreset": CORESET,
    "a recorder": d2pyg.scores.LossDynamics(N),
    "a graph": GRAPH,
    "a set": {1, 2},
    "a generator": (i for i in range(3)),
    "a range": range(3),
    "a list of None": [None],
    "a list of arrays": [X],
    "a function": print,
    "a function of nothing": lambda: 0,
    "a class": dict,
    "an abstract class": d2pyg.graph.Metric,
    "an array and None": [X, None],
}


def layer(score, edge_index, distance):
    return ForwardMessagePassing()(score, edge_index, distance)


def register(family, name, entry):
    d2pyg.register(family, name)(entry)


def knn_transform(data, **settings):
    return transforms.EmbeddingKNNGraph(**settings)(data)


def propagate(data, **settings):
    return transforms.PropagateDifficulty(**settings)(data)


def prune(data, **settings):
    return transforms.D2Prune(**settings)(data)


SETTINGS = {
    "gamma_forward": 1.0,
    "gamma_reverse": 1.0,
    "kernel": "rbf",
    "scale": "median",
    "update": "sum",
    "reverse": "weighted",
    "clamp": False,
    "flow": None,
    "labels": LABELS,
    "balance": "uniform",
    "min_per_class": 1,
    "cutoff": 0.1,
    "initial": [0],
    "ids": np.arange(N),
    "metric": "cosine",
    "engine": "auto",
    "device": None,
    "debug": False,
    "progress": False,
    "backend": "auto",
}
CALLS = {
    "select": (d2pyg.select, {"embeddings": X, "scores": SCORES, "budget": 4, "k": 3, **SETTINGS}),
    "select, keep": (d2pyg.select, {"embeddings": X, "keep": 0.4, "forward": "weighted"}),
    "select, prune": (d2pyg.select, {"embeddings": GRAPH, "prune": 0.4, "k": 2}),
    "knn_graph": (d2pyg.knn_graph, {"embeddings": X, "k": 3, "batch": LABELS, "memory": 1e9}),
    "extend_graph": (
        d2pyg.extend_graph,
        {
            "graph": GRAPH,
            "embeddings": X,
            "new": X,
            "batch": None,
            "metric": None,
            "device": None,
            "memory": 1e9,
            "progress": False,
        },
    ),
    "extend_graph, batch": (
        d2pyg.extend_graph,
        {"graph": GROUPED, "embeddings": X, "new": X, "batch": LABELS},
    ),
    "shrink_graph": (
        d2pyg.shrink_graph,
        {"graph": GRAPH, "embeddings": X, "keep": [1, 2, 3], "metric": None},
    ),
    "greedy_select": (
        d2pyg.greedy_select,
        {"scores": SCORES, "graph": GRAPH, "budget": 4, "reverse": "weighted", "initial": [1]},
    ),
    "greedy_select, batch": (
        d2pyg.greedy_select,
        {"scores": SCORES, "graph": d2pyg.knn_graph(X, 3, batch=LABELS), "budget": 1, "batch": LABELS},
    ),
    "nearest_graph": (nearest_graph, {"graph": GRAPH, "k": 2}),
    "sweep": (d2pyg.sweep, {"embeddings": X, "scores": SCORES, "budget": [2, 4], "k": [2, 3]}),
    "sweep, keep": (d2pyg.sweep, {"embeddings": X, "keep": [0.4], "cutoff": 0.0, "labels": LABELS}),
    "compare": (
        d2pyg.compare,
        {"coresets": {"a": CORESET}, "embeddings": X, "scores": SCORES, "labels": LABELS},
    ),
    "take": (d2pyg.take, {"dataset": [*range(N)], "coreset": CORESET, "order": "picked"}),
    "prune_dataset": (
        d2pyg.prune_dataset,
        {"dataset": [*range(N)], "embeddings": X, "scores": SCORES, "budget": 4, "method": "d2"},
    ),
    "embed": (
        d2pyg.embed,
        {
            "model": nn.Identity(),
            "layer": "",
            "side": "output",
            "pool": None,
            "dtype": torch.float32,
            "autocast": None,
            "loader": [torch.as_tensor(X)],
        },
    ),
    "CoresetSampler": (
        d2pyg.CoresetSampler,
        {"coreset": CORESET, "shuffle": True, "seed": 0, "num_samples": 9},
    ),
    "WithIndex": (d2pyg.WithIndex, {"dataset": [*range(N)], "name": "number"}),
    "duplicates": (
        d2pyg.duplicates,
        {
            "embeddings": X,
            "threshold": 0.5,
            "metric": "cosine",
            "scores": SCORES,
            "labels": LABELS,
            "ids": np.arange(N),
            "backend": "auto",
            "device": None,
            "progress": False,
        },
    ),
    "Duplicates.save": (d2pyg.duplicates(X, 0.5).save, {"path": "a.txt"}),
    "LossDynamics": (d2pyg.scores.LossDynamics, {"num_samples": N}),
    "LossDynamics.update": (
        d2pyg.scores.LossDynamics(N).update,
        {"index": [1, 2], "losses": [1.0, 2.0]},
    ),
    "token_losses": (
        d2pyg.scores.token_losses,
        {
            "logits": torch.zeros(2, 3, 4),
            "labels": torch.zeros(2, 3).long(),
            "shift": True,
        },
    ),
    "set_epoch": (d2pyg.CoresetSampler(CORESET).set_epoch, {"epoch": 1}),
    "register": (register, {"family": "kernel", "name": "own", "entry": nn.Identity}),
    "Coreset.explain": (CORESET.explain, {"sample": 3}),
    "save_graph": (d2pyg.save_graph, {"graph": GRAPH, "path": "a.txt"}),
    "load_graph": (d2pyg.load_graph, {"path": "a.txt"}),
    "Coreset.save": (CORESET.save, {"path": "a.txt"}),
    "Coreset.load": (d2pyg.Coreset.load, {"path": "a.txt"}),
    "Joined": (
        Joined,
        {"embeddings": [X, X], "weights": [1, 2], "scale": [1, 2], "metric": ["cosine", "cosine"]},
    ),
    "coverage_radius": (metrics.coverage_radius, {"embeddings": X, "index": [1, 2]}),
    "aucpr": (metrics.aucpr, {"embeddings": X, "index": [1, 2], "held_out": X}),
    "near_duplicates": (metrics.near_duplicates, {"embeddings": X, "index": [1, 2], "threshold": 0.5}),
    "score_entropy": (metrics.score_entropy, {"scores": SCORES, "index": [1, 2], "bins": 5}),
    "class_counts": (metrics.class_counts, {"labels": LABELS, "index": [1, 2]}),
    "class_balance": (metrics.class_balance, {"labels": LABELS, "index": [1, 2]}),
    "overlap": (metrics.overlap, {"one": [1], "two": [1, 2]}),
    "random": (baselines.random, {"embeddings": X, "scores": SCORES, "budget": 4, "seed": 0}),
    "k_center": (baselines.k_center, {"embeddings": X, "scores": None, "keep": 0.4, "metric": "cosine"}),
    "facility_location": (
        baselines.facility_location,
        {"embeddings": X, "budget": 4, "optimizer": "lazy", "epsilon": None, "seed": None},
    ),
    "hardest": (baselines.hardest, {"embeddings": None, "scores": SCORES, "budget": 4}),
    "ForwardMessagePassing": (
        ForwardMessagePassing,
        {"gamma": 1.0, "kernel": "rbf", "update": "sum", "hops": 1},
    ),
    "a layer": (
        layer,
        {"score": torch.ones(N), "edge_index": GRAPH.edge_index, "distance": GRAPH.edge_attr.float()},
    ),
    "WeightedReverse": (WeightedReverse, {"gamma": 1.0, "kernel": "rbf"}),
    "check_claims": (check_claims, {"reverse": WeightedReverse(), "distance": torch.rand(5)}),
    "EmbeddingKNNGraph": (
        knn_transform,
        {
            "data": NODES,
            "k": 2,
            "metric": "euclidean",
            "attr": "x",
            "labels": "y",
            "edge_index": "edge_index",
            "edge_attr": "edge_attr",
            "node_type": None,
        },
    ),
    "PropagateDifficulty": (
        propagate,
        {
            "data": NODES,
            "gamma_forward": 1.0,
            "kernel": "rbf",
            "scale": "median",
            "update": "sum",
            "flow": "both",
            "forward": "weighted",
            "scores": "score",
            "out": "difficulty",
            "edge_index": "edge_index",
            "edge_attr": "edge_attr",
            "node_type": None,
        },
    ),
    "D2Prune": (
        prune,
        {
            "data": NODES,
            "budget": 2,
            "attr": "x",
            "scores": "score",
            "labels": "y",
            "mask": "mask",
            "graph": False,
            "edge_index": "edge_index",
            "edge_attr": "edge_attr",
            "node_type": None,
            "k": 2,
        },
    ),
}


def attempt(what, function, *values, **arguments):
    """Runs it; an error has to be a TypeError or ValueError that d2pyg itself raises, and short."""
    try:
        function(*values, **arguments)
    except Exception as error:
        ours = isinstance(error, TypeError | ValueError) and str(error).startswith("Expected ")
        if not ours or len(str(error)) > 420:
            pytest.fail(f"{what}: {type(error).__name__}: {error}")


@pytest.mark.filterwarnings("ignore:The (budget|cutoff)")
@pytest.mark.parametrize("name", CALLS)
def test_wrong_kinds(name):
    function, arguments = CALLS[name]
    for argument in arguments:
        for what, value in WRONG.items():
            attempt(f"{argument}={what}", function, **(arguments | {argument: value}))


@pytest.mark.filterwarnings("ignore:Unable to accurately infer")
@pytest.mark.parametrize("name", ["x", "y", "score", "mask", "edge_index", "edge_attr"])
def test_wrong_attributes_of_nodes(name):
    for what, value in WRONG.items():
        data = NODES.clone()
        data.num_nodes = N  # else PyG infers it from the attributes
        data[name] = value
        for transform in (
            transforms.EmbeddingKNNGraph(2, labels="y"),
            transforms.PropagateDifficulty(),
            transforms.D2Prune(budget=2, k=2, mask="mask"),
            transforms.D2Prune(budget=2, graph=True, labels=None),
        ):
            attempt(what, transform, data)


@pytest.mark.filterwarnings("ignore:Unable to accurately infer")
@pytest.mark.parametrize("name", ["edge_index", "edge_attr", "num_nodes", "k", "metric", "backend"])
def test_wrong_attributes_of_graphs(name):
    for what, value in WRONG.items():
        if name == "num_nodes" and what == "sparse":
            continue  # an error of PyG
        graph = GRAPH.clone()
        graph[name] = value
        attempt(what, d2pyg.select, graph, SCORES, budget=2)
        attempt(what, d2pyg.greedy_select, SCORES, graph, 2)


KEPT = ["edge_index", "edge_attr", "num_nodes", "k", "metric", "backend", "metric_state", "group"]


@pytest.mark.filterwarnings("ignore:Unable to accurately infer")
@pytest.mark.parametrize("name", [*KEPT, "group_names"])
def test_wrong_attributes_of_graphs_that_grow(name):
    for what, value in WRONG.items():
        if name == "num_nodes" and what == "sparse":
            continue  # an error of PyG
        for before in GRAPH, GROUPED:
            graph = before.clone()
            graph[name] = value
            batch = None if before is GRAPH else LABELS
            attempt(what, d2pyg.extend_graph, graph, X, X, batch)
            attempt(what, d2pyg.shrink_graph, graph, X, [1, 2, 3])
