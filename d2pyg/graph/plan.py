"""What building a graph will take, known before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from d2pyg._base.checks import as_real
from d2pyg._base.memory import free_bytes, size_of

_SHARE = 0.25  # of what is free, unless the user says
_GRAPH_BYTES = 64  # an edge: neighbors and distances, the graph, and what turns one into the other
_SAMPLE_BYTES = 24  # a sample: its norm, group and place
_LEAST = 1 << 28  # 256 MiB: the smallest tiles, and chunks of exact differences


@dataclass(frozen=True)
class Plan:
    """Bytes."""

    result: int  # the graph, and what holds it on the way
    memory: float  # what the search may use besides
    held: int  # of that, what the backend holds all the while
    free: int  # on the device

    def __str__(self) -> str:
        return (
            f"{size_of(self.result)} for the graph, up to {size_of(self.memory)} to search, "
            f"{size_of(self.free)} free"
        )


def plan(
    num_samples: int,
    k: int,
    device: torch.device,
    memory: float | None,
    backend: str = "torch",
    held: int = 0,
) -> Plan:
    """The plan, or an error that names the setting that would fit.

    Args:
        num_samples: Number of samples, N.
        k: Neighbors per sample.
        device: Where the graph is built.
        memory: Bytes that the search may use beyond its input and the graph; default: a quarter of
            what is free.
        backend: Its name, for errors.
        held: Bytes that it keeps during the search, such as its own copy of the samples.
    """
    least = _LEAST + held
    if memory is not None:
        memory = as_real("memory", memory, "It is a number of bytes, such as 4e9.")
        if memory < least:
            holder = f"of which backend {backend!r} holds {held}"
            what = holder if held else "what the smallest tiles take"
            other = ", or backend='torch'" if held else ""
            raise ValueError(
                f"Expected 'memory' to be at least {least} bytes, {what} (got {memory:g}). Pass "
                f"memory={least}{other}, or None for a quarter of what is free."
            )
    free = free_bytes(device)
    result = num_samples * (k * _GRAPH_BYTES + _SAMPLE_BYTES)
    wanted = memory or least
    if result + wanted > free:
        fits = int(((free - wanted) / num_samples - _SAMPLE_BYTES) // _GRAPH_BYTES)
        ways = {
            f"k={fits} would fit": fits >= 1,
            f"memory={least} would fit": least < wanted and result + least <= free,
            "backend='torch' would fit": held > 0 and result + _LEAST <= free,
            "device='cpu' may have more": device.type == "cuda",
        }
        way = ", or ".join(way for way, helps in ways.items() if helps) or "Use fewer samples"
        raise ValueError(
            f"Expected the graph to fit into the {size_of(free)} that are free on {device} (got "
            f"{num_samples} samples and k={k}, which take {size_of(result)}, and {size_of(wanted)} to "
            f"search). {way}."
        )
    return Plan(result, max(least, _SHARE * (free - result)) if memory is None else memory, held, free)


def bytes_held(backend: object, num_samples: int, dim: int, k: int, device: torch.device) -> int:
    """What a backend says that it holds during a search (its attribute ``held``); 0 if nothing."""
    held = getattr(backend, "held", None)
    return 0 if held is None else int(held(num_samples, dim, k, device))


def search_bytes(device: torch.device) -> float:
    """What a search may use where nobody says."""
    return max(_LEAST, _SHARE * free_bytes(device))


@contextmanager
def out_of_memory(takes: Plan) -> Iterator[None]:
    """What says which setting helps, where memory cannot be had after all."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not any(
            text in str(error) for text in ("can't allocate memory", "bad_alloc")
        ):
            raise
        least = _LEAST + takes.held
        smaller = max(least, int(takes.memory / 2))
        raise MemoryError(
            f"Expected {size_of(takes.memory)} to search with, of {size_of(takes.free)} that were free "
            f"at the start (got less). "
            + (
                f"Pass memory={smaller}."
                if takes.memory > least
                else "Use fewer samples, or a smaller k."
            )
        ) from error
