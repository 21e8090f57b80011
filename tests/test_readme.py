"""Every code block of the README and of CONTRIBUTING is executed, in order."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from code_blocks import code_blocks

ROOT = Path(__file__).parent.parent
KINDS = {"bash", "python", "text", "bibtex"}

pytest.importorskip("sklearn")


def environment(code, folder):
    """For a command: make uses this environment, in short; pip installs into an empty one, without
    what the package needs. (What make sets up on a fresh machine is CI's to try.)"""
    bin_folder = folder / "venv" / "bin" if code.startswith("pip") else Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]),
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "DEMO_FLAGS": f"--seeds 1 --out {folder}/demo-output",
        "PYTEST_ADDOPTS": "--collect-only",
        "PIP_NO_DEPS": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_code_blocks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-m", "venv", "venv"], check=True)
    x = np.random.default_rng(0).normal(size=(1797, 4))
    np.save("embeddings.npy", x)
    np.save("scores.npy", np.abs(x[:, 0]))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"text": "..."}\n' * len(x)))
    names = {}
    printed = ""
    for language, code in code_blocks(ROOT / name):
        assert language in KINDS
        if language == "python":
            exec(compile(code, name, "exec"), names)
        elif language == "bash":
            of_the_checkout = code.startswith(("make", "pip"))
            done = subprocess.run(
                ["bash", "-euc", code],
                cwd=ROOT if of_the_checkout else tmp_path,
                env=environment(code, tmp_path),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            printed += done.stdout
    if name == "README.md":
        assert (tmp_path / "venv" / "bin" / "d2pyg").exists()
        assert len(names["coreset"]) == 539
        assert (tmp_path / "coreset.csv").stat().st_size > 10_000
        assert gzip.decompress((tmp_path / "few.jsonl.gz").read_bytes()).count(b"\n") == 539
        assert len((tmp_path / "delete.txt").read_text().splitlines()) == 1258
        assert (tmp_path / "demo-output" / "coreset.png").stat().st_size > 10_000
        # The demo's output in the README has the lines that it prints today, numbers apart.
        shown = next(code for language, code in code_blocks(ROOT / name) if language == "text")
        assert words(shown) == words(printed)[: len(words(shown))]


def words(text):
    lines = [re.sub(r"[\d.±%]+.*", "", line).rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Wrote", "/", "("))]
    start = next(i for i, line in enumerate(lines) if line.startswith("Digits"))
    return lines[start:]


def test_the_map_names_files_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`(d2pyg/[\w/.]+)`", readme):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (ROOT / path).exists(), path


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
