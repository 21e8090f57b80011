"""Seconds and bytes of a call."""

import time
from pathlib import Path

import numpy as np
import torch


def timed(run, device, repeats):
    """The median of some runs, in seconds, and the last result."""
    seconds = []
    for _ in range(repeats):
        if device.type == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        result = run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)), result


def peak(run, device):
    """Bytes that a call needs at its peak beyond what is there (on the CPU, on Linux)."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _status("VmRSS")
    run()
    return _status("VmHWM") - before


def _status(name):
    (line,) = (row for row in Path("/proc/self/status").read_text().splitlines() if name in row)
    return int(line.split()[1]) * 1024
