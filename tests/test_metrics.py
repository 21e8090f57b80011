"""Measures of a coreset against slow loops."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import metrics
from d2pyg.graph import CosineMetric

RNG = np.random.default_rng(5)
BLOBS = RNG.normal(0, 5, (6, 12))[RNG.integers(0, 6, 400)] + RNG.normal(size=(400, 12))
DATA = {
    "float16": BLOBS.astype(np.float16),
    "float32": BLOBS.astype(np.float32),
    "float64, far from the origin": 1e6 + 1e-4 * BLOBS,
    "float32, far from the origin": (1e4 + BLOBS).astype(np.float32),
    "an outlier": np.concatenate([BLOBS, [[1e7] * 12]]).astype(np.float32),
    "tiny": 1e-30 * BLOBS,
    "huge": 1e100 * BLOBS,
    "tight clusters": np.repeat(BLOBS[:7], 50, axis=0) + 1e-9 * RNG.normal(size=(350, 12)),
    "duplicates": np.repeat(BLOBS[:100], 3, axis=0).astype(np.float32),
    "constant": np.ones((300, 5), np.float32),
    "ties": RNG.integers(0, 3, (400, 3)).astype(np.float32),
    "one dimension": BLOBS[:, :1].astype(np.float32),
    "not contiguous": BLOBS.astype(np.float32)[::-2, 1::3],
}


def euclidean(x, y):
    return math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True)))


def cosine(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    if not x.any() or not y.any():
        return 1.0
    return 0.5 * np.square(x / np.linalg.norm(x) - y / np.linalg.norm(y)).sum()


def nearest(x, kept, rows, distance=euclidean):
    """The distance of each row to the nearest kept one that is not itself."""
    return [min(distance(x[i], x[j]) for j in kept if j != i) for i in rows]


@pytest.mark.parametrize("name", DATA)
def test_distances_equal_loops(name, device, rng):
    x = DATA[name]
    kept = rng.permutation(len(x))[:40]
    rest = np.setdiff1d(np.arange(len(x)), kept)
    given = torch.as_tensor(x.copy(), device=device)
    expected = nearest(x, kept, rest)
    same = {"rel": 1e-12, "abs": 0}
    assert metrics.coverage_radius(given, kept) == pytest.approx(max(expected), **same)
    assert metrics.aucpr(given, kept) == pytest.approx(np.mean(expected), **same)
    inside = nearest(x, kept, kept)
    threshold = sorted(inside)[20] * (1 + 1e-9) or 1e-9
    share = np.mean([d < threshold for d in inside])
    assert metrics.near_duplicates(given, kept, threshold) == share


def test_cosine_and_a_metric_of_ones_own(rng):
    x = rng.normal(size=(60, 5)) + 3
    x[[4, 9]] = 0
    kept, rest = [4, *range(10, 20)], [*range(4), *range(5, 10), *range(20, 60)]
    expected = nearest(x, kept, rest, cosine)
    for metric in "cosine", CosineMetric():
        assert metrics.coverage_radius(x, kept, metric) == pytest.approx(max(expected), rel=1e-12)
        assert metrics.aucpr(x, kept, metric) == pytest.approx(np.mean(expected), rel=1e-12)
    inside = nearest(x, kept, kept, cosine)
    share = np.mean([d < 0.05 for d in inside])
    assert 0 < share < 1
    assert metrics.near_duplicates(x, kept, 0.05, metric="cosine") == share


@pytest.mark.parametrize("memory", [1, 10_000])
def test_chunks_change_nothing(memory, rng, monkeypatch):
    x = np.concatenate([DATA["ties"], rng.integers(0, 3, (50, 3))]).astype(np.float32)
    x += rng.integers(0, 2, x.shape) * 1e-6
    kept = rng.permutation(len(x))[:50]
    whole = metrics.coverage_radius(x, kept), metrics.aucpr(x, kept)
    monkeypatch.setattr("d2pyg.graph.points.search_bytes", lambda device: memory)
    monkeypatch.setattr("d2pyg.graph.points._CHUNK_ELEMENTS", {"cpu": 7})
    assert (metrics.coverage_radius(x, kept), metrics.aucpr(x, kept)) == whole


def test_held_out_samples(rng):
    x, other = rng.normal(size=(80, 4)).astype(np.float32), rng.normal(size=(30, 4))
    kept = rng.permutation(80)[:9]
    expected = np.mean([min(euclidean(y, x[j]) for j in kept) for y in other])
    assert metrics.aucpr(x, kept, held_out=other) == pytest.approx(expected, rel=1e-12)
    assert metrics.aucpr(x, kept, held_out=x[kept]) == 0


def test_memory_mapped(tmp_path, rng):
    x = rng.normal(size=(90, 4)).astype(np.float16)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    kept = torch.tensor([4, 7, 70])
    assert metrics.coverage_radius(mapped, kept) == metrics.coverage_radius(x, kept)
    assert metrics.aucpr(mapped, kept, held_out=mapped) == metrics.aucpr(x, kept, held_out=x)
    assert metrics.near_duplicates(mapped, kept, 1.0) == metrics.near_duplicates(x, kept, 1.0)


def test_all_kept_and_one_kept(rng):
    x = rng.normal(size=(20, 3))
    assert metrics.coverage_radius(x, range(20)) == metrics.aucpr(x, range(20)) == 0
    others = [i for i in range(20) if i != 3]
    assert metrics.coverage_radius(x, [3]) == pytest.approx(max(nearest(x, [3], others)), rel=1e-12)
    assert metrics.near_duplicates(x, [3], 100.0) == 0
    assert metrics.near_duplicates(x, range(20), 100.0) == 1


def entropy(shares):
    return -sum(p * math.log(p) for p in shares if p)


@pytest.mark.parametrize("bins", [1, 7, 50])
@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_score_entropy_equals_a_histogram(bins, unit, rng):
    scores = rng.normal(size=300)
    kept = rng.permutation(300)[:60]
    counts = np.histogram(scores[kept], bins, (scores.min(), scores.max()))[0]
    found = metrics.score_entropy(scores * unit * 2.0**20, kept, bins)
    assert found == pytest.approx(entropy(counts / 60), rel=1e-12)
    assert isinstance(found, float)


def test_score_entropy_at_the_edges():
    last_holds_two = [1 / 101] * 99 + [2 / 101]
    assert metrics.score_entropy(range(101), bins=100) == pytest.approx(entropy(last_holds_two))
    assert metrics.score_entropy([3, 3, 3]) == 0
    assert metrics.score_entropy([-1e308, 1e308, 1e308, -1e308]) == pytest.approx(math.log(2))
    assert metrics.score_entropy([0, 1, 2], index=[1]) == 0
    assert metrics.score_entropy(torch.arange(4).half(), bins=2) == pytest.approx(math.log(2))


def test_classes_equal_counts(rng):
    labels = rng.integers(5, 10, 200)
    kept = rng.permutation(200)[:50]
    count = Counter(labels[kept].tolist())
    assert metrics.class_counts(labels, kept) == {c: count[c] for c in range(5, 10)}
    expected = entropy([n / 50 for n in count.values()]) / math.log(5)
    assert metrics.class_balance(torch.as_tensor(labels), kept) == pytest.approx(expected, rel=1e-12)
    assert metrics.class_balance([7, 7], [0]) == 1


def test_overlap_equals_sets(rng):
    one, two = rng.permutation(100)[:60], torch.as_tensor(rng.permutation(100)[:30])
    assert metrics.overlap(one, two) == len({*one.tolist()} & {*two.tolist()}) / 30
    assert metrics.overlap(two, one) == metrics.overlap(one, two)
    assert metrics.overlap(one, one[:7]) == 1


def test_nothing_given_is_changed(rng):
    x, scores, kept = rng.normal(size=(30, 3)), rng.random(30), np.array([5, 2, 9])
    before = x.copy(), scores.copy(), kept.copy()
    metrics.coverage_radius(x, kept)
    metrics.aucpr(x, kept, held_out=x)
    metrics.near_duplicates(x, kept, 0.1)
    metrics.score_entropy(scores, kept)
    for now, then in zip((x, scores, kept), before, strict=True):
        np.testing.assert_array_equal(now, then)


X = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: metrics.coverage_radius(X, []), ValueError, r"'index' to hold at least one sample"),
        (lambda: metrics.coverage_radius(X, [4]), ValueError, r"'index' to lie in 0 to 3, the samples \(got 4\)"),
        (lambda: metrics.coverage_radius(X, [1, 1]), ValueError, r"'index' to name each sample once"),
        (lambda: metrics.coverage_radius(X, X[0] > 0), TypeError, r"For a mask, pass numpy.flatnonzero\(index\)"),
        (lambda: metrics.coverage_radius(X[0], [1]), ValueError, r"'embeddings' to have two dimensions"),
        (lambda: metrics.coverage_radius(X * np.nan, [1]), ValueError, r"'embeddings' to be finite"),
        (lambda: metrics.coverage_radius(X, [1], "l1"), ValueError, r"'metric' to be one of cosine, euclidean"),
        (lambda: metrics.aucpr(X, [1], held_out=X[:, :2]), ValueError, r"'held_out' to have 4 features.*\(got shape \(4, 2\)\)"),
        (lambda: metrics.aucpr(X, [1], held_out=X + np.inf), ValueError, r"'held_out' to be finite"),
        (lambda: metrics.aucpr(X, [1], held_out=[[1.0]]), ValueError, r"'held_out' to have 4 features"),
        (lambda: metrics.near_duplicates(X, [1], 0.0), ValueError, r"'threshold' to be above 0 \(got 0\)"),
        (lambda: metrics.near_duplicates(X, [1], "x"), TypeError, r"'threshold' to be a number"),
        (lambda: metrics.score_entropy([], bins=3), ValueError, r"'scores' to have at least one sample"),
        (lambda: metrics.score_entropy([1, np.nan]), ValueError, r"'scores' to be finite"),
        (lambda: metrics.score_entropy(X), ValueError, r"'scores' to have one value for each"),
        (lambda: metrics.score_entropy([1, 2], bins=0), ValueError, r"'bins' to be between 1 and 1000000 \(got 0\)"),
        (lambda: metrics.score_entropy([1, 2], bins=10**12), ValueError, r"'bins' to be between 1 and 1000000"),
        (lambda: metrics.score_entropy([1, 2], index=[2]), ValueError, r"'index' to lie in 0 to 1"),
        (lambda: metrics.class_balance([0.5, 1], [0]), TypeError, r"'labels' to be integers"),
        (lambda: metrics.class_counts([[1, 2]], [0]), ValueError, r"'labels' to have one value"),
        (lambda: metrics.overlap([], [1]), ValueError, r"'one' to hold at least one sample"),
        (lambda: metrics.overlap([1], [-1]), ValueError, r"'two' to be at least 0 \(got -1\)"),
        (lambda: metrics.overlap([1], [2, 2]), ValueError, r"'two' to name each sample once"),
    ],
)  # fmt: skip
def test_refuses(call, error, match):
    with pytest.raises(error, match=match):
        call()


def test_of_a_coreset(rng):
    x, scores, labels = rng.normal(size=(100, 4)), rng.random(100), rng.integers(0, 4, 100)
    coreset = d2pyg.select(x, scores, keep=0.3, labels=labels)
    values = [
        metrics.coverage_radius(x, coreset.index),
        metrics.aucpr(x, coreset.index),
        metrics.near_duplicates(x, coreset.index, 0.5),
        metrics.score_entropy(scores, coreset.index),
        metrics.class_balance(labels, coreset.index),
        metrics.overlap(coreset.index, coreset.index[:5]),
    ]
    assert all(type(value) is float for value in values)


@pytest.mark.parametrize("scale", [2.0**490, 2.0**-490, 2.0**600, 2.0**-600])
def test_embeddings_of_any_size_scale_distances_or_are_refused(scale, rng):
    """No distance is infinite, or 0 where samples differ; cosines stay as they are."""
    x, kept = rng.normal(size=(30, 3)), [0, 5, 9, 20]
    for measure in (
        metrics.coverage_radius,
        metrics.aucpr,
        lambda x, kept: metrics.aucpr(x, kept, held_out=x[10:20]),
    ):
        if 2.0**-500 < scale < 2.0**500:
            assert measure(x * scale, kept) == pytest.approx(measure(x, kept) * scale, rel=1e-12)
        else:
            with pytest.raises(ValueError, match="'embeddings' to differ by 1e-150 to 1e150"):
                measure(x * scale, kept)
    for measure in metrics.coverage_radius, metrics.aucpr:
        assert measure(x * scale, kept, "cosine") == pytest.approx(measure(x, kept, "cosine"), rel=1e-12)


def test_many_bins():
    assert metrics.score_entropy([0.0, 1.0, 2.0], bins=10**6) == pytest.approx(math.log(3))
    for bins in 10**30, 2**63, True, 1.5, None, 0:
        with pytest.raises((ValueError, TypeError), match="'bins' to be "):
            metrics.score_entropy([0.0, 1.0, 2.0], bins=bins)
