"""How much memory a process may have: the machine's, its container's, its own limits."""

import subprocess
import sys

import pytest
import torch

from d2pyg._base.memory import free_bytes

CPU = torch.device("cpu")


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Writes files of a made-up system, on a machine with 100 GB free."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10**11}))

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_without_limits_it_is_the_machine(system):
    assert free_bytes(CPU, system()) == 10**11


def test_version_two_of_cgroups_up_to_the_root(system):
    root = system(
        proc__self__cgroup="0::/slurm/job\n",
        sys__fs__cgroup__slurm__job__memory_DOT_max="max\n",
        sys__fs__cgroup__slurm__job__memory_DOT_current="5000000\n",
        sys__fs__cgroup__slurm__memory_DOT_max="8000000000\n",
        sys__fs__cgroup__slurm__memory_DOT_current="3000000000\n",
        sys__fs__cgroup__slurm__memory_DOT_stat="anon 1\ninactive_file 500000000\n",
    )
    assert free_bytes(CPU, root) == 5_500_000_000


def test_version_one_of_cgroups(system):
    root = system(
        proc__self__cgroup="5:cpu:/x\n4:memory:/docker/abc\n",
        sys__fs__cgroup__memory__memory_DOT_limit_in_bytes="4000000000\n",
        sys__fs__cgroup__memory__memory_DOT_usage_in_bytes="1000000000\n",
        sys__fs__cgroup__memory__memory_DOT_stat="total_inactive_file 200000000\n",
    )
    assert free_bytes(CPU, root) == 3_200_000_000


def test_a_group_that_is_full_leaves_nothing(system):
    root = system(
        proc__self__cgroup="0::/\n",
        sys__fs__cgroup__memory_DOT_max="1000\n",
        sys__fs__cgroup__memory_DOT_current="2000\n",
    )
    assert free_bytes(CPU, root) == 0


def test_limits_of_the_process_itself():
    program = """
import psutil, resource, torch
from d2pyg._base.memory import free_bytes
taken = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 30),) * 2)
assert free_bytes(torch.device("cpu")) <= 1 << 30
import d2pyg
try:
    d2pyg.knn_graph(torch.zeros(1, 1).expand(2_000_000, 1), 15)
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Expected the graph to fit into the" in done.stdout
