"""The numerical tests again, as on other processors: one setting at a time, each in a process of its own.

Libraries choose their code by the processor, and last bits with it. Environment variables make them
choose as if there were another. Run it with ``make test-processors``; it prints a line a setting.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETTINGS = [
    {},
    {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},  # passive, as there are two processes
    {"ATEN_CPU_CAPABILITY": "default"},  # torch's own loops
    {"ATEN_CPU_CAPABILITY": "avx2"},
    {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},  # its products, on Intel's processors
    {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    {"MKL_ENABLE_INSTRUCTIONS": "AVX512"},
    {"MKL_CBWR": "COMPATIBLE"},  # the same, on all
    {"MKL_CBWR": "AVX2"},
    {"OPENBLAS_CORETYPE": "Nehalem"},  # the products of NumPy and faiss
    {"OPENBLAS_CORETYPE": "Haswell"},
    {"OPENBLAS_CORETYPE": "SkylakeX"},
    {"D2PYG_PERTURB": "0"},  # see perturbed.py
]
TESTS = [
    "d2pyg", "tests/baselines", "tests/graph",
    "tests/greedy", "tests/nn", "tests/scores", "tests/test_accuracy.py",
    "tests/data/test_embedding.py", "tests/selection/test_forward_layers.py", "tests/selection/test_repeat.py",
    "tests/test_golden.py", "tests/test_metrics.py",
]  # fmt: skip
NOT_NUMERICAL = "not (compile or damaged or distributed or lightning or memory or spawned)"

FINGERPRINT = """
import hashlib, warnings
warnings.simplefilter("ignore")
import numpy as np, torch
x = np.random.default_rng(0).normal(size=(300, 65))
y, z = torch.as_tensor(x), torch.as_tensor(x).float()
made = [x.T @ x, y.T @ y, z @ z.T, y.exp(), z.softmax(1), y.norm(dim=1), y.sum(0), torch.linalg.cholesky(y.T @ y)]
made += [torch.conv2d(z.view(4, 3, 65, 25), z[:24, :27].reshape(8, 3, 9, 3))]
print(hashlib.sha256(b"".join(np.ascontiguousarray(m).tobytes() for m in made)).hexdigest())
"""


def main() -> str | None:
    """What failed; none if nothing did."""
    seen: dict[str, str] = {}
    failed = []
    for setting in SETTINGS:
        name = " ".join(f"{key}={value}" for key, value in setting.items()) or "as it is"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **setting}
        print(f"{name:<44}", end="", flush=True)
        if "D2PYG_PERTURB" not in setting:
            bits = run(["-c", FINGERPRINT], environment)
            if bits.returncode:
                print("cannot run here")
                continue
            same = seen.setdefault(bits.stdout, name)
            if same != name and "OMP_NUM_THREADS" not in setting:
                print(f"the same bits as {same}")
                continue
        started = time.monotonic()
        tests = ["-m", "pytest", "-n", "2", "-k", NOT_NUMERICAL, *TESTS]
        done = run(tests, environment)
        counts = re.findall(r"\d+ (?:passed|failed|error)", done.stdout)
        print(f"{', '.join(counts) or 'stopped'} in {time.monotonic() - started:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stdout[-20_000:], done.stderr[-2000:], sep="\n", flush=True)
    return f"Failed: {', '.join(failed)}" if failed else None


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
