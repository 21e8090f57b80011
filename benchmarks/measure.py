"""What the benchmarks share: seconds and bytes of a call, where it ran, and the files."""

import json
import os
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch

from d2pyg.coreset.settings import versions


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


def machine(device):
    """Date, device, cores and versions: the head of every table."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {"date": str(date.today()), "device": name, "cores": os.cpu_count(), **versions()}


def beside(out, suffix):
    """OUT with a suffix more; a dot in OUT is part of its name."""
    return out.with_name(out.name + suffix)


def write(out, content, table):
    """OUT.json and OUT.md."""
    beside(out, ".json").write_text(json.dumps(content, indent=1) + "\n")
    beside(out, ".md").write_text(table)


def origin(head):
    """What a table was measured on, in a line; the head as :func:`machine` gives it."""
    return f"{head['device']}, {head['cores']} cores, {head['date']}, torch {head['torch']}"


def markdown(names, rows):
    """A table: names of columns, and rows of cells, the first of them text."""
    lines = [list(names), ["---"] + ["---:"] * (len(names) - 1), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _status(name):
    (line,) = (row for row in Path("/proc/self/status").read_text().splitlines() if name in row)
    return int(line.split()[1]) * 1024
