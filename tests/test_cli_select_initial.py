"""--initial takes what d2pyg select writes, and names: files of several kinds, one after the other."""

import json

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg.cli import main

N = 20
X = np.random.default_rng(0).normal(size=(N, 3))
NAMES = [f"n{i}" for i in range(N)]
NUMBERS = [1000 + 7 * i for i in range(N)]  # names that are no indices
SHUFFLED = [(7 * i + 3) % N for i in range(N)]  # names that look like indices of other samples


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("numbers.npy", NUMBERS)
    np.save("shuffled.npy", SHUFFLED)
    (tmp_path / "ids.txt").write_text("\n".join(NAMES))


def initial(words):
    """The indices that a selection took first."""
    assert main(f"select x.npy --budget 3 --out next.npz {words}".split()) == 0
    found = d2pyg.Coreset.load("next.npz")
    return found.settings["initial"]


def refused(words, capsys):
    capsys.readouterr()
    assert main(f"select x.npy --budget 3 --out refused.npz {words}".split()) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".json", ".csv", ".parquet", ".txt"])
def test_outputs_are_inputs(tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    words = ["select", "x.npy", "--ids", "ids.txt", "--budget", "3"]
    first = d2pyg.select(X, ids=NAMES, budget=3)
    if suffix == ".txt":
        (tmp_path / "first.txt").write_text("\n".join(first.ids[first.index]))
    else:
        assert main([*words, "--out", f"first{suffix}"]) == 0
    more = [*words, "--initial", f"first{suffix}", "--out", "next.npz", "--removed", "rest.txt"]
    assert main(more) == 0
    found = d2pyg.Coreset.load("next.npz")
    assert found.settings["initial"] == first.index.tolist()
    assert found.settings["files"]["initial"] == [f"first{suffix}"]
    assert len((tmp_path / "rest.txt").read_text().split()) == 14


@pytest.mark.parametrize("suffix", [".npy", ".json", ".txt"])
@pytest.mark.parametrize("ids", [None, "ids.txt", "numbers.npy"])
def test_what_removed_writes(suffix, ids):
    """Names where samples have names, and indices where they have none, text or integers."""
    named = "" if ids is None else f"--ids {ids}"
    main(f"select x.npy --keep 0.7 {named} --out first.npz --removed rest{suffix}".split())
    removed = d2pyg.Coreset.load("first.npz").removed
    assert len(removed) == 6
    assert initial(f"{named} --initial rest{suffix}") == removed.tolist()


@pytest.mark.parametrize("suffix", [".json", ".txt"])
def test_lists_are_names_where_samples_have_names(suffix, tmp_path):
    main(f"select x.npy --keep 0.7 --ids shuffled.npy --out first.npz --removed rest{suffix}".split())
    removed = d2pyg.Coreset.load("first.npz").removed
    assert initial(f"--ids shuffled.npy --initial rest{suffix}") == removed.tolist()
    assert removed.tolist() != [SHUFFLED[i] for i in removed]


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_integers_that_could_be_either_are_refused(suffix, tmp_path, capsys):
    """The way out that the error names is one."""
    main(
        [
            "select",
            "x.npy",
            "--keep",
            "0.7",
            "--ids",
            "shuffled.npy",
            "--out",
            "first.npz",
            "--removed",
            "rest.npy",
        ]
    )
    names = np.load("rest.npy")
    torch.save(torch.as_tensor(names), "rest.pt")
    said = refused(f"--ids shuffled.npy --initial rest{suffix}", capsys)
    assert "either indices or names, where 'ids' are integers (got " in said
    assert "Pass names in a .txt or .json file, or indices in a coreset's, such as .npz." in said
    assert len(said) < 300
    (tmp_path / "rest.txt").write_text("\n".join(map(str, names)))
    assert [SHUFFLED[i] for i in initial("--ids shuffled.npy --initial rest.txt")] == names.tolist()
    kept = d2pyg.Coreset.load("first.npz").index
    assert initial("--ids shuffled.npy --initial first.npz") == kept.tolist()


def test_several_files_of_several_kinds(tmp_path):
    first = d2pyg.select(X, ids=NAMES, budget=3)
    first.save("first.npz")
    second = d2pyg.select(X, ids=NAMES, budget=2, initial=first)
    second.save("second.csv")  # which begins with the first
    (tmp_path / "names.txt").write_text("n5\nn0\n")
    (tmp_path / "list.json").write_text(json.dumps(["n7", "n5"]))
    np.save("index.npy", np.array([9, 8], dtype=np.uint8))
    np.save("mask.npy", np.arange(N) == 11)
    expected = [*first.index.tolist(), *second.index.tolist(), 5, 0, 7, 9, 8, 11]
    given = "first.npz second.csv names.txt list.json --initial index.npy mask.npy"
    found = initial(f"--ids ids.txt --initial {given}")
    assert found == list(dict.fromkeys(expected))
    again = d2pyg.select(X, ids=NAMES, budget=3, initial=found)
    assert d2pyg.Coreset.load("next.npz").index.equal(again.index)


def test_the_number_of_samples_is_that_of_a_graph_or_of_scores():
    np.save("s.npy", np.arange(N))
    np.save("mask.npy", np.arange(N) < 2)
    assert main(["graph", "x.npy", "--out", "g.pt"]) == 0
    assert main(["select", "g.pt", "--budget", "3", "--initial", "mask.npy", "--out", "c.npz"]) == 0
    assert d2pyg.Coreset.load("c.npz").settings["initial"] == [0, 1]
    words = "select --method hardest --scores s.npy --budget 3 --initial mask.npy --out c.npz"
    assert main(words.split()) == 0
    assert d2pyg.Coreset.load("c.npz").index.tolist() == [19, 18, 17]


def test_an_empty_list_is_nothing(tmp_path):
    (tmp_path / "none.txt").write_text("")
    (tmp_path / "none.json").write_text("[]")
    assert initial("--initial none.txt none.json") == []


def test_refuses(tmp_path, capsys):
    (tmp_path / "names.txt").write_text("n5\n")
    (tmp_path / "numbers.txt").write_text("30\n")
    (tmp_path / "deep.json").write_text("[[1]]")
    (tmp_path / "cut.json").write_text("[1,")
    d2pyg.select(X[:9], budget=2).save("other.npz")
    np.save("twice.npy", [3, 3])
    np.save("number.npy", 3.0)
    for words, match in [
        (
            "--initial names.txt",
            "'initial' to be indices, a mask or a coreset where samples have no names",
        ),
        ("--initial numbers.txt", "'initial' to lie in 0 to 19, the samples (got 30)"),
        ("--ids numbers.npy --initial numbers.txt", "'initial' to name samples that are among 'ids'"),
        ("--initial deep.json", "list of names or indices in 'deep.json' (got [1]). Write them as"),
        ("--initial cut.json", "'initial' to be a complete .json file"),
        ("--initial other.npz", "'initial' to be a coreset of these 20 samples (got one of 9)"),
        ("--initial twice.npy", "'initial' to name each sample once (got 1 repeated)"),
        ("--initial none.txt", "'initial' to be a file that exists (got 'none.txt')"),
    ]:
        assert match in refused(words, capsys)
    for words, match in [
        ("--initial names.txt x.npy", "Write it before --initial, which takes all files after it"),
        ("--method hardest --initial names.txt", "'embeddings' or 'scores' with 'initial' (got no"),
        (
            "number.npy --initial names.txt",
            "'number.npy' to be an array with rows (got a single number)",
        ),
    ]:
        assert main(f"select --budget 3 --out c.npz {words}".split()) == 2
        assert match in capsys.readouterr().err
    for words in "names.txt --out names.txt", "other.npz c.npz --out c.npz":
        assert main(f"select x.npy --budget 3 --initial {words}".split()) == 2
        assert "Expected 'out' " in capsys.readouterr().err
