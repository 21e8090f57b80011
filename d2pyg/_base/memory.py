"""How much memory this process can still use: by the machine, its container and its own limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import torch


class _CGroup(NamedTuple):
    """The files with the limits in a version of cgroups."""

    folder: str
    limits: tuple[str, ...]
    usage: str
    droppable: str  # in memory.stat: pages of files that can be dropped


_V1 = _CGroup(
    "sys/fs/cgroup/memory", ("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"
)
_V2 = _CGroup("sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", "inactive_file")


def free_bytes(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that this process can still use on a device.

    On the CPU this is the least of the available memory of the machine, the rest of each control group
    of the process (containers, Slurm, Kubernetes), and the rest of RLIMIT_AS and RLIMIT_DATA.

    Args:
        device: Any torch device.
        root: The root of the file system.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    left = min([psutil.virtual_memory().available, *_left_by_cgroups(root), *_left_by_limits()])
    return max(0, int(left))


def size_of(count: float) -> str:
    """A number of bytes as readable text.

    Example:
        >>> size_of(64e12)
        '64 TB'
    """
    power = min(4, int(math.log(max(count, 1), 1000)))
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _left_by_cgroups(root: Path) -> Iterator[float]:
    """The rest of each control group, from that of the process up to the root."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" or "memory" in controllers.split(","):
            version = _V2 if number == "0" else _V1
            # In a container the path may be of the host, and only its root exists.
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
    """The rest of the limits of the process (ulimit -v, ulimit -d), if there are any."""
    process = psutil.Process()
    if hasattr(process, "rlimit"):
        used = process.memory_info()
        for kind, taken in ((psutil.RLIMIT_AS, used.vms), (psutil.RLIMIT_DATA, used.data)):
            limit = process.rlimit(kind)[0]
            if limit != psutil.RLIM_INFINITY:
                yield limit - taken


def _read(path: Path) -> str:
    """The text of a file; empty if there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> float:
    """A number of bytes; infinite for ``max`` or an empty text."""
    return float(text) if text.strip().isdigit() else math.inf
