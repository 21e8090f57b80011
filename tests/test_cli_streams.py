"""What a command says, and where: also to nobody, to readers that leave, and in other alphabets."""

import errno
import io
import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import d2pyg
from d2pyg._base.progress import progress_bar
from d2pyg.cli import main, streams

ROOT = Path(__file__).parents[1]
SELECT = "select x.npy --keep 0.5 --out c.npz"
WITHOUT_TORCH = "from d2pyg import cli\nfrom d2pyg._base import outputs\nfrom d2pyg.cli import streams\ndef command():\n"


def in_shell(folder, command, **environment):
    """A command line of bash, in which $D2PYG is ``python -m d2pyg``."""
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], cwd=folder, capture_output=True, check=False,
        text=True, env={
            **os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "",
            "D2PYG": f"{sys.executable} -m d2pyg", **environment,
        },
    )  # fmt: skip


def of_program(folder, body, redirected="", **environment):
    """The same, of a command that needs no torch."""
    text = WITHOUT_TORCH + "".join(f"    {line}\n" for line in body.splitlines()) + "    return 0\n"
    (folder / "program.py").write_text(f"{text}cli.main = command\ncli.run()\n")
    return in_shell(folder, f"{sys.executable} program.py {redirected}", **environment)


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", rng.normal(size=(60, 3)))
    return tmp_path


@pytest.mark.parametrize("more", ["", " --progress", " --no-progress"])
def test_main_without_stderr_prints_nothing_but_the_result(more, files, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(f"{SELECT} --json{more}".split()) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 30
    assert len(d2pyg.Coreset.load("c.npz")) == 30
    assert main(["select", "none.npy", "--keep", "0.5", "--out", "c.npz"]) == 2
    assert capsys.readouterr().out == ""


def test_main_without_stdout(files, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(f"{SELECT} --json".split()) == 0
    assert capsys.readouterr().err.startswith("kept 30 of 60 samples")
    with pytest.raises(SystemExit):
        main(["--version"])


def test_main_with_streams_that_are_closed(files, monkeypatch):
    for name in "stdout", "stderr":
        stream = io.StringIO()
        stream.close()
        monkeypatch.setattr(sys, name, stream)
    assert main(f"{SELECT} --json --progress".split()) == 0


class Full(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def write(self, _):
        raise OSError(self.number, os.strerror(self.number))  # of the class that goes with the number


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_main_with_a_stderr_that_takes_nothing(number, files, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Full(number))
    assert main(f"{SELECT} --json --progress --verbose".split()) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 30


def test_a_reader_that_left_is_no_failure_and_a_full_disk_is(files, monkeypatch, capsys):
    for number in errno.EPIPE, errno.ECONNRESET:
        monkeypatch.setattr(sys, "stdout", Full(number))
        assert main(f"{SELECT} --json".split()) == 0
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdout", Full(errno.ENOSPC))
    assert main(f"{SELECT} --json".split()) == 2
    error = "d2pyg: error: [Errno 28] No space left on device (c.npz was written)"
    assert capsys.readouterr().err.splitlines()[-1] == error


def test_what_a_stream_cannot_encode_is_escaped(files, monkeypatch):
    names = ["日本", "b\udcff", *(f"n{i}" for i in range(58))]
    d2pyg.select(np.load("x.npy"), ids=names, budget=9).save("c.json")
    wrong = os.fsdecode(b"\xff.npz")
    for name in "stdout", "stderr":
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, name, stream)
    assert main(["explain", "c.json", *names[:2], "--embeddings", "x.npy"]) == 0
    assert main(["compare", "c.json", wrong]) == 2
    shown, told = sys.stdout.buffer.getvalue(), sys.stderr.buffer.getvalue()
    assert shown.startswith(b"sample 0 (\\u65e5\\u672c): ")
    assert b"sample 1 (b\\udcff): " in shown
    assert b"'\\udcff.npz'" in told


def test_a_table_of_files_with_strange_names(files, capsysbinary):
    name = os.fsdecode(b"\xff.npy")
    np.save(name, [1, 2])
    assert main(["compare", name, "--out", "t.csv"]) == 0
    assert b"\\udcff.npy" in capsysbinary.readouterr().out
    assert b"\xff.npy,2,1.0" in Path("t.csv").read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        "select x.npy --keep 0.3 --out b.npz --json 2>&-",
        "explain a.npz 1 --json 0<&- 2>&-",
        "sweep x.npy --keep 0.1 0.3 --out s.csv --json 2>&1 >t.json | true; cat t.json",
        "compare a.npz --json 2>/dev/full",
    ],
)
def test_one_json_object_whatever_becomes_of_stderr(command, files):
    d2pyg.select(np.load("x.npy"), keep=0.3).save("a.npz")
    assert main(["select", "x.npy", "--keep", "0.3", "--out", "a.npz"]) == 0
    done = in_shell(files, f"$D2PYG {command}")
    assert json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_left(files):
    done = in_shell(files, f"$D2PYG {SELECT} --json | true")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["kept"]
    assert len(d2pyg.Coreset.load("c.npz")) == 30


@pytest.mark.parametrize(
    ("body", "redirected"),
    [
        ("streams.say('x' * 100_000)", "| true"),
        ("print('x')", "| true"),  # as an imported module may
        ("streams.tell('x' * 100_000)", "2>&1 >/dev/null | true"),
        ("streams.tell('x')", "2>/dev/full"),
        ("import sys\nsys.stdout.close()\nsys.stderr.close()\nstreams.say('x')\nstreams.tell('x')", ""),
        ("streams.say('x')\nstreams.tell('x')", ">&- 2>&- <&-"),
        ("import sys\nprint('x')\nprint('x', file=sys.stderr)\nsys.stdin.read()", ">&- 2>&- <&-"),
    ],
)
def test_nothing_is_said_at_the_end(body, redirected, tmp_path):
    done = of_program(tmp_path, body, redirected)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_never_gets_the_number_of_a_standard_stream(tmp_path):
    body = """
import os
with outputs.replacing("o.npy") as file:
    os.write(2, b"what a library prints")
    os.write(1, b"what a library prints")
    file.write(b"whole")
"""
    assert of_program(tmp_path, body, ">&- 2>&- <&-").returncode == 0
    assert (tmp_path / "o.npy").read_bytes() == b"whole"


def test_streams_of_another_encoding(tmp_path):
    body = r"streams.say('日 \udcff')" + "\n" + r"streams.tell('日 \udcff')"
    done = of_program(tmp_path, body, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "\\u65e5 \\udcff\n", "\\u65e5 \\udcff\n")


def test_help_is_printed_in_full(files, capsys):
    done = in_shell(files, "$D2PYG select --help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "options that some methods have" in done.stdout
    assert "ccs" in done.stdout  # all methods are registered
    assert in_shell(files, "$D2PYG --version | true").returncode == 0


LONG = "x" * 400


@pytest.mark.parametrize(
    "command",
    [
        ["select", f"{LONG}.npy", "--keep", "0.5", "--out", "c.npz"],
        ["select", "x.npy", "--keep", LONG, "--out", "c.npz"],
        ["select", "x.npy", "--keep", "0.5", "--out", "c.npz", f"--{LONG}"],
        ["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--import", LONG],
        ["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--kernel", f"a\nb\u2028{LONG}"],
        ["select", "x.npy", "--keep", "0.5", "--out", "c.npz", "--device", "\udcff" * 100],
        [LONG],
    ],
)
def test_errors_are_one_line_of_300_characters(command, files, capsys):
    try:
        status = main(command)
    except SystemExit as stop:
        status = stop.code
    err = capsys.readouterr().err
    assert status == 2
    assert len(err.splitlines()) == 1
    assert err.startswith("d2pyg: error: ")
    assert len(err) <= 301
    assert "..." in err


@pytest.mark.filterwarnings("always")
def test_warnings_are_one_line_of_300_characters(files, monkeypatch, capsys):
    def noisy(*_, **__):
        warnings.warn(f"two\nlines {LONG}", UserWarning, stacklevel=1)
        logging.getLogger("other").warning("three\n%s", LONG)
        logging.getLogger("other").info("not for people")
        raise ValueError("the end")

    monkeypatch.setattr("d2pyg.cli.graph.knn_graph", noisy)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    before = logging.lastResort, warnings.showwarning
    assert main(["graph", "x.npy", "--out", "g.pt"]) == 2
    first, second, last = capsys.readouterr().err.splitlines()
    assert first.startswith("d2pyg: warning: two lines xxx")
    assert second.startswith("d2pyg: warning: three xxx")
    assert len(first) == len(second) == 300
    assert last == "d2pyg: error: the end"
    assert (logging.lastResort, warnings.showwarning) == before


def test_a_fault_of_our_own_is_told_from_the_user_s(files, monkeypatch, capsys):
    def wrong(*_, **__):
        return {}["nothing"]

    monkeypatch.setattr("d2pyg.cli.graph.knn_graph", wrong)
    assert main(["graph", "x.npy", "--out", "g.pt"]) == 1
    told = "d2pyg: internal error: KeyError: 'nothing'. Pass --verbose for the traceback.\n"
    assert capsys.readouterr().err == told
    assert main(["graph", "x.npy", "--out", "g.pt", "--verbose"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith(told)


def test_bars_need_somebody_who_watches(monkeypatch, capsys):
    assert not streams.on_terminal()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert streams.on_terminal()
    with progress_bar(2, "rows", "row", enabled=True) as bar:
        bar.update(2)
    assert "rows" in capsys.readouterr().err
    for stream in None, Full(errno.ENOSPC):
        monkeypatch.setattr(sys, "stderr", stream)
        assert not streams.on_terminal()
        with progress_bar(2, "rows", "row", enabled=True) as bar:
            bar.update(2)
