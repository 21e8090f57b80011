"""Kills, interrupts and terminates `d2pyg` at drawn moments, and counts what is wrong afterwards.

Every command runs as a process on small inputs over older outputs. Moments are drawn uniformly: every
second one from the command's own run time, the others from the time between the first byte of its
outputs and the last output in place, and half of that again. Both times are measured first, as medians.
SIGINT and SIGTERM are sent once `d2pyg.cli.run` has been reached (on Linux: once the process catches
SIGTERM). Before that Python itself is starting, and no program can answer.

    python benchmarks/interrupts.py [--kills 100] [--interrupts 50] [--terminations 50] [--seed 0]

Columns, a row a command; the last four are to be 0:
    kills, interrupts, terminations  runs that were sent SIGKILL, SIGINT, SIGTERM
    replaced    runs among them whose outputs were in place already
    damaged     outputs that are neither the older nor the complete new content
    mixed       runs that left one output old and one new, where two belong together
    left over   files that are neither inputs nor outputs
    misreports  runs whose status and last line do not fit what they wrote: 130 or 143 and one line that
                says what was written, or 0 and none where the signal came too late
Outputs and folders are looked at after the next call of d2pyg that concerns them, here one that writes
nothing.
"""

import argparse
import csv
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from d2pyg._base.outputs import replacing_all

from measure import machine, markdown, origin, write

COMMANDS = {  # arguments, and the files that are written
    "select": (
        "select x.npy --scores s.npy --ids ids.txt --keep 0.3 --out c.npz --removed r.txt",
        ("c.npz", "r.txt"),
    ),
    "method": (
        "select --method ccs --scores s.npy --keep 0.3 --seed 0 --out c.csv --removed r.json",
        ("c.csv", "r.json"),
    ),
    "shards": ("select shards --scores s.npy --keep 0.3 --out c.npz --rows r.csv", ("c.npz", "r.csv")),
    "graph": ("graph x.npy --k 5 --out g.pt", ("g.pt",)),
    "extend": ("extend given.pt x.npy new.npy --out g.pt", ("g.pt",)),
    "shrink": ("shrink given.pt x.npy random.npy --out g.pt", ("g.pt",)),
    "score": ("score neighbor-distance --embeddings x.npy --out n.npy", ("n.npy",)),
    "sweep": ("sweep x.npy --scores s.npy --keep 0.1 0.3 --out t.csv", ("t.csv",)),
    "compare": (
        "compare given.npz random.npy --embeddings x.npy --scores s.npy --out t.csv --figure f.png",
        ("t.csv", "f.png"),
    ),
    "duplicates": (
        "duplicates x.npy --threshold 0.5 --out t.csv --kept kept.npy",
        ("t.csv", "kept.npy"),
    ),
    "take": ("take given.npz rows.jsonl --out few.jsonl", ("few.jsonl",)),
    "explain": ("explain given.npz 3", ()),
}
SIGNALS = {"kills": signal.SIGKILL, "interrupts": signal.SIGINT, "terminations": signal.SIGTERM}
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
COLUMNS = (*SIGNALS, "replaced", "damaged", "mixed", "left over", "misreports")
OLD = b"older content"


def make_files(folder):
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.normal(size=(2000, 16)).astype(np.float32))
    np.save(folder / "s.npy", rng.random(2000))
    np.save(folder / "random.npy", rng.permutation(2000)[:600])
    (folder / "rows.jsonl").write_text("".join(f'{{"text": "row {i}"}}\n' for i in range(2000)))
    (folder / "ids.txt").write_text("".join(f"image {i}.png\n" for i in range(2000)))
    np.save(folder / "new.npy", rng.normal(size=(100, 16)).astype(np.float32))
    (folder / "shards").mkdir()
    for shard, part in enumerate(np.split(np.load(folder / "x.npy"), 4)):
        np.save(folder / "shards" / f"part{shard}.npy", part)
    start(folder, "select x.npy --scores s.npy --keep 0.3 --out given.npz").communicate()
    start(folder, "graph x.npy --k 5 --out given.pt").communicate()


def start(folder, arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "d2pyg", *arguments.split()],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class Trial:
    """A command in a folder of its own: how long it takes, what it writes, and what a signal left."""

    def __init__(self, name, inputs, folder, repeats):
        self.arguments, self.outputs = COMMANDS[name]
        self.folder = folder
        shutil.copytree(inputs, folder)
        self.names = {path.name for path in folder.iterdir()} | set(self.outputs)
        runs = [self.finished() for _ in range(repeats)]
        self.seconds, self.writing = (statistics.median(column) for column in zip(*runs, strict=True))
        self.complete = {name: content(folder / name) for name in self.outputs}

    def start(self):
        for name in self.outputs:
            (self.folder / name).write_bytes(OLD)
        return start(self.folder, self.arguments)

    def finished(self):
        """Seconds of a run that is left alone, and of its writing."""
        started = time.perf_counter()
        process = self.start()
        begun = wait(process, self.is_writing)
        ended = wait(process, self.is_written)
        _, said = process.communicate()
        if process.returncode:
            raise SystemExit(f"d2pyg {self.arguments} failed: {said}")
        return time.perf_counter() - started, ended - begun

    def is_writing(self):
        """Whether there is a file with content beside the outputs, or in their place."""
        with os.scandir(self.folder) as entries, suppress(FileNotFoundError):
            return any(entry.name not in self.names and entry.stat().st_size for entry in entries) or (
                self.is_written()
            )

    def is_written(self):
        files = [self.folder / name for name in self.outputs]
        return bool(files) and all(file.stat().st_size != len(OLD) for file in files)

    def run(self, number, late, share):
        """The faults after a signal, and whether the outputs were replaced."""
        process = self.start()
        if number != signal.SIGKILL:
            wait(process, lambda: answers(process.pid))
        if late and self.outputs:
            wait(process, self.is_writing)
            wait(process, after(1.5 * share * self.writing))
        else:
            wait(process, after(share * self.seconds))
        process.send_signal(number)
        _, said = process.communicate()
        with suppress(KeyboardInterrupt), replacing_all(*(self.folder / name for name in self.outputs)):
            raise KeyboardInterrupt  # the next call, which writes nothing

        states = {name: self.state(name) for name in self.outputs}
        left = {path.name for path in self.folder.iterdir()} - self.names
        faults = {
            "damaged": sum(state == "damaged" for state in states.values()),
            "mixed": int(set(states.values()) == {"old", "new"}),
            "left over": len(left),
            "misreports": int(
                number != signal.SIGKILL and misreports(number, process.returncode, said, states)
            ),
        }
        for name in left:
            (self.folder / name).unlink()
        told = {"status": process.returncode, "stderr": said, "states": states, "left": sorted(left)}
        return faults, "new" in states.values(), told

    def state(self, name):
        path = self.folder / name
        if path.read_bytes() == OLD:
            return "old"
        try:
            return "new" if content(path) == self.complete[name] else "damaged"
        except (ValueError, KeyError):
            return "damaged"


def content(path):
    """What a file holds; of a sweep's table, all but the seconds."""
    if path.suffix != ".csv":
        return path.read_bytes()
    with path.open(newline="") as file:
        return [{**row, "seconds": None} for row in csv.DictReader(file)]


def wait(process, is_time):
    """Until it is time, or the process has ended; when that was."""
    while not is_time() and process.poll() is None:
        time.sleep(0.0002)
    return time.perf_counter()


def after(seconds):
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end


def answers(pid):
    """Whether a process catches SIGTERM, or at its end ignores it."""
    with suppress(OSError, ValueError):
        lines = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        masks = int(lines["SigCgt"], 16) | int(lines["SigIgn"], 16)
        return bool(masks >> (signal.SIGTERM - 1) & 1)
    return True


def misreports(number, status, said, states):
    """Whether status and stderr do not fit what happened."""
    lines = said.splitlines()
    written = [name for name, state in states.items() if state == "new"]
    if status == 0:  # it was done before the signal came
        return len(written) < len(states) or any(line.startswith("d2pyg: ") for line in lines)
    after = f" after {' and '.join(written)} {'was' if len(written) == 1 else 'were'} written"
    expected = f"d2pyg: {WORDS[number]}{after if written else ', nothing was written'}"
    extra = lines[:-1] if written else []  # the report of what was written
    return status != 128 + number or lines != [*extra, expected] or "Traceback" in said


def measure(counts, trials, rng):
    """Sends all signals, to one command after the other; a row a command."""
    rows = {
        name: {
            "command": name, "seconds": trial.seconds, "seconds writing": trial.writing,
            **dict.fromkeys(COLUMNS, 0), "faults": [],
        }
        for name, trial in trials.items()
    }  # fmt: skip
    for kind, count in counts.items():
        for turn in range(count):
            name = list(trials)[turn % len(trials)]
            late, share = turn // len(trials) % 2 == 0, rng.uniform()
            faults, replaced, told = trials[name].run(SIGNALS[kind], late, share)
            for column, number in {kind: 1, "replaced": int(replaced), **faults}.items():
                rows[name][column] += number
            if any(faults.values()):
                drawn = {"signal": kind, "late": late, "share": share}
                rows[name]["faults"].append({**drawn, **faults, **told})
    return list(rows.values())


def table(rows, header, command):
    lines = [(row["command"], *(row[name] for name in COLUMNS)) for row in rows]
    lines.append(("all", *(sum(row[name] for row in rows) for name in COLUMNS)))
    head = f"{origin(header)}. Columns: see `benchmarks/interrupts.py`.\n\n    {command}\n\n"
    return head + markdown(("command", *COLUMNS), lines)


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--interrupts", type=int, default=50)
    parser.add_argument("--terminations", type=int, default=50)
    parser.add_argument(
        "--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS), metavar="NAME"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs that are measured")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="writes OUT.json and OUT.md")
    arguments = parser.parse_args(argv)
    counts = {name: getattr(arguments, name) for name in SIGNALS}
    options = {**counts, "commands": " ".join(arguments.commands), "seed": arguments.seed}
    if arguments.commands == list(COMMANDS):
        del options["commands"]
    words = (f"--{name} {value}" for name, value in options.items())
    command = f"python benchmarks/interrupts.py {' '.join(words)}"
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs"
        inputs.mkdir()
        make_files(inputs)
        trials = {
            name: Trial(name, inputs, Path(folder) / name, arguments.repeats)
            for name in arguments.commands
        }
        rows = measure(counts, trials, np.random.default_rng(arguments.seed))
    header = machine(torch.device("cpu"))
    print(table(rows, header, command))
    if arguments.out:
        content = {**header, "command": command, "rows": rows}
        write(arguments.out, content, table(rows, header, command))


if __name__ == "__main__":
    main()
