"""A definition that runs again replaces what it registered; another one cannot take its name."""

import runpy
import subprocess
import sys

import pytest

import d2pyg
from d2pyg._base import registry

KERNEL = """
import d2pyg

@d2pyg.register("kernel", "ours")
class Ours(d2pyg.nn.Kernel):
    def weight(self, distance, gamma):
        return distance * 0 + {}
"""


def test_a_notebook_cell_that_runs_again():
    cell = {"__name__": "__main__"}
    for value in 1, 2:
        exec(KERNEL.format(value), cell)
    assert registry.look_up("kernel", "ours") is cell["Ours"]
    with pytest.raises(ValueError, match=r"kernel name that is free .got 'ours', which is taken"):
        exec(KERNEL.format(3).replace("Ours", "Other"), {"__name__": "__main__"})
    with pytest.raises(ValueError, match="kernel name that is free"):
        exec(KERNEL.format(3), {"__name__": "another_module"})
    assert registry.look_up("kernel", "ours") is cell["Ours"]


def test_the_same_object_again_and_objects_without_a_name():
    class Callable:
        def __call__(self): ...

    one = Callable()
    for entry in one, one:
        d2pyg.register("metric", "ours")(entry)
    with pytest.raises(ValueError, match="metric name that is free"):
        d2pyg.register("metric", "ours")(Callable())
    d2pyg.register("metric", "nameless")(lambda: None)
    with pytest.raises(ValueError, match="metric name that is free"):
        d2pyg.register("metric", "nameless")(lambda: None)
    with pytest.raises(ValueError, match="kernel name that is free"):
        d2pyg.register("kernel", "rbf")(type("Rbf", (d2pyg.nn.Kernel,), {}))


def test_a_script_that_pyg_imports_anew(tmp_path):
    """Sequential imports the file that calls it, by the name of the file."""
    script = tmp_path / "train_ours.py"
    script.write_text(
        KERNEL.format(1)
        + """
from torch_geometric.nn import Sequential

layer = d2pyg.nn.ForwardMessagePassing(kernel="ours")
net = Sequential("score, edge_index, distance", [(layer, "score, edge_index, distance -> score")])
if __name__ == "__main__":
    import sys
    print("train_ours" in sys.modules)
"""
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_a_file_that_runs_twice(tmp_path):
    path = tmp_path / "plug_in.py"
    path.write_text(KERNEL.format(1))
    first, second = (runpy.run_path(str(path), run_name="__main__") for _ in range(2))
    assert first["Ours"] is not second["Ours"] is registry.look_up("kernel", "ours")
