"""The package as installed: quiet, light, and the same names for users who extend it."""

import re
import runpy
import subprocess
import sys
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

import d2pyg
from d2pyg._base.registry import choices, look_up
from d2pyg.demo import digits


def test_import_is_quiet_and_changes_no_global_state():
    program = """
import random, sys, warnings
import numpy, torch, torch_geometric
def state():
    return (
        torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(),
        torch.initial_seed(), torch.get_rng_state().tolist(), torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(), numpy.geterr(), random.getstate(),
        [f[:3] for f in warnings.filters],
    )
before, there = state(), set(sys.modules)  # PyG brings what it finds installed
import d2pyg, d2pyg.cli, d2pyg.plot
assert state() == before
for package in (
    "faiss", "sklearn", "matplotlib", "pyarrow", "safetensors", "torch_cluster", "pandas", "datasets",
):
    assert package in there or package not in sys.modules, package
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_the_package_alone_imports_neither_torch_nor_numpy():
    program = """
import sys
import d2pyg
assert d2pyg.__version__ and sorted(dir(d2pyg)) == sorted(d2pyg.__all__)
assert not {"torch", "torch_geometric", "numpy", "numba"} & set(sys.modules)
from d2pyg.evaluate import sweeping  # a module that is imported on its own hides no public name
assert callable(d2pyg.sweep) and callable(d2pyg.compare) and callable(d2pyg.embed)
assert "k_center" in d2pyg._base.registry.choices("method")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    with pytest.raises(AttributeError, match="module 'd2pyg' has no attribute 'selekt'"):
        d2pyg.selekt  # noqa: B018


def test_what_is_installed_with_it():
    needs = [line for line in requires("d2pyg") if "extra ==" not in line]
    names = {re.match(r"[\w-]+", line).group() for line in needs}
    assert names == {"numba", "numpy", "psutil", "torch", "torch-geometric", "tqdm"}
    extras = set(metadata("d2pyg").get_all("Provides-Extra"))
    assert extras == {
        "ann",
        "bench",
        "cluster",
        "demo",
        "dev",
        "docs",
        "faiss",
        "io",
        "lance",
        "notebooks",
        "pandas",
        "zstd",
    }
    assert metadata("d2pyg")["Requires-Python"] == ">=3.10"


def test_registering():
    @d2pyg.register("kernel", "test-only")
    class Flat(d2pyg.nn.Kernel):
        def weight(self, distance, gamma):
            return distance * 0 + 1

    assert "test-only" in choices("kernel")
    assert look_up("kernel", "test-only") is Flat
    flat = d2pyg.nn.ForwardMessagePassing(kernel="test-only")
    assert repr(flat) == "ForwardMessagePassing(gamma=10.0, kernel=Flat(), update='sum')"
    with pytest.raises(ValueError, match=r"kernel name that is free .got 'rbf'"):
        d2pyg.register("kernel", "rbf")(Flat)
    with pytest.raises(ValueError, match=r"engine name that is free .got 'auto'"):
        d2pyg.register("engine", "auto")(Flat)
    with pytest.raises(ValueError, match=r"family to be one of kernel, .*got 'kernal'"):
        d2pyg.register("kernal", "flat")(Flat)
    for family, name, entry in (("kernel", 3, Flat), ("kernel", "", Flat), ("kernel", "flat", Flat())):
        with pytest.raises(TypeError, match=r"a name, and a class or function of that name \(got "):
            d2pyg.register(family, name)(entry)
    with pytest.raises(ValueError, match=r"family to be one of kernel, .*got \['kernel'\]"):
        d2pyg.register(["kernel"], "flat")(Flat)
    with pytest.raises(ValueError, match=r"family to be one of kernel, .*got a number of too many"):
        d2pyg.register(10**5000, "flat")(Flat)


def test_a_registered_message_works_by_name(rng):
    @d2pyg.register("reverse", "test-double")
    class Double(d2pyg.nn.ReverseMessage):
        linear = monotone = True

        def message(self, pick_score, neighbor_score, distance):
            return 2 * pick_score * self.weight(distance)

    x = rng.normal(size=(30, 2))
    named = d2pyg.select(x, budget=30, reverse="test-double", gamma_reverse=0.3)
    made = d2pyg.select(x, budget=30, reverse=Double(0.3))
    assert named.index.tolist() == made.index.tolist()
    assert named.index.tolist() != d2pyg.select(x, budget=30, gamma_reverse=0.3).index.tolist()


def test_the_text_for_the_package_index_has_no_relative_links(monkeypatch):
    told = {}
    monkeypatch.setattr("setuptools.setup", told.update)
    root = Path(__file__).parents[1]
    runpy.run_path(str(root / "setup.py"))
    text = told["long_description"]
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert targets
    assert all(target.startswith("https://") for target in targets)
    assert "](docs/" in (root / "README.md").read_text(encoding="utf-8")
    assert "From a training run shows how to record them" in text
    assert "```python\nimport d2pyg" in text


@pytest.mark.parametrize(
    ("module", "package"), [("matplotlib", "matplotlib"), ("sklearn.datasets", "scikit-learn")]
)
def test_the_demo_asks_for_its_packages_before_it_works(module, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(digits, "train", None)
    with pytest.raises(ImportError, match=f"This needs the package {package}"):
        digits.run(0.3, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()
