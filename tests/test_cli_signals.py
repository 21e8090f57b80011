"""Ctrl-C and termination: one line that says what was written, the status of the signal, no leftovers."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from d2pyg.cli import main

ROOT = Path(__file__).parents[1]
BOTH = [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)]
COMMAND = "graph x.npy --out g.pt"


def start(folder, *words, **options):
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def program(body):
    """The process ``d2pyg`` with another command in it, which needs no torch."""
    text = "import os, signal, sys, time\nfrom d2pyg import cli\nfrom d2pyg._base import outputs\ndef command():\n"
    text += "".join(f"    {line}\n" for line in body.splitlines())
    return f"{text}    return 0\ncli.main = command\ncli.run()\n"


def ended(folder, body, **options):
    process = start(folder, "-c", program(body), **options)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(("number", "word", "status"), BOTH)
def test_during_the_imports(number, word, status, tmp_path):
    """Which swallow exceptions: nothing is raised."""
    (tmp_path / "torch.py").write_text(
        "import time\nprint('importing', flush=True)\ntry:\n    time.sleep(60)\n"
        "except BaseException:\n    time.sleep(60)\n"
    )
    process = start(tmp_path, "-m", "d2pyg", *COMMAND.split())
    assert process.stdout.readline() == "importing\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, f"d2pyg: {word}, nothing was written\n")


@pytest.mark.parametrize(("number", "word", "status"), BOTH)
def test_before_a_commit_the_temporary_file_goes_and_the_older_one_stays(number, word, status, tmp_path):
    (tmp_path / "o.npz").write_bytes(b"old")
    body = f"with outputs.replacing('o.npz') as file:\n    file.write(b'n')\n    os.kill(os.getpid(), {int(number)})"
    assert ended(tmp_path, body) == (status, "", f"d2pyg: {word}, nothing was written\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"o.npz": b"old"}


@pytest.mark.parametrize(("number", "word", "status"), BOTH)
def test_within_a_commit_all_outputs_are_put_in_place_first(number, word, status, tmp_path):
    body = f"""
import pathlib
real = pathlib.Path.replace
def replace(*paths):
    real(*paths)
    os.kill(os.getpid(), {int(number)})
pathlib.Path.replace = replace
with outputs.replacing_all('c.npz', 'r.txt') as files:
    for file in files:
        file.write(b'new')
"""
    told = f"d2pyg: {word} after c.npz and r.txt were written\n"
    assert ended(tmp_path, body) == (status, "", told)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "c.npz": b"new", "r.txt": b"new",
    }  # fmt: skip


def test_what_was_written_before_is_named(tmp_path):
    body = "with outputs.replacing('o.npy') as file:\n    file.write(b'new')\nos.kill(os.getpid(), 15)"
    assert ended(tmp_path, body) == (143, "", "d2pyg: terminated after o.npy was written\n")


def test_a_long_name_is_cut_and_a_strange_one_escaped(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    name = "ü" * 80 + os.fsdecode(b"\xff") + ".npz"
    body = f"with outputs.replacing({name!r}) as file:\n    pass\nos.kill(os.getpid(), 15)"
    status, _, err = ended(tmp_path, body)
    assert (status, err.count("\n")) == (143, 1)
    assert len(err) == 301
    assert err.startswith("d2pyg: terminated after \\xfc\\xfc")
    assert err.endswith("\\xfc\\udcff.npz was written\n")


def test_a_second_signal_changes_nothing(tmp_path):
    body = f"""
import d2pyg.cli.signals as signals
real = signals.tell_at_once
def tell(*words, **options):
    real(*words, **options)
    os.kill(os.getpid(), {int(signal.SIGINT)})
    time.sleep(60)
signals.tell_at_once = tell
os.kill(os.getpid(), {int(signal.SIGINT)})
"""
    assert ended(tmp_path, body) == (130, "", "d2pyg: interrupted, nothing was written\n")


def test_the_line_starts_below_a_progress_bar(tmp_path):
    body = """
from d2pyg._base.progress import progress_bar
bar = progress_bar(3, 'kNN graph', 'rows', enabled=True)
os.kill(os.getpid(), 15)
"""
    status, _, err = ended(tmp_path, body)
    assert status == 143
    assert err.splitlines()[-1] == "d2pyg: terminated, nothing was written"
    assert "kNN graph" in err.splitlines()[-2]


def test_without_stderr(tmp_path):
    body = "with outputs.replacing('o.npy') as file:\n    file.write(b'new')\nos.kill(os.getpid(), 15)"
    (tmp_path / "program.py").write_text(program(body))
    done = subprocess.run(
        f"{sys.executable} program.py 2>&-", shell=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 143
    assert (tmp_path / "o.npy").read_bytes() == b"new"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_stays_ignored(number, tmp_path):
    def ignore():  # as nohup does, and a shell for what runs in the background
        signal.signal(number, signal.SIG_IGN)

    body = f"os.kill(os.getpid(), {int(number)})\nprint('done')"
    assert ended(tmp_path, body, preexec_fn=ignore) == (0, "done\n", "")


def test_during_shutdown_nothing_is_said(tmp_path):
    body = "import atexit\natexit.register(os.kill, os.getpid(), 2)\natexit.register(os.kill, os.getpid(), 15)"
    assert ended(tmp_path, body) == (0, "", "")


@pytest.fixture
def embeddings(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.normal(size=(40, 3)))
    (tmp_path / "g.pt").write_bytes(b"old")


def interrupt(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)


def test_main_returns_130(embeddings, monkeypatch, capsys):
    before = [signal.getsignal(number) for number, _, _ in BOTH]
    monkeypatch.setattr("d2pyg.cli.graph.knn_graph", interrupt)
    assert main(COMMAND.split()) == 130
    assert capsys.readouterr().err == "d2pyg: interrupted, nothing was written\n"
    assert Path("g.pt").read_bytes() == b"old"
    assert sorted(path.name for path in Path().iterdir()) == ["g.pt", "x.npy"]
    assert [signal.getsignal(number) for number, _, _ in BOTH] == before


@pytest.mark.parametrize("renames", ["pathlib.Path.replace", "os.replace"])
def test_main_after_the_rename_says_so(renames, embeddings, monkeypatch, capsys):
    real = Path.replace if "Path" in renames else os.replace

    def replace(*paths):
        real(*paths)
        interrupt()

    monkeypatch.setattr(renames, replace)
    assert main(COMMAND.split()) == 130
    assert capsys.readouterr().err == "d2pyg: interrupted after g.pt was written\n"
    assert Path("g.pt").read_bytes() != b"old"


def test_main_knows_nothing_of_the_run_before(embeddings, monkeypatch, capsys):
    assert main(COMMAND.split()) == 0
    monkeypatch.setattr("d2pyg.cli.graph.knn_graph", interrupt)
    capsys.readouterr()
    assert main(COMMAND.split()) == 130
    assert capsys.readouterr().err == "d2pyg: interrupted, nothing was written\n"


def test_the_installed_command_is_this_process():
    (entry,) = re.findall(r'^d2pyg = "([\w.:]+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert entry == "d2pyg.cli:run"


def test_a_command_at_drawn_moments(monkeypatch, tmp_path, capsys):
    """A few signals of the benchmark that sends many."""
    benchmarks = ROOT / "benchmarks"
    monkeypatch.syspath_prepend(benchmarks)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    arguments = "--kills 2 --interrupts 1 --terminations 1 --repeats 1 --commands select --out"
    monkeypatch.setattr(sys, "argv", ["interrupts.py", *arguments.split(), str(tmp_path / "out")])
    runpy.run_path(str(benchmarks / "interrupts.py"), run_name="__main__")
    (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert (row["kills"], row["interrupts"], row["terminations"]) == (2, 1, 1)
    assert row["faults"] == []
    assert "| select | 2 | 1 | 1 |" in (tmp_path / "out.md").read_text()
