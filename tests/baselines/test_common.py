"""What holds for every method: budgets, classes, nesting, errors, and the same Coreset."""

import inspect

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import baselines
from d2pyg._base.registry import choices, look_up

TOTAL = 80
METHODS = [
    "ccs", "dual", "easiest", "facility_location", "graph_cut", "hardest", "k_center", "moderate",
    "prototypes", "random", "semdedup", "window",
]  # fmt: skip
BY_SCORE = ["ccs", "dual", "easiest", "hardest", "window"]
NESTED = [name for name in METHODS if name != "dual"]
RESUMED = [name for name in METHODS if name not in ("dual", "semdedup", "window")]
CUT = [name for name in METHODS if name != "window"]
WITH_SPACE = ["k_center", "moderate"]
ON_GRAPHS = ["facility_location", "graph_cut"]


@pytest.fixture
def data(rng):
    x = rng.normal(size=(TOTAL, 4)).astype(np.float32)
    x[60:] = x[:20]  # duplicates
    scores = rng.integers(0, 12, TOTAL)
    labels = np.repeat([7, 1, 3], [50, 25, 5])
    return x, scores, labels, rng.random(TOTAL)


def run(name, data, **options):
    x, scores, _, confidence = data
    if name == "dual":
        options["confidence"] = confidence
    return getattr(baselines, name)(x, scores, **options)


def test_registered_by_name():
    assert set(METHODS) == set(baselines.__all__)
    assert set(METHODS) | {"d2"} <= set(choices("method"))
    for name in METHODS:
        assert look_up("method", name) is getattr(baselines, name)
    assert look_up("method", "d2") is d2pyg.select


@pytest.mark.parametrize("name", METHODS)
def test_the_signature_shows_the_shared_arguments(name):
    parameters = inspect.signature(getattr(baselines, name)).parameters
    assert list(parameters)[:2] == ["embeddings", "scores"]
    shared = ["keep", "prune", "budget", "labels", "balance", "min_per_class", "ids", "device"]
    of_select = inspect.signature(d2pyg.select).parameters
    for key in shared:
        assert parameters[key].default == of_select[key].default
        assert parameters[key].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", METHODS)
def test_budgets_and_what_is_returned(name, data, tmp_path):
    for given, kept in ({"keep": 0.3}, 24), ({"prune": 0.75}, 20), ({"budget": 80}, 80):
        coreset = run(name, data, **given)
        assert len(coreset) == len(coreset.index.unique()) == kept
    ids = [f"sample {i}" for i in range(TOTAL)]
    coreset = run(name, data, budget=11, ids=ids)
    assert coreset.index.dtype == torch.int64
    assert coreset.pick_scores.shape == (11,)
    assert coreset.pick_scores.dtype == coreset.scores.dtype == torch.float64
    assert coreset.pick_scores.isfinite().all()
    assert coreset.settings["method"] == name
    assert (coreset.settings["budget"], coreset.settings["keep"]) == (11, None)
    assert repr(coreset) == f"Coreset(11 of 80, method='{name}')"
    coreset.save(tmp_path / "coreset.json")
    again = d2pyg.Coreset.load(tmp_path / "coreset.json")
    assert again.index.equal(coreset.index)
    assert again.settings == coreset.settings
    assert again.ids.tolist() == ids


@pytest.mark.parametrize("name", CUT)
def test_the_cutoff_drops_the_hardest(name, data):
    scores = data[1]
    coreset = run(name, data, budget=60, cutoff=0.25)
    dropped = sorted(range(TOTAL), key=lambda i: (-scores[i], i))[:20]
    assert sorted(coreset.scores.isnan().nonzero().flatten().tolist()) == sorted(dropped)
    assert coreset.mask.nonzero().flatten().tolist() == sorted(set(range(TOTAL)) - set(dropped))
    left = ~coreset.scores.isnan()
    assert coreset.scores[left].tolist() == scores[left.numpy()].tolist()
    assert coreset.settings["num_dropped"] == 20


@pytest.mark.parametrize("balance", ["proportional", "uniform"])
@pytest.mark.parametrize("name", METHODS)
def test_classes_get_the_seats_that_select_gives_them(name, data, balance):
    x, scores, labels, _ = data
    options = {"labels": labels, "balance": balance, "min_per_class": 2, "budget": 33}
    coreset = run(name, data, **options)
    assert labels[coreset.index].tolist() == labels[d2pyg.select(x, scores, **options).index].tolist()


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("name", NESTED)
def test_first_picks_are_the_smaller_coreset(name, data, classes):
    options = {"labels": data[2]} if classes else {}
    if name in CUT:
        options["cutoff"] = 0.1
    whole = run(name, data, budget=40, **options)
    for budget in range(1, 41, 3):
        part = run(name, data, budget=budget, **options)
        assert part.index.tolist() == whole.index[:budget].tolist()
        assert part.pick_scores.tolist() == whole.pick_scores[:budget].tolist()


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("done", [1, 13, 39])
@pytest.mark.parametrize("name", RESUMED)
def test_resuming_gives_the_rest(name, data, done, classes):
    options = {"labels": data[2]} if classes else {}
    whole = run(name, data, budget=40, **options)
    chosen = whole.index[:done].flip(0)  # its order plays no part
    rest = run(name, data, budget=40 - done, initial=chosen, **options)
    assert rest.index.tolist() == whole.index[done:].tolist()
    assert rest.settings["initial"] == chosen.tolist()
    part = run(name, data, budget=done, **options)
    for initial in part, part.mask:
        again = run(name, data, budget=40 - done, initial=initial, **options)
        assert again.index.equal(rest.index)
    if name != "k_center" or classes is False:  # a class's first pick has its distance to the mean
        assert rest.pick_scores.tolist() == whole.pick_scores[done:].tolist()


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_decides_and_nothing_else(name, data):
    state = torch.get_rng_state()
    options = {"optimizer": "stochastic"} if name == "facility_location" else {}
    one, two = run(name, data, budget=30, **options), run(name, data, budget=30, **options)
    assert one.index.equal(two.index)
    assert torch.get_rng_state().equal(state)
    if "seed" in inspect.signature(getattr(baselines, name)).parameters:
        others = [run(name, data, budget=30, seed=seed, **options) for seed in (1, 2, 3)]
        assert any(not other.index.equal(one.index) for other in others)


@pytest.mark.parametrize("name", METHODS)
def test_device_runs_alike(name, data, device):
    x, scores, labels, _ = data
    here = run(name, data, budget=30, labels=labels)
    moved = (torch.as_tensor(x, device=device), torch.as_tensor(scores, device=device), *data[2:])
    there = run(name, moved, budget=30, labels=labels)
    assert there.index.device.type == device.type
    assert there.index.tolist() == here.index.tolist()
    np.testing.assert_allclose(there.pick_scores.cpu(), here.pick_scores, rtol=1e-9, atol=1e-12)
    asked = run(name, data, budget=30, labels=labels, device=device)
    assert asked.index.device.type == "cpu"
    assert asked.index.tolist() == here.index.tolist()


@pytest.mark.parametrize("name", ["random", *BY_SCORE])
def test_embeddings_are_not_needed(name, data):
    without = run(name, (None, *data[1:]), budget=30)
    assert without.index.equal(run(name, data, budget=30).index)


@pytest.mark.parametrize("name", METHODS)
def test_inputs_stay_unmodified(name, data):
    copies = [values.copy() for values in data]
    run(name, data, budget=20, labels=data[2])
    assert all((a == b).all() for a, b in zip(data, copies, strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_small_cases(name, data):
    few = tuple(values[:1] for values in data)
    assert run(name, few, budget=1).index.tolist() == [0]
    alone = run(name, tuple(v[:5] for v in data), budget=5, labels=np.arange(5))
    assert alone.index.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", [*WITH_SPACE, *ON_GRAPHS])
def test_metric(name, data):
    x = np.float64(data[0])
    other = run(name, data, budget=30, metric="cosine").settings
    assert other["metric"] == "cosine"
    joined = d2pyg.graph.Joined([x[:, :2], x[:, 2:]], scale=None)
    both = run(name, (joined, *data[1:]), budget=30)
    assert both.index.tolist() == run(name, (x, *data[1:]), budget=30).index.tolist()


@pytest.mark.parametrize("name", BY_SCORE)
def test_scores_that_are_needed(name, data):
    with pytest.raises(ValueError, match=rf"'scores' for {name}, .*\(got None\). Pass one number"):
        run(name, (data[0], None, *data[2:]), budget=3)


@pytest.mark.parametrize("name", [name for name in CUT if name not in BY_SCORE])
def test_a_cutoff_needs_scores(name, data):
    with pytest.raises(ValueError, match=r"'scores' with a 'cutoff'.*\(got None and cutoff 0.1\)"):
        run(name, (data[0], None, *data[2:]), budget=3, cutoff=0.1)


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("random", {"budget": 3, "bugdet": 2}, TypeError, r"arguments that this method has \(got 'bugdet'\).*All methods also take keep,"),
        ("random", {}, ValueError, "exactly one of 'keep'"),
        ("random", {"budget": 81}, ValueError, "'budget' to be between 1 and 80"),
        ("random", {"budget": 3, "seed": -1}, ValueError, r"'seed' to be between 0 and \d+ \(got -1\)"),
        ("random", {"budget": 3, "seed": 0.5}, TypeError, "'seed' to be a whole number"),
        ("ccs", {"budget": 3, "strata": 0}, ValueError, r"'strata' to be at least 1 \(got 0\)"),
        ("window", {"budget": 3, "start": 1}, ValueError, r"'start' to be at least 0 and below 1 \(got 1\)"),
        ("window", {"budget": 3, "start": "a"}, TypeError, r"'start' to be a number"),
        ("window", {"budget": 60, "start": 0.5}, ValueError, r"budget to be at most 40"),
        ("window", {"budget": 60, "cutoff": 0.5}, TypeError, r"this method has \(got 'cutoff'\)"),
        ("dual", {"budget": 3, "c_d": 0}, ValueError, r"'c_d' to be above 0 \(got 0\)"),
        ("graph_cut", {"budget": 3, "tradeoff": -1}, ValueError, r"'tradeoff' to be at least 0 \(got -1\)"),
        ("graph_cut", {"budget": 3, "k": 80}, ValueError, r"'k' to be between 1 and 79"),
        ("facility_location", {"budget": 3, "gamma": -1}, ValueError, r"'gamma' to be at least 0"),
        ("facility_location", {"budget": 3, "kernel": "x"}, ValueError, r"'kernel' to be one of"),
        ("facility_location", {"budget": 3, "optimizer": "x"}, ValueError, r"'optimizer' to be one of lazy, stochastic \(got 'x'\)"),
        ("facility_location", {"budget": 3, "seed": 0}, ValueError, r"'seed' to be left out with optimizer 'lazy', .*\(got 0\)"),
        ("facility_location", {"budget": 3, "epsilon": 0.1}, ValueError, r"'epsilon' to be left out with optimizer 'lazy'"),
        ("facility_location", {"budget": 3, "optimizer": "stochastic", "epsilon": 1}, ValueError, r"'epsilon' to be above 0 and below 1 \(got 1\)"),
        ("facility_location", {"budget": 3, "optimizer": "stochastic", "epsilon": "a"}, TypeError, r"'epsilon' to be a number"),
        ("facility_location", {"budget": 3, "optimizer": "stochastic", "seed": -1}, ValueError, r"'seed' to be between 0 and \d+ \(got -1\)"),
        ("prototypes", {"budget": 3, "clusters": 81}, ValueError, r"'clusters' to be between 1 and 80, the number of samples after the cutoff \(got 81\)"),
        ("prototypes", {"budget": 3, "which_to_keep": "x"}, ValueError, r"'which_to_keep' to be one of hard, easy \(got 'x'\)"),
        ("semdedup", {"budget": 3, "which_to_keep": "x"}, ValueError, r"'which_to_keep' to be one of hard, easy \(got 'x'\)"),
        ("semdedup", {"budget": 3, "clusters": 0}, ValueError, r"'clusters' to be between 1 and 80"),
    ],
)  # fmt: skip
def test_refuses(name, options, error, match, data):
    with pytest.raises(error, match=match):
        run(name, data, **options)


@pytest.mark.parametrize("name", WITH_SPACE)
def test_metrics_that_are_no_map(name, data):
    with pytest.raises(ValueError, match=r"'metric' to be one that maps samples .*InnerProduct"):
        run(name, data, budget=3, metric="inner_product")


@pytest.mark.parametrize("name", ON_GRAPHS)
def test_metrics_that_are_no_distance(name, data):
    with pytest.raises(ValueError, match=r"'metric' to be a distance.*InnerProduct"):
        run(name, data, budget=3, metric="inner_product")
    products = d2pyg.knn_graph(data[0], 3, metric="inner_product")
    with pytest.raises(ValueError, match=r"'metric' to be a distance.*InnerProduct"):
        run(name, (products, *data[1:]), budget=3)


def test_kernels_that_are_no_similarity(data):
    class Steep(d2pyg.nn.Kernel):
        def weight(self, distance, gamma):
            return 1.5 - distance

    for name in ("facility_location", "graph_cut"):
        with pytest.raises(ValueError, match=r"weights of the kernel Steep\(\) to lie in 0 to 1"):
            run(name, data, budget=3, kernel=Steep())


def test_the_number_of_samples_has_to_come_from_somewhere():
    with pytest.raises(ValueError, match=r"'embeddings', 'scores' or 'labels'.*\(got none\)"):
        baselines.random(budget=3)
    assert len(baselines.random(labels=[1, 2, 1, 2], keep=0.5).scores) == 4


def test_confidence(data):
    for confidence, match in [
        ([0.5] * 3, "'confidence' to have one value for each of the 80"),
        ([np.nan] * TOTAL, "'confidence' to be finite"),
        ([1.5] * TOTAL, r"'confidence' to lie in 0 to 1.*\(got 1.5\)"),
        ([-1] * TOTAL, r"\(got -1\). Pass probabilities"),
    ]:
        with pytest.raises(ValueError, match=match):
            baselines.dual(None, data[1], confidence=confidence, budget=3)
