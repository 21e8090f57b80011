"""PyG takes other paths where torch-scatter is installed: the results must not tell."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
if "without" in sys.argv:
    sys.modules["torch_scatter"] = None
import torch, torch_geometric.typing
import d2pyg

device = "cuda" if torch.cuda.is_available() else "cpu"
made = torch.Generator().manual_seed(5)
x = torch.randn(2000, 8, generator=made).to(device)
scores = torch.rand(2000, generator=made, dtype=torch.float64).to(device)
graph = d2pyg.knn_graph(x, 5)
coreset = d2pyg.greedy_select(scores, graph, 600, engine="rounds")
layer = d2pyg.nn.ForwardMessagePassing(gamma=1.0)
spread = layer(scores.requires_grad_(), graph.edge_index, graph.edge_attr)
spread.square().sum().backward()
print(torch_geometric.typing.WITH_TORCH_SCATTER, file=sys.stderr)
print(coreset.index.tolist(), coreset.pick_scores.tolist(), spread.tolist(), scores.grad.tolist())
"""


@pytest.mark.extensions
def test_torch_scatter_changes_nothing():
    pytest.importorskip("torch_scatter")

    def run(*arguments):
        command = [sys.executable, "-W", "ignore", "-c", PROGRAM, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    here, without = run(), run("without")
    assert (here.stderr, without.stderr) == ("True\n", "False\n")
    assert here.stdout == without.stdout
