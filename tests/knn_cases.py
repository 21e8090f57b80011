"""Data that tempts a nearest-neighbor search to be wrong, and what is right."""

import numpy as np


def brute_force(x, k, distance=None):
    """Neighbors and distances [N, k], by (distance, index)."""
    x = np.asarray(x, dtype=np.float64)
    found = []
    for i in range(len(x)):
        d = np.sqrt(np.square(x - x[i]).sum(axis=1)) if distance is None else distance(x[i], x)
        d[i] = np.inf
        order = np.lexsort([np.arange(len(x)), d])[:k]
        found.append((order, d[order]))
    return np.array([o for o, _ in found]), np.array([d for _, d in found])


def matrices(graph, k):
    return graph.edge_index[0].view(-1, k).cpu().numpy(), graph.edge_attr.view(-1, k).cpu().numpy()


def data(name):
    rng = np.random.default_rng(7)
    blobs = rng.normal(0, 5, (8, 16))[rng.integers(0, 8, 700)] + rng.normal(size=(700, 16))
    return {
        "blobs": blobs.astype(np.float32),
        "float16": blobs.astype(np.float16),
        "float64, far from the origin": 1e6 + 1e-4 * blobs,
        "float32, far from the origin": (1e4 + blobs).astype(np.float32),
        "an outlier": np.concatenate([blobs, [[1e7] * 16]]).astype(np.float32),
        "tiny": (1e-30 * blobs).astype(np.float64),
        "huge": (1e100 * blobs).astype(np.float64),
        "tight clusters": np.repeat(rng.normal(size=(7, 4)), 100, axis=0)
        + 1e-9 * rng.normal(size=(700, 4)),
        "duplicates": np.repeat(blobs[:200], 3, axis=0).astype(np.float32),
        "many duplicates": np.concatenate([np.zeros((400, 16)), blobs[:300]]).astype(np.float32),
        "constant": np.ones((600, 5), np.float32),
        "one dimension": rng.normal(size=(600, 1)).astype(np.float16),
        "integers with ties": rng.integers(0, 3, (900, 3)).astype(np.float32),
        "not contiguous": blobs.astype(np.float32)[::2, 1::3],
        "two": np.array([[0.0], [1.0]]),
    }[name]


DATA = [
    "blobs", "float16", "float64, far from the origin", "float32, far from the origin",
    "an outlier", "tiny", "huge", "tight clusters", "duplicates", "many duplicates", "constant",
    "one dimension", "integers with ties", "not contiguous", "two",
]  # fmt: skip
