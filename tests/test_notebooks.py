"""The notebooks run from top to bottom, small; and hold the outputs of such a run. (make notebooks)"""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted(Path(__file__).parents[1].joinpath("notebooks").glob("*.ipynb"))


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == [
        "hyperparameters",
        "new_message_functions",
        "pyg_workflow",
        "quickstart",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_those_of_one_run(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert {output.get("name") for output in outputs} <= {None, "stdout"}  # no warnings
    assert any(output.get("name") == "stdout" for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient", reason="make notebooks")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("D2PYG_SMALL", "1")
    monkeypatch.setenv("PYTHONPATH", str(path.parents[1]))
    notebook = nbformat.read(path, as_version=4)
    written = {cell["id"]: len(cell.get("outputs", [])) for cell in notebook.cells}
    runner = client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    runner.execute()  # an error in a cell is raised here
    ran = {cell["id"]: len(cell.get("outputs", [])) for cell in notebook.cells}
    assert [bool(count) for count in ran.values()] == [bool(count) for count in written.values()]
