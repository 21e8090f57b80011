import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg._base.registry import choices, look_up
from d2pyg.graph import plan


@pytest.fixture
def free(monkeypatch):
    def free(count):
        monkeypatch.setattr(plan, "free_bytes", lambda device: count)

    return free


CPU = torch.device("cpu")


def test_a_quarter_of_what_the_graph_leaves(free):
    free(10**12)
    made = plan.plan(1_000_000, 10, CPU, None)
    assert made.memory == 0.25 * (10**12 - made.result)
    assert plan.plan(1_000_000, 10, CPU, 1e9).memory == 1e9
    # An edge and what it takes on the way: (neighbor, distance) twice, and once more as a graph.
    assert made.result >= 1_000_000 * 10 * (16 + 24)


def test_what_cannot_fit_is_refused_with_the_setting_that_would(free):
    free(10**9)
    with pytest.raises(ValueError, match=r"fit into the 1 GB .* k=20, .*\. k=11 would fit\.") as error:
        plan.plan(1_000_000, 20, CPU, None)
    assert "device" not in str(error.value)
    assert plan.plan(1_000_000, 11, CPU, None).result < 10**9
    with pytest.raises(ValueError, match="would fit"):
        plan.plan(1_000_000, 12, CPU, None)
    with pytest.raises(ValueError, match="k=1 would fit, or memory=268435456 would fit"):
        plan.plan(1_000_000, 5, CPU, 9e8)
    assert plan.plan(1_000_000, 5, CPU, 268435456).memory == 268435456
    with pytest.raises(ValueError, match=r"search\)\. k=6 would fit, or backend='torch' would fit\."):
        plan.plan(1_000_000, 10, CPU, None, "faiss", 300_000_000)
    assert plan.plan(1_000_000, 10, CPU, None).memory == 268435456
    with pytest.raises(ValueError, match="device='cpu' may have more"):
        plan.plan(1_000_000, 20, torch.device("cuda"), None)
    free(10**8)
    with pytest.raises(ValueError, match=r"to search\)\. Use fewer samples\."):
        plan.plan(1_000_000, 20, CPU, None)


def test_memory_has_a_floor():
    with pytest.raises(ValueError, match="'memory' to be at least 268435456 bytes"):
        d2pyg.knn_graph(np.eye(4), 1, memory=1000)
    with pytest.raises(TypeError, match="'memory' to be a number"):
        d2pyg.knn_graph(np.eye(4), 1, memory="4GB")


def test_what_a_backend_holds_comes_on_top_of_the_floor(free, monkeypatch):
    free(10**9)
    monkeypatch.setattr(plan, "_LEAST", 1000)
    match = (
        r"at least 1160 bytes, of which backend 'faiss' holds 160 \(got 1159\)\. Pass memory=1160, or"
    )
    with pytest.raises(ValueError, match=match):
        plan.plan(10, 1, CPU, 1159, "faiss", 160)
    made = plan.plan(10, 1, CPU, 1160, "faiss", 160)
    assert (made.memory, made.held) == (1160, 160)


def test_every_backend_says_what_it_holds():
    """A copy in float32 at least, of the largest group; torch has its tables in what is left."""
    held = {
        name: plan.bytes_held(look_up("backend", name), 1000, 64, 15, CPU) for name in choices("backend")
    }
    assert held.pop("torch") == 0
    assert held["faiss"] == 4 * 64 * 1000
    assert all(4 * 64 * 1000 <= held[name] < 10**8 for name in held)
    assert plan.bytes_held(lambda points, k, bar: None, 1000, 64, 15, CPU) == 0


def test_a_users_backend_has_what_it_holds_kept_for_it(monkeypatch, rng):
    seen = []

    def backend(points, k, bar):
        seen.append(points.beside)
        return look_up("backend", "torch")(points, k, bar)

    x = rng.normal(size=(30, 4))

    def build():
        d2pyg.knn_graph(x, 2, metric="cosine", backend=backend, memory=3e8, batch=np.arange(30) // 20)

    build()
    backend.held = lambda total, dim, k, device: total * dim * k
    build()
    # A zero vector has a coordinate of its own in the space of "cosine".
    assert [seen[0] - seen[2], seen[1] - seen[3]] == [20 * 5 * 2] * 2


def test_the_plan_is_logged(caplog, free):
    free(8 * 10**9)
    with caplog.at_level(logging.INFO, logger="d2pyg"):
        d2pyg.knn_graph(np.eye(4), 1)
    (message,) = caplog.messages
    assert message == (
        "kNN graph of 4 samples, 4 coordinates, k 1, EuclideanMetric(), torch on cpu: 128 operations; "
        "352 B for the graph, up to 2 GB to search, 8 GB free"
    )


@pytest.mark.parametrize(
    "text", ["DefaultCPUAllocator: can't allocate memory: you tried", "std::bad_alloc", None]
)
def test_memory_that_cannot_be_had_after_all(text, free):
    free(8 * 10**9)

    def backend(points, k, bar):
        raise MemoryError if text is None else RuntimeError(text)

    with pytest.raises(MemoryError, match=r"2 GB to search with.*\. Pass memory=999999956\."):
        d2pyg.knn_graph(np.eye(4), 1, backend=backend)
    with pytest.raises(MemoryError, match="Use fewer samples, or a smaller k"):
        d2pyg.knn_graph(np.eye(4), 1, backend=backend, memory=2**28)


def test_other_errors_pass(free):
    def backend(points, k, bar):
        raise RuntimeError("of another kind")

    with pytest.raises(RuntimeError, match="of another kind"):
        d2pyg.knn_graph(np.eye(4), 1, backend=backend)


PEAK = """
import sys, threading, time
import numpy as np, d2pyg

def anonymous():
    (line,) = (line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

samples, dim, backend, metric, memory = *map(int, sys.argv[1:3]), *sys.argv[3:5], int(sys.argv[5])
rng = np.random.default_rng(0)  # clusters of 8, so that the 5 nearest are easily told
x = rng.normal(size=(samples // 8, dim)).repeat(8, axis=0).astype("float16")
x += rng.normal(size=(1, dim)).astype("float16") * np.linspace(0, 0.1, len(x), dtype="float16")[:, None]
d2pyg.knn_graph(x[:64], 5, metric=metric, backend=backend)  # all is imported, and threads have started
before, peaks, done = anonymous(), [0], threading.Event()

def watch():
    while not done.wait(0.002):
        peaks.append(anonymous())

thread = threading.Thread(target=watch)
thread.start()
d2pyg.knn_graph(x, 5, metric=metric, backend=backend, memory=memory)
done.set()
thread.join()
print(max(peaks) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak")
@pytest.mark.parametrize(
    ("samples", "dim", "backend", "metric", "held"),
    [
        (2400, 20_000, "faiss", "euclidean", 4 * 2400 * 20_000),
        (3200, 12_000, "torch", "cosine", 0),
    ],
)
def test_the_memory_promised_is_kept(samples, dim, backend, metric, held):
    """Wide samples and copies of backends once took several times as much."""
    pytest.importorskip(backend)
    memory = 2**28 + held
    arguments = map(str, (samples, dim, backend, metric, memory))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PEAK, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 1.2 * (memory + plan.plan(samples, 5, CPU, None).result)
