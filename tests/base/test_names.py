"""Names of samples: what is taken, how it is kept, and lists of them in files."""

import json
import os

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg._base.names import as_ids, as_text, decoded, encoded
from d2pyg.coreset.lists import name_list


def objects(names):
    return np.array(names, dtype=object)


@pytest.mark.parametrize(
    ("ids", "kind", "expected"),
    [
        (["a", "b", "c"], "U", ["a", "b", "c"]),
        (("a", "b", "c"), "U", ["a", "b", "c"]),
        (objects(["a", "b", "c"]), "U", ["a", "b", "c"]),
        (np.array(["a", "b", "c"], dtype=">U9"), "U", ["a", "b", "c"]),
        (np.array([b"a", b"b", b"c"]), "U", ["a", "b", "c"]),
        (objects([b"a", "b", b"caf\xe9"]), "U", ["a", "b", os.fsdecode(b"caf\xe9")]),
        ([b"a", b"b", np.bytes_(b"c")], "U", ["a", "b", "c"]),
        ([np.str_("a"), "a\0", ""], "O", ["a", "a\0", ""]),
        ([3, 1, 2], "i", [3, 1, 2]),
        (np.array([3, 1, 2], dtype=np.uint64), "i", [3, 1, 2]),
        (torch.tensor([3, 1, 2], dtype=torch.int8), "i", [3, 1, 2]),
    ],
)
def test_taken(ids, kind, expected):
    array = as_ids(ids, 3)
    assert array.dtype.kind == kind
    assert array.dtype.isnative
    assert array.tolist() == expected
    assert all(type(name) in (str, int) for name in array.tolist())


def test_arrays_of_fixed_width_are_kept():
    ids = np.array(["a", "b" * 5000])
    assert as_ids(ids, 2) is ids


@pytest.mark.parametrize("of", [list, objects, lambda names: [name.encode() for name in names]])
def test_one_long_name_takes_no_more_than_its_text(of):
    names = [f"https://example.org/{i:08d}.jpg" for i in range(5000)]
    names[7] += "?" + "q" * 50_000
    array = as_ids(of(names), 5000)
    assert array.nbytes == 8 * 5000
    assert array.tolist() == names


@pytest.mark.parametrize(
    ("ids", "error", "match"),
    [
        ([0.5] * 5, TypeError, "'ids' to be integers or strings .got dtype float64"),
        ([None] * 5, TypeError, "'ids' to have no missing values"),
        (["a", None, "c", "d", "e"], TypeError, "'ids' to have no missing values .got 1 .* row 1"),
        ([True] * 5, TypeError, "'ids' to be integers or strings"),
        (["1", 1, "b", "c", "d"], TypeError, "'ids' to be integers or strings"),
        ([1, "1", "b", "c", "d"], TypeError, "'ids' to be integers or strings"),
        ([1, 2, 3, 4, 2**70], TypeError, "'ids' to be integers or strings"),
        ("abcde", ValueError, r"'ids' to have one name for each of the 5 samples \(got shape \(\)\)"),
        (["a"] * 4, ValueError, "'ids' to have one name for each of the 5 samples"),
        (np.array([["a"], ["b"], ["c"], ["d"], ["e"]]), ValueError, r"one name for each .*\(5, 1\)"),
        (["a", "b", "c", "b", "d"], ValueError, "'ids' to name each sample once .got b 2 times"),
        ([1, 2, 3, 2, 4], ValueError, "'ids' to name each sample once .got 2 2 times"),
        ([b"a", "b", "c", "a", "d"], ValueError, "'ids' to name each sample once .got a 2 times"),
        (["a", "b\ud800", "c", "d", "e"], ValueError, r"got 'b\\ud800', with a lone surrogate"),
        (
            ["a", "\udcc3\udca9", "c", "d", "e"],
            ValueError,
            r"got '\\udcc3\\udca9', with a lone surrogate",
        ),
    ],
)
def test_refused(ids, error, match):
    with pytest.raises(error, match=match):
        d2pyg.select(np.eye(5), budget=2, ids=ids)


def test_the_advice_for_lone_surrogates_works():
    names = ["a", "b\ud800"]
    fine = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    assert as_ids(fine, 2).tolist() == ["a", "b\\ud800"]


def test_text_and_its_bytes():
    names = ["", "é", os.fsdecode(b"\xe9"), "a\0", "line\nbreak"]
    assert encoded(as_text(names)) == [b"", "é".encode(), b"\xe9", b"a\0", b"line\nbreak"]
    assert decoded(encoded(as_text(names))).tolist() == names


def test_explained_by_name():
    for ids in [*"abcdefgh", "i" * 10**6], [*"abcdefghi"], [*range(9)]:
        coreset = d2pyg.select(np.eye(9), budget=2, k=1, ids=ids)
        assert [coreset.explain(i).id for i in range(9)] == ids
        assert all(type(coreset.explain(i).id) is type(ids[0]) for i in range(9))


def test_lists_of_names(tmp_path):
    names = np.array(["b", os.fsdecode(b"caf\xe9"), "", "c d"])
    assert name_list("removed", names, ".txt") == b"b\ncaf\xe9\n\nc d\n"
    assert json.loads(name_list("removed", names, ".json")) == names.tolist()
    (tmp_path / "x.npy").write_bytes(name_list("removed", names, ".npy"))
    assert np.load(tmp_path / "x.npy").tolist() == names.tolist()
    assert name_list("removed", np.array([3, 1]), ".txt") == b"3\n1\n"
    assert json.loads(name_list("removed", np.array([3, 1]), ".json")) == [3, 1]
    assert name_list("removed", np.array([], dtype=np.int64), ".txt") == b""


BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("line_break", BREAKS)
def test_a_list_of_lines_refuses_names_that_are_none(line_break):
    for name in f"a{line_break}b", f"{line_break}a", f"a{line_break}":
        names = np.array(["x", name])
        with pytest.raises(
            ValueError, match=r"'removed' to be a .json or .npy file .*got .txt and 'a|.got"
        ):
            name_list("removed", names, ".txt")
        for suffix in ".json", ".npy":
            assert name_list("removed", names, suffix)


def test_lists_refuse_what_they_cannot_hold():
    with pytest.raises(
        ValueError, match=r"names that are not one line of text .got .txt and '\\ufeffa'"
    ):
        name_list("removed", np.array(["\ufeffa"]), ".txt")
    long = objects([*map(str, range(2000)), "x" * 10**6])
    with pytest.raises(ValueError, match=r"a .txt or .json file for names of very different lengths"):
        name_list("removed", long, ".npy")
    assert name_list("removed", long[:-1], ".npy")
