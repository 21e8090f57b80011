"""What is free: of the machine, in control groups of both versions, and under limits of the process."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from d2pyg._base.memory import free_bytes

CPU = torch.device("cpu")
GIB = 1 << 30


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A file system to write to; the machine has 100 GiB, and the process no limits."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100 * GIB))
    monkeypatch.setattr("d2pyg._base.memory._left_by_limits", lambda: [])

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")

    write("proc/self/cgroup", "")
    return SimpleNamespace(path=tmp_path, write=write, free=lambda: free_bytes(CPU, tmp_path) / GIB)


def v2(root, group, limit, used, droppable=0, high="max"):
    folder = f"sys/fs/cgroup{group}"
    root.write(f"{folder}/memory.max", limit)
    root.write(f"{folder}/memory.high", high)
    root.write(f"{folder}/memory.current", used)
    root.write(f"{folder}/memory.stat", f"anon 5\ninactive_file {droppable}\nactive_file 7")


def v1(root, group, limit, used, droppable=0):
    folder = f"sys/fs/cgroup/memory{group}"
    root.write(f"{folder}/memory.limit_in_bytes", limit)
    root.write(f"{folder}/memory.usage_in_bytes", used)
    root.write(f"{folder}/memory.stat", f"cache 5\ntotal_inactive_file {droppable}")


def test_without_groups_it_is_the_machines(root):
    assert root.free() == 100
    root.write("proc/self/cgroup", "0::/")
    assert root.free() == 100


def test_a_group_of_version_2(root):
    root.write("proc/self/cgroup", "0::/user/job")
    v2(root, "/user/job", 8 * GIB, 5 * GIB, droppable=2 * GIB)
    assert root.free() == 5
    v2(root, "/user/job", "max", 5 * GIB)
    assert root.free() == 100
    v2(root, "/user/job", "max", 5 * GIB, high=6 * GIB)
    assert root.free() == 1


def test_the_groups_above_count_too(root):
    root.write("proc/self/cgroup", "0::/user/job")
    v2(root, "/user/job", 8 * GIB, GIB)
    v2(root, "/user", 4 * GIB, GIB)
    assert root.free() == 3
    root.write("sys/fs/cgroup/memory.max", 2 * GIB)
    assert root.free() == 2


def test_in_a_container_the_path_is_not_there_and_its_root_counts(root):
    root.write("proc/self/cgroup", "0::/docker/0123")
    v2(root, "", 4 * GIB, GIB)
    assert root.free() == 3


def test_a_group_of_version_1(root):
    root.write("proc/self/cgroup", "5:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/\n0::/")
    v1(root, "/job", 3 * GIB, 2 * GIB, droppable=GIB)
    assert root.free() == 2
    v1(root, "/job", 9223372036854771712, 2 * GIB)  # which stands for no limit
    assert root.free() == 100


def test_controllers_that_share_a_hierarchy(root):
    root.write("proc/self/cgroup", "3:cpu,memory:/a:b\nnonsense")
    v1(root, "/a:b", 3 * GIB, 2 * GIB)
    assert root.free() == 1


def test_beyond_its_limit_nothing_is_free(root):
    root.write("proc/self/cgroup", "0::/job")
    v2(root, "/job", GIB, 2 * GIB)
    assert root.free() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="limits are known on Linux alone")
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limited_process(kind):
    code = f"""
import psutil, torch
from d2pyg._base.memory import free_bytes
torch.zeros(99, 99) @ torch.zeros(99, 99)
used = psutil.Process().memory_info()
taken = used.vms if "{kind}" == "RLIMIT_AS" else used.data
before = free_bytes(torch.device("cpu"))
psutil.Process().rlimit(psutil.{kind}, (taken + (1 << 30), -1))
print(before > (1 << 30) - (1 << 26) >= free_bytes(torch.device("cpu")) - (1 << 26) > (1 << 29))
"""
    if psutil.virtual_memory().available < 3 * GIB:
        pytest.skip("too little memory to tell")
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout == "True\n"


def test_this_process():
    assert 10**6 < free_bytes(CPU) < 10**15
