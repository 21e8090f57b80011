"""What building a graph will take, known before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import psutil
import torch

from d2pyg.checks import as_real

_SHARE = 0.25  # of what is free, unless the user says
_GRAPH_BYTES = 64  # an edge: neighbours and distances, the graph, and what turns one into the other
_SAMPLE_BYTES = 24  # a sample: its norm, group and place
_LEAST = 1 << 28  # 256 MiB: the smallest tiles, and chunks of exact differences


@dataclass(frozen=True)
class Plan:
    """Bytes."""

    result: int  # the graph, and what holds it on the way
    memory: float  # what the search may use besides
    free: int  # on the device

    def __str__(self) -> str:
        return (
            f"{_size(self.result)} for the graph, up to {_size(self.memory)} to search, "
            f"{_size(self.free)} free"
        )


def plan(num_samples: int, k: int, device: torch.device, memory: float | None) -> Plan:
    """The plan, or an error that names the setting that would fit.

    Args:
        num_samples: N.
        k: Neighbours a sample.
        device: Where the graph is built.
        memory: Bytes that the search may use beyond its input and the graph; default: a quarter of
            what is free.
    """
    free = free_bytes(device)
    result = num_samples * (k * _GRAPH_BYTES + _SAMPLE_BYTES)
    if memory is not None:
        memory = as_real("memory", memory, "It is a number of bytes, such as 4e9.")
        if memory < _LEAST:
            raise ValueError(
                f"Expected 'memory' to be at least {_LEAST} bytes, what the smallest tiles take (got "
                f"{memory:g}). Pass None for a quarter of what is free."
            )
    if result + (memory or _LEAST) > free:
        fits = int(((free - (memory or _LEAST)) / num_samples - _SAMPLE_BYTES) // _GRAPH_BYTES)
        ways = [f"k={fits} would fit"] if fits >= 1 else []
        ways += ["a smaller 'memory' leaves more"] if memory else []
        ways += ["device='cpu' may have more"] if device.type == "cuda" else []
        raise ValueError(
            f"Expected the graph to fit into the {_size(free)} that are free on {device} (got "
            f"{num_samples} samples and k={k}, which take {_size(result)}, and "
            f"{_size(memory or _LEAST)} to search). {', or '.join(ways) or 'Use fewer samples'}."
        )
    return Plan(result, max(_LEAST, _SHARE * (free - result)) if memory is None else memory, free)


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    return int(psutil.virtual_memory().available)


def _size(count: float) -> str:
    """Bytes for people."""
    power = min(4, int(math.log(max(count, 1), 1000)))
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
