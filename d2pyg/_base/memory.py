"""How much memory this process may still take: of the machine, of its container, by its own limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import torch


class _CGroup(NamedTuple):
    """Where a version of cgroups says what it allows."""

    folder: str
    limits: tuple[str, ...]
    usage: str
    droppable: str  # of memory.stat: pages of files that give way


_V1 = _CGroup(
    "sys/fs/cgroup/memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"
)
_V2 = _CGroup("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", "inactive_file")


def free_bytes(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that this process can still have on a device.

    On the CPU the least of what the machine has available, what each control group of the process leaves
    (containers, Slurm, Kubernetes), and what RLIMIT_AS and RLIMIT_DATA leave.

    Args:
        device: Any of torch's.
        root: Where the system's files begin.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    left = min([psutil.virtual_memory().available, *_left_by_cgroups(root), *_left_by_limits()])
    return max(0, int(left))


def size_of(count: float) -> str:
    """Bytes for people.

    Example:
        >>> size_of(64e12)
        '64 TB'
    """
    power = min(4, int(math.log(max(count, 1), 1000)))
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _left_by_cgroups(root: Path) -> Iterator[float]:
    """What the control groups leave, from that of the process up to the root of all."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" or "memory" in controllers.split(","):
            version = _V2 if number == "0" else _V1
            # In a container the path may be the host's, and only the root of it is there.
            top = root / version.folder
            folder = top / path.strip("/")
            while folder != top.parent:
                yield _left_by(folder, version)
                folder = folder.parent


def _left_by(folder: Path, version: _CGroup) -> float:
    limit = min(_number(_read(folder / name)) for name in version.limits)
    stat = dict(line.split(" ", 1) for line in _read(folder / "memory.stat").splitlines())
    droppable = _number(stat.get(version.droppable, "0"))
    return limit - _number(_read(folder / version.usage) or "0") + droppable


def _left_by_limits() -> Iterator[float]:
    """What the limits that the process runs under leave (ulimit -v, ulimit -d), where there are such."""
    process = psutil.Process()
    if hasattr(process, "rlimit"):
        used = process.memory_info()
        for kind, taken in ((psutil.RLIMIT_AS, used.vms), (psutil.RLIMIT_DATA, used.data)):
            limit = process.rlimit(kind)[0]
            if limit != psutil.RLIM_INFINITY:
                yield limit - taken


def _read(path: Path) -> str:
    """What a file says; nothing where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> float:
    """A number of bytes; infinite where it says ``max``, or nothing."""
    return float(text) if text.strip().isdigit() else math.inf
