"""The numerical tests as other processors would run them: python tests/processors.py (make test-processors).

Which instructions torch, MKL and OpenBLAS use, and how many threads, decides the last bit of products and
sums. Each setting is a run of its own. The last one goes further than any processor: every product is off
by one unit in the last place.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = [
    "tests/graph",
    "tests/greedy",
    "tests/nn",
    "tests/test_golden.py",
    "tests/graph/test_kmeans.py",
    "tests/test_metrics.py",
    "tests/test_accuracy.py::TestImages",
    "d2pyg/graph",
    "d2pyg/nn",
    "d2pyg/baselines",
]
EXACT = [  # whose results may not depend on a product at all
    "tests/graph/test_knn.py",
    "tests/graph/test_knn_op.py",
    "tests/graph/test_metric.py",
    "tests/graph/test_kmeans.py",
    "tests/test_golden.py",
    "tests/test_metrics.py",
]
SETTINGS = [
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2"},
    {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    {"MKL_ENABLE_INSTRUCTIONS": "AVX512"},
    {"OPENBLAS_CORETYPE": "Nehalem"},
    {"OPENBLAS_CORETYPE": "Haswell"},
    {"OPENBLAS_CORETYPE": "SkylakeX"},
    {"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"},
    {"D2PYG_PERTURBED_PRODUCTS": "1"},
]


def can_run(setting):
    """Whether this processor has the instructions."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    wide = {"AVX512", "SkylakeX"} & set(setting.values())
    return not wide or "avx512f" in flags


def run(setting):
    """The exit status of the tests, and what they printed."""
    processes = "0" if "OMP_NUM_THREADS" in setting else "2"  # as many threads as cores, and no more
    tests = EXACT if "D2PYG_PERTURBED_PRODUCTS" in setting else TESTS
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", processes, "-p", "no:cacheprovider", *tests],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", **setting}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout


def main():
    failed = []
    for setting in SETTINGS:
        name = " ".join(f"{key}={value}" for key, value in setting.items())
        if not can_run(setting):
            print(f"{name}: not on this processor", flush=True)
            continue
        started = time.perf_counter()
        status, printed = run(setting)
        last = printed.strip().rpartition("\n")[2]
        print(f"{name}: {last} ({time.perf_counter() - started:.0f} s)", flush=True)
        if status:
            failed.append(name)
            print(printed, flush=True)
    if failed:
        sys.exit(f"failed under {', '.join(failed)}")


if __name__ == "__main__":
    main()
