"""What bad input gets from select: an error that names argument, rule, value and remedy."""

import numpy as np
import pytest
import torch

import d2pyg

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


def spoiled(rows, value):
    x = X.copy()
    x[rows, 1] = value
    return x


@pytest.mark.parametrize(
    ("embeddings", "error", "match"),
    [
        (spoiled([4, 7], np.nan), ValueError, r"finite \(got NaN or infinity in 2 of 10 rows, the first at row 4\)"),
        (spoiled([9], -np.inf), ValueError, r"in 1 of 10 rows, the first at row 9"),
        (X[:, 0], ValueError, r"'embeddings' to have two dimensions.*\(got shape \(10,\)\).*Reshape"),
        (X[:, :, None], ValueError, r"two dimensions"),
        (X[:0], ValueError, r"at least one sample and one feature \(got shape \(0, 3\)\)"),
        (X[:, :0], ValueError, r"\(got shape \(10, 0\)\)"),
        (X.astype(int), TypeError, r"'embeddings' to be floating point of 16, 32 or 64 bits \(got torch.int64\)"),
        (X > 0, TypeError, r"'embeddings' to be floating point of 16, 32 or 64 bits \(got torch.bool\)"),
        (X.astype(object), TypeError, r"'embeddings' to hold numbers .*\(got dtype object\)"),
        (X.astype(np.longdouble), TypeError, r"at most 64 bits"),
        (X.astype(complex), TypeError, r"\(got dtype complex128\)"),
        (None, TypeError, r"'embeddings' to be a tensor, an array or a kNN graph \(got NoneType\)"),
        (torch.as_tensor(X).to(torch.float8_e4m3fn), TypeError, r"16, 32 or 64 bits \(got torch.float8_e4m3fn\)"),
        (torch.as_tensor(X).to_sparse(), TypeError, r"'embeddings' to be a dense tensor with data"),
        (torch.as_tensor(X).to("meta"), TypeError, r"'embeddings' to be a dense tensor .* on meta"),
        (torch.as_tensor(X).to(torch.complex64), TypeError, r"'embeddings' to be floating point"),
    ],
)  # fmt: skip
def test_embeddings(embeddings, error, match):
    with pytest.raises(error, match=match):
        d2pyg.select(embeddings, budget=3)


ONES = np.ones(10)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"scores": ONES[:9]}, ValueError, r"'scores' to have one value for each of the 10 samples \(got shape \(9,\)"),
        ({"scores": X}, ValueError, r"\(got shape \(10, 3\)\)"),
        ({"scores": ONES * np.nan}, ValueError, r"'scores' to be finite .* in 10 of 10 rows, the first at row 0"),
        ({"scores": [*ONES[:8], -2, -3]}, ValueError, r"'scores' to be at least 0.*\(got 2 negative, the first at row 8: -2\).*AUM"),
        ({"scores": ONES > 0}, TypeError, r"'scores' to be floats or integers \(got torch.bool\)"),
        ({"scores": list("abcdefghij")}, TypeError, r"'scores' to hold numbers"),
        ({"labels": ONES}, TypeError, r"'labels' to be integers \(got torch.float64\)"),
        ({"labels": ["a"] * 9}, ValueError, r"'labels' to have one value for each of the 10 samples"),
        ({"initial": {1, 2}}, TypeError, r"'initial' to be integer indices \(got set, which has no order\). Pass sorted\(initial\)"),
        ({"initial": ["a"]}, ValueError, r"'initial' to be indices, a mask or a coreset where samples have no names \(got 'a'\)"),
        ({"initial": ["x"], "ids": list("abcdefghij")}, ValueError, r"name samples that are among 'ids' \(got 1 of 1 .* 'x'\)"),
        ({"initial": [1, 2], "ids": range(9, -1, -1)}, ValueError, r"either indices or names, .*\(got 1, which is both\)"),
        ({"labels": [0, 1]}, ValueError, r"'labels' to have one value for each"),
        ({"initial": [10]}, ValueError, r"'initial' to lie in 0 to 9, the samples \(got 10\)"),
        ({"initial": [-1]}, ValueError, r"\(got -1\)"),
        ({"initial": [2, 2, 3]}, ValueError, r"'initial' to name each sample once \(got 1 repeated\)"),
        ({"initial": [0.5]}, TypeError, r"'initial' to be integer indices"),
        ({"initial": ONES[:9] > 0}, ValueError, r"'initial' to have one value for each of the 10 samples"),
        ({"initial": [[1], [2]]}, ValueError, r"'initial' to have one dimension"),
        ({"initial": range(8)}, ValueError, r"budget to be at most 2, what is left of 10 samples .* and 8 initial ones \(got 3\)"),
        ({"cutoff": 0.8}, ValueError, r"budget to be at most 2"),
        ({"cutoff": "some"}, ValueError, r"'cutoff' to be a fraction of the samples, such as 0.1, or 'auto' \(got 'some'\)"),
        ({"cutoff": None}, TypeError, r"'cutoff' to be a number"),
        ({"k": 10}, ValueError, r"'k' to be between 1 and 9"),
        ({"k": 0}, ValueError, r"\(got 0\)"),
        ({"gamma_forward": -1}, ValueError, r"at least 0 \(got -1\).*distant samples more than close ones"),
        ({"gamma_reverse": np.inf}, ValueError, r"'gamma_reverse' to be finite"),
        ({"scale": "mean"}, ValueError, r"'scale' to be one of median, local \(got 'mean'\)"),
        ({"scale": -1}, ValueError, r"'scale' to be above 0 \(got -1\)"),
        ({"kernel": "cubic"}, ValueError, r"'kernel' to be one of .*laplacian, rbf \(got 'cubic'\)"),
        ({"update": "max"}, ValueError, r"'update' to be one of sum, product"),
        ({"reverse": "x"}, ValueError, r"'reverse' to be one of absolute, weighted"),
        ({"balance": "even"}, ValueError, r"'balance' to be one of proportional, uniform"),
        ({"metric": "l1"}, ValueError, r"'metric' to be one of cosine, euclidean"),
        ({"backend": "x"}, ValueError, r"'backend' to be one of cells, faiss, pyg_lib, pynndescent, torch, torch_cluster"),
        ({"engine": "x"}, ValueError, r"'engine' to be one of heap, rounds, sequential"),
        ({"engine": X}, TypeError, r"'engine' to be a name or an object of that kind \(got ndarray"),
        ({"engine": lambda problem, bar: None}, TypeError, r"'engine' to give Picks \(got NoneType from <lambda>"),
        ({"metric": lambda: 3}, TypeError, r"'metric' to be a name, a d2pyg.graph.Metric .*\(got function <lambda>\)"),
        ({"metric": int}, TypeError, r"'metric' to be called as others of its kind|'metric' to be a name, a d2pyg"),
        ({"min_per_class": np.array(10**9)}, UserWarning, r"'min_per_class' = 1000000000"),
        ({"scores": [[1], [1, 2]]}, ValueError, r"'scores' to be an array of one shape"),
        ({"labels": [[1], [1, 2]]}, ValueError, r"'labels' to be an array of one shape"),
        ({"ids": [[1], [1, 2]]}, ValueError, r"'ids' to be an array of one shape"),
        ({"ids": np.arange(10, dtype=np.uint64) + 2**63}, ValueError, r"'ids' to be below 2\*\*63 .*astype\(str\)"),
        ({"scores": np.arange(10, dtype=np.uint64) + 2**63}, ValueError, r"'scores' to be below 2\*\*63"),
        ({"scores": np.full(10, 1e308)}, ValueError, r"scores after the forward pass to be finite .*Divide 'scores'"),
        ({"clamp": "no"}, TypeError, r"'clamp' to be True or False \(got str 'no'\)"),
        ({"flow": "in"}, ValueError, r"'flow' to be one of both, target_to_source, source_to_target"),
        ({"k": np.array([2, 3])}, TypeError, r"'k' to be a whole number"),
        ({"k": torch.tensor(2.5)}, TypeError, r"'k' to be a whole number"),
        ({"device": 3.5}, ValueError, r"'device' to be one that this torch can use"),
        ({"device": "meta"}, ValueError, r"'device' to be one that this torch can use"),
        ({"device": "cuda:99"}, ValueError, r"'device' to be one that this torch can use \(got 'cuda:99'\)"),
    ],
)  # fmt: skip
def test_other_arguments(options, error, match):
    with pytest.raises(error, match=match):
        d2pyg.select(X, **{"budget": 3, **options})


def test_arguments_that_a_graph_fixes():
    graph = d2pyg.knn_graph(X, 4)
    for name, value in ("metric", "euclidean"), ("backend", "torch"):
        with pytest.raises(ValueError, match=f"'{name}' to be left out with a graph"):
            d2pyg.select(graph, budget=3, **{name: value})
    with pytest.raises(ValueError, match=r"'k' to be between 1 and 4, the graph's own k \(got 5\)"):
        d2pyg.select(graph, budget=3, k=5)
    labels = np.arange(10) % 2
    across = sum(labels[i] != labels[j] for i, j in graph.edge_index.T.tolist())
    with pytest.raises(
        ValueError, match=rf"different labels \(got {across} of 40 edges\).*batch=labels"
    ):
        d2pyg.select(graph, budget=3, labels=labels)


def test_paths():
    graph, coreset = d2pyg.knn_graph(X, 4), d2pyg.select(X, budget=3)
    for path in b"a.pt", None, 3, ["a.pt"]:
        for run in (
            lambda path: d2pyg.save_graph(graph, path),
            d2pyg.load_graph,
            coreset.save,
            d2pyg.Coreset.load,
        ):
            with pytest.raises(
                TypeError, match=r"'path' to be a path \(got .*\). Pass a str or a pathlib"
            ):
                run(path)


def test_one_sample_has_no_neighbor():
    for run in (lambda: d2pyg.select(X[:1], budget=1, k=1)), (lambda: d2pyg.knn_graph(X[:1], 1)):
        with pytest.raises(ValueError, match=r"at least 2 samples.*\(got 1, and k 1\). Add samples"):
            run()


def test_legal_corner_cases():
    assert d2pyg.select(X[:1], budget=1).index.tolist() == [0]
    assert d2pyg.select(X[:2], keep=1.0).index.tolist() == [0, 1]
    assert d2pyg.select(X, ONES, budget=1, cutoff=0.9).index.tolist() == [9]
    alone = d2pyg.select(X, ONES, budget=10, labels=np.arange(10))  # ten classes of one
    assert alone.index.tolist() == list(range(10))
    assert alone.pick_scores.tolist() == [1.0] * 10
    assert alone.settings["scale_value"] == 1.0


@pytest.mark.parametrize("progress", [np.array([1, 2]), "no", 1, None])
def test_progress_is_a_flag(progress):
    with pytest.raises(TypeError, match="'progress' to be True or False"):
        d2pyg.knn_graph(torch.eye(3), 1, progress=progress)
