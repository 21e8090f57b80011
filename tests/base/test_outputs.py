"""Outputs: whole or not at all, also on a full disk, with many writers, and where a run is killed."""

import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from d2pyg._base import commit, temporary
from d2pyg._base.outputs import check_output, discard_temporary, recorded, replacing, replacing_all

NUMPY = (".npy",)


def put(content, *paths):
    with replacing_all(*paths) as files:
        for file in files:
            file.write(content)


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def run(code, folder):
    """Another process; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


KILLED = """
    import os, pathlib, signal
    from d2pyg._base.outputs import replacing_all
    real = pathlib.Path.replace
    def replace(self, target):
        if pathlib.Path(target).name == {at!r}:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, target)
    pathlib.Path.replace = replace
    with replacing_all({paths}) as files:
        for file in files:
            file.write(b"new")
"""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_only_when_all_went_well(error, here):

    def interrupted():
        with replacing_all("a", "b") as files:
            files[0].write(b"half of tw")
            raise error

    put(b"one", "a", "b")
    with pytest.raises(error):
        interrupted()
    assert Path("a").read_bytes() == Path("b").read_bytes() == b"one"
    assert listed(here) == ["a", "b"]


def test_a_file_cannot_be_two_outputs(here):
    Path("link").symlink_to("a")
    with pytest.raises(ValueError, match=r"outputs to be different files \(got a, link\)"):
        put(b"", "a", "link")


def test_the_mode_is_kept_from_the_start(here):
    Path("secret").touch(0o600)
    os.umask(before := os.umask(0o027))
    for name, mode in ("secret", 0o600), ("new", 0o666 & ~before):
        with replacing(name) as file:
            file.write(b"x")
            (beside,) = here.glob(".d2pyg-*.tmp")
            assert beside.stat().st_mode & 0o777 == mode
        assert Path(name).stat().st_mode & 0o777 == mode


def test_the_rights_of_a_group_stay_with_that_group(here, monkeypatch):
    Path("shared").touch()
    Path("shared").chmod(0o664)
    put(b"x", "shared")
    assert Path("shared").stat().st_mode & 0o777 == 0o664
    real, fake = os.fstat, os.stat_result((0o100664, 0, 0, 1, 0, 12345, 0, 0, 0, 0))
    monkeypatch.setattr(os, "fchown", lambda *_: (_ for _ in ()).throw(PermissionError()))
    descriptor = os.open("shared", os.O_RDWR)
    temporary._permit(descriptor, fake)
    assert real(descriptor).st_mode & 0o777 == 0o604
    os.close(descriptor)


def test_a_link_stays_and_its_file_is_replaced(here):
    Path("folder").mkdir()
    Path("link").symlink_to("folder/real")
    put(b"x", "link")
    assert Path("link").is_symlink()
    assert Path("folder/real").read_bytes() == b"x"
    assert listed(here / "folder") == ["real"]


def test_nothing_is_written_through_a_link_at_the_temporary_name(here, monkeypatch):
    Path("victim").write_bytes(b"precious")
    Path(f".d2pyg-{'0' * 16}.tmp").symlink_to("victim")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    with pytest.raises(FileExistsError):
        put(b"x", "out")
    assert Path("victim").read_bytes() == b"precious"
    assert not Path("out").exists()


def test_names_as_long_as_the_file_system_allows(here):
    put(b"x", "a" * 255, "b" * 255)
    assert listed(here) == ["a" * 255, "b" * 255]


def test_all_or_none(here, monkeypatch):
    put(b"old", "a", "b")
    real = Path.replace

    def replace(self, target):
        if Path(target).name == "c" and self.suffix == ".tmp":
            raise PermissionError(errno.EPERM, "Operation not permitted", str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with recorded() as written, pytest.raises(PermissionError, match=f"not permitted: '{here}/c'"):
        put(b"new", "a", "new", "b", "c")
    assert written == []
    assert Path("a").read_bytes() == Path("b").read_bytes() == b"old"
    assert listed(here) == ["a", "b"]


def test_all_or_none_without_hard_links(here, monkeypatch):
    def link(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    test_all_or_none(here, monkeypatch)


@pytest.mark.parametrize(
    "next_one", ["writes", "writes to the other folder", "reads", "reads the other"]
)
def test_what_is_killed_between_two_renames_is_completed(next_one, here):
    Path("folder").mkdir()
    put(b"old", "a", "folder/b")
    run(KILLED.format(at="b", paths="'a', 'folder/b'"), here)
    assert (Path("a").read_bytes(), Path("folder/b").read_bytes()) == (b"new", b"old")
    if next_one == "writes":
        put(b"", "c")
    elif next_one == "writes to the other folder":
        put(b"", "folder/c")
    else:
        commit.settle("a" if next_one == "reads" else "folder/b")
    assert Path("a").read_bytes() == Path("folder/b").read_bytes() == b"new"
    put(b"", "c", "folder/c")
    assert [listed(here), listed(here / "folder")] == [["a", "c", "folder"], ["b", "c"]]


def test_what_is_killed_before_the_first_rename_is_not_done(here):
    put(b"old", "a", "b")
    run(KILLED.format(at="a", paths="'a'"), here)
    assert len(listed(here)) == 3
    put(b"", "c")
    assert Path("a").read_bytes() == b"old"
    assert listed(here) == ["a", "b", "c"]


@pytest.fixture
def journals(here):
    """Of a run that was killed when it had replaced ``a`` and not yet ``b``."""
    put(b"old", "a", "b")
    run(KILLED.format(at="b", paths="'a', 'b'"), here)
    return [commit._journal_path(here / name) for name in "ab"]


def test_with_a_journal_lacking_nothing_was_decided(journals, here):
    journals[1].unlink()
    commit.settle("a")
    assert Path("b").read_bytes() == b"old"
    assert listed(here) == ["a", "b"]


@pytest.mark.parametrize("damage", ["cut", "no list", "a list", "empty"])
def test_a_damaged_journal_moves_nothing(damage, journals, here):
    whole = journals[1].read_bytes()
    content = {"cut": whole[:-1], "no list": b'{"run": "1", "moves": 5}', "a list": b"[1]", "empty": b""}
    journals[1].write_bytes(content[damage])
    put(b"", "c")
    assert Path("b").read_bytes() == b"old"
    assert listed(here) == ["a", "b", "c"]


def test_who_has_written_since_is_newer(journals, here):
    Path("b").write_bytes(b"newer")
    commit.settle("b")
    assert Path("b").read_bytes() == b"newer"
    assert listed(here) == ["a", "b"]


@pytest.mark.parametrize("change", ["temporary", "old", "target", "link", "folder"])
def test_a_journal_is_trusted_for_names_of_ours_alone(change, journals, here):
    Path("precious.txt").write_bytes(b"precious")
    Path("mine.txt").write_bytes(b"mine")
    for journal in journals:
        content = json.loads(journal.read_bytes())
        move = content["moves"][1]
        if change == "temporary":
            move[1] = "mine.txt"
        elif change == "old":
            move[2] = "mine.txt"
        elif change == "target":
            move[0] = "precious.txt"
        elif change == "folder":
            move[0], move[1] = "b", f"../{here.name}/{move[1]}"
        journal.write_text(json.dumps(content))
        if change == "link":
            journal.rename(here / "elsewhere")
            journal.symlink_to("elsewhere")
    put(b"", "c")
    assert Path("precious.txt").read_bytes() == b"precious"
    assert Path("mine.txt").read_bytes() == b"mine"
    assert Path("b").read_bytes() == b"old"


def test_a_journal_in_the_way_that_is_none_of_ours(here):
    put(b"old", "a", "b")
    Path("victim").write_bytes(b"")
    commit._journal_path(here / "b").symlink_to("victim")
    with pytest.raises(OSError, match=r"\.d2pyg-.*\.commit"):
        put(b"new", "a", "b")
    assert Path("victim").read_bytes() == b""
    assert Path("a").read_bytes() == b"old"


def test_files_of_a_living_run_are_not_cleared(here):
    code = """
        from d2pyg._base.outputs import replacing_all
        with replacing_all("a", "b") as files:
            for file in files: file.write(b"theirs")
            print("written", flush=True)
            input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        put(b"mine", "a", "c")
        assert len(list(here.glob(".d2pyg-*.tmp"))) == 2
        process.communicate(b"\n")
    assert process.returncode == 0
    assert [Path(name).read_bytes() for name in "abc"] == [b"theirs", b"theirs", b"mine"]
    assert listed(here) == ["a", "b", "c"]


def test_where_there_are_no_locks_nothing_is_cleared(here, monkeypatch):
    def no_lock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    Path(f".d2pyg-{'1' * 16}.tmp").touch()
    monkeypatch.setattr("fcntl.flock", no_lock)
    put(b"x", "a", "b")
    assert Path("a").read_bytes() == Path("b").read_bytes() == b"x"
    assert listed(here) == [f".d2pyg-{'1' * 16}.tmp", "a", "b"]


def test_other_files_are_not_cleared(here):
    names = [".d2pyg-1.tmp", ".d2pyg-" + "x" * 16 + ".tmp", "a.tmp", f"d2pyg-{'0' * 16}.tmp"]
    for name in names:
        Path(name).touch()
    (here / f".d2pyg-{'0' * 16}.tmp").symlink_to("a.tmp")
    os.mkfifo(f".d2pyg-{'1' * 16}.tmp")
    os.link("a.tmp", f".d2pyg-{'2' * 16}.tmp")
    before = listed(here)
    put(b"x", "out")
    assert listed(here) == sorted([*before, "out"])


def test_many_writers_of_the_same_files(here):
    failures, damaged = [], []

    def write(content):
        for _ in range(10):
            try:
                put(content * 5000, "one")
                put(content * 5000, "a", "b")
            except Exception as error:
                failures.append(error)

    put(b"0" * 5000, "one", "a", "b")
    threads = [threading.Thread(target=write, args=(b"%d" % i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        content = Path("one").read_bytes()
        if len(content) != 5000 or len(set(content)) != 1:
            damaged.append(content)
    assert failures == damaged == []
    assert Path("a").read_bytes() == Path("b").read_bytes()
    assert listed(here) == ["a", "b", "one"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_until_all_is_in_place(number, here, monkeypatch):
    real = Path.replace

    def replace(self, target):
        done = real(self, target)
        os.kill(os.getpid(), number)
        return done

    def told(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", replace)
    before = signal.signal(number, told)
    try:
        with recorded() as written, pytest.raises(KeyboardInterrupt):
            put(b"new", "a", "b")
        assert signal.getsignal(number) is told
    finally:
        signal.signal(number, before)
    assert written == [Path("a"), Path("b")]
    assert Path("a").read_bytes() == Path("b").read_bytes() == b"new"
    assert listed(here) == ["a", "b"]


def test_records_within_records(here):
    with recorded() as outer:
        put(b"", "a")
        with recorded() as inner:
            put(b"", "b")
    put(b"", "c")
    assert (outer, inner) == ([Path("a"), Path("b")], [Path("b")])


def test_discard_temporary_is_for_this_process(here):
    def exits_at_once():
        with replacing("a") as file:
            file.write(b"x")
            if (child := os.fork()) == 0:
                discard_temporary()
                os._exit(0)
            os.waitpid(child, 0)
            assert len(listed(here)) == 1
            discard_temporary()
            assert listed(here) == []

    with pytest.raises(FileNotFoundError, match=f"'{here}/a'"):
        exits_at_once()


@pytest.mark.parametrize("made_of_it", [OSError("8 requested and 0 written"), RuntimeError("pos"), None])
def test_what_a_library_makes_of_a_failed_write(made_of_it, here):
    """A limit on the size of files stands in for the disk."""
    code = f"""
        import resource
        from d2pyg._base.outputs import replacing
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        try:
            with replacing("a") as file:
                file.write(b"x" * 3000)
                try:
                    file.write(b"x" * 10000)
                except OSError as error:
                    if {made_of_it!r} is not None:
                        raise {made_of_it!r} from error
        except Exception as error:
            print(repr(error), error.filename)
    """
    put(b"old", "a")
    assert run(code, here) == f"OSError(27, 'File too large') {here}/a\n"
    assert Path("a").read_bytes() == b"old"
    assert listed(here) == ["a"]


def test_a_disk_that_is_full_at_the_end(here, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    put(b"old", "a", "b")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{here}/a'"):
        put(b"new", "a", "b")
    assert Path("a").read_bytes() == Path("b").read_bytes() == b"old"
    assert listed(here) == ["a", "b"]


def test_every_writer_tells_a_full_disk(here):
    """A limit on the size of files stands in for the disk."""
    told = run(
        """
        import os, resource, sys
        import numpy as np, torch, d2pyg
        x = np.random.default_rng(0).normal(size=(4000, 3)).astype("float32")
        graph = d2pyg.knn_graph(x, 3)
        coreset = d2pyg.select(graph, np.ones(4000), keep=0.5)
        dynamics = d2pyg.scores.TrainingDynamics(4000)
        loader = torch.utils.data.DataLoader(torch.from_numpy(x), batch_size=100)
        suffixes = ["npy", "npz", "pt", "json", "csv"]
        calls = {f"c.{suffix}": coreset.save for suffix in suffixes}
        try:
            import pyarrow.parquet
            calls["c.parquet"] = coreset.save
        except ImportError:
            pass
        try:
            from d2pyg.plot import plot_coreset
            figures = ["f.png", "f.pdf", "f.svg"]
            plot_coreset(coreset, x, np.ones(4000), "f.png")
            os.unlink("f.png")
            calls |= {name: lambda path: plot_coreset(coreset, x, np.ones(4000), path) for name in figures}
        except ImportError:
            pass
        calls["g.pt"] = lambda path: d2pyg.save_graph(graph, path)
        calls["d.pt"] = dynamics.save
        calls["e.npy"] = lambda path: d2pyg.embed(torch.nn.Identity(), loader, path=path)
        for name in calls:
            open(name, "w").write("old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        for name, call in calls.items():
            try:
                call(name)
                print(name, "was written")
            except Exception as error:
                if str(error) != f"[Errno 27] File too large: {os.path.realpath(name)!r}":
                    print(name, type(error), error)
            if open(name).read() != "old":
                print(name, "is not as it was")
        print("done", len(calls), sorted(set(os.listdir()) - set(calls)))
        """,
        here,
    )
    assert told.splitlines()[0].startswith("done")
    assert told.endswith(" []\n")


@pytest.mark.parametrize(
    ("path", "error", "match"),
    [
        ("x.txt", ValueError, r"'out' to end in one of .npy \(got 'x.txt'\)"),
        ("no/x.npy", FileNotFoundError, r"in a folder that exists \(got 'no/x.npy'\). Make the folder"),
        ("file/x.npy", FileNotFoundError, r"in a folder that exists \(got 'file/x.npy'\)"),
        ("folder.npy", ValueError, r"to be a file \(got the folder 'folder.npy'\)"),
        ("pipe.npy", ValueError, r"a regular file \(got 'pipe.npy', a pipe, socket or device\)"),
        ("socket.npy", ValueError, r"a regular file \(got 'socket.npy'"),
        ("null.npy", ValueError, r"a regular file \(got 'null.npy'"),
        ("loop.npy", OSError, r"that can be written to \(got 'loop.npy': Too many levels"),
        (
            "a" * 252 + ".npy",
            OSError,
            r"that can be written to \(got '\.\.\.aaa.*: File name too long\)",
        ),
        ("a\0.npy", ValueError, r"that can be written to \(got 'a\\x00.npy': embedded null"),
        ("\ud800.npy", ValueError, r"that can be written to \(got .*surrogates not allowed\)"),
    ],
)
def test_paths_that_cannot_be_written_to(path, error, match, here):
    Path("folder.npy").mkdir()
    Path("file").touch()
    Path("null.npy").symlink_to("/dev/null")
    Path("loop.npy").symlink_to("loop.npy")
    os.mkfifo("pipe.npy")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.npy")
    with pytest.raises(error, match=match):
        check_output("out", path, NUMPY)


def test_paths_that_can_be_written_to(here):
    Path("dangling.npy").symlink_to("x.npy")
    for path in "x.npy", Path("x.npy"), "dangling.npy", "a" * 251 + ".npy":
        assert check_output("out", path, NUMPY) == Path(path)
    assert listed(here) == ["dangling.npy"]


def test_files_and_folders_that_are_read_only(here, monkeypatch):
    Path("x.npy").touch()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != here / "x.npy")
    with pytest.raises(
        PermissionError, match=r"file that can be written to \(got 'x.npy', which is read-only"
    ):
        check_output("out", "x.npy", NUMPY)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != here)
    with pytest.raises(PermissionError, match=r"folder that can be written to \(got 'x.npy'\)"):
        check_output("out", "x.npy", NUMPY)
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    here.chmod(0o1777)
    with pytest.raises(PermissionError, match=r"read-only or another user's\)"):
        check_output("out", "x.npy", NUMPY)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match=r"where files can be made \(got 'y.npy': No space left on device"):
        check_output("out", "y.npy", NUMPY)
