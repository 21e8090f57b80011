"""What is loaded is judged: by its form, and by what a recorder can have recorded."""

import numpy as np
import pytest
import torch
from recording import N, feed, recorded, same

from d2pyg.cli import main
from d2pyg.scores import TrainingDynamics

INF, NAN = float("inf"), float("nan")


def replaced(part, value):
    def change(state):
        state[part] = value

    return change


def setting(name, value):
    def change(state):
        state["settings"][name] = value

    return change


def sample(name, value, row=3):
    def change(state):
        state["samples"][name][..., row] = value

    return change


def tensor(name, made):
    def change(state):
        state["samples"][name] = made(state["samples"][name])

    return change


FORM = [
    ({}.update, "with samples, epochs, settings, recorded .got no samples", lambda _: {}),
    ({}.update, "got a NoneType", lambda _: None),
    ({}.update, "got a list", lambda _: [1]),
    ({}.update, "got a Tensor", lambda _: torch.zeros(3)),
    ({}.update, "got no settings", lambda state: {k: state[k] for k in ("samples", "epochs")}),
    ({}.update, "got an unknown 7", lambda state: {**state, 7: 1}),
    (replaced("recorded", "losses"), "of logits, a TrainingDynamics .got 'losses'", None),
    (replaced("settings", None), "with settings num_samples, .*got a NoneType", None),
    (replaced("settings", {}), "got no num_samples", None),
    (setting("depth", 3), "got an unknown 'depth'", None),
    (setting("num_samples", 10**30), "settings that TrainingDynamics takes .got .10{30}", None),
    (setting("num_samples", True), r"settings that TrainingDynamics takes .got .True, 2", None),
    (setting("num_samples", "12"), "settings that TrainingDynamics takes", None),
    (setting("window", 1), r"settings that TrainingDynamics takes .got .12, 1, 10, 'logits'", None),
    (setting("window", 2.0), "settings that TrainingDynamics takes", None),
    (setting("margin", ["logits"]), "settings that TrainingDynamics takes", None),
    (setting("num_samples", 2 * 10**7), r"seen as torch.int64 .20000000,. .got torch.int64 .12,", None),
    (replaced("epochs", -1), "of 0 to 2147483647 epochs .got -1", None),
    (replaced("epochs", 4.0), "epochs .got 4.0", None),
    (replaced("epochs", True), "epochs .got True", None),
    (replaced("epochs", 10**30), "epochs .got 10{30}", None),
    (replaced("epochs", None), "epochs .got None", None),
    (replaced("samples", None), "with the samples' tensors .got a NoneType", None),
    (replaced("samples", {}), "with the samples' tensors .got no seen", None),
    (lambda state: state["samples"].update({7: 1}), "with the samples' tensors .got an unknown 7", None),
    (tensor("el2n", lambda value: None), "el2n as torch.float64 .12,. .got NoneType", None),
    (tensor("el2n", lambda value: value.tolist()), "el2n as torch.float64 .12,. .got list", None),
    (tensor("el2n", lambda value: value.float()), "got torch.float32 .12,", None),
    (tensor("el2n", lambda value: value[:5]), r"got torch.float64 .5,", None),
    (tensor("el2n", lambda value: value.to_sparse()), "float64 .12,. without all of its", None),
    (tensor("el2n", lambda value: value[:1].expand(N)), "float64 .12,. (without all|repeats)", None),
]
CONTENT = [
    ("seen", -3, "seen in 0 to 4 .got -3 at sample 3"),
    ("seen", 5, "seen in 0 to 4 .got 5 at sample 3"),
    ("correct", -1, "correct in . to . .got -1"),
    ("correct", 5, "correct in . to . .got 5"),
    ("forgotten", 4, "forgotten in . to . .got 4"),
    ("forgotten", -1, "forgotten in . to . .got -1"),
    ("margin", NAN, "margin in -8e.300 to 8e.300 .got nan"),
    ("margin", INF, "margin in .*got inf"),
    ("margin", 1e301, "margin in .*got 1e.301"),
    ("el2n", 6.0, "el2n in 0 to 5.65685 .got 6"),
    ("el2n", -0.1, "el2n in 0 to 5.65685 .got -0.1"),
    ("el2n", NAN, "el2n in .*got nan"),
    ("entropy", -0.1, "entropy in 0 to 176 .got -0.1"),
    ("entropy", 1e9, "entropy in 0 to 176"),
    ("mean", NAN, "mean in 0 to 1 .got nan at sample 3"),
    ("mean", 1.5, "mean in 0 to 1 .got 1.5"),
    ("deviations", 1.5, "deviations in 0 to 1 .got 1.5"),
    ("deviations", -1.0, "deviations in 0 to 1 .got -1"),
    ("dyn_unc", 3.0, "dyn_unc in 0 to 2.12132 .got 3"),
    ("dyn_unc", NAN, "dyn_unc in .*got nan"),
    ("dual", 2.0, "dual in 0 to .*got 2"),
    ("dual", -0.5, "dual in 0 to .*got -0.5"),
    ("recent", NAN, "recent in 0 to 1 .got nan at sample 3"),
    ("recent", 1.1, "recent in 0 to 1 .got 1.1"),
    ("probability", 1.1, "probability in 0 to 1 .got 1.1"),
    ("probability", NAN, "probability in 0 to 1 .got nan"),
    ("epoch_margin", INF, "epoch_margin in .*got inf"),
    ("epoch_el2n", 2.0, "epoch_el2n in 0 to 1.41421"),
    ("epoch_entropy", -1.0, "epoch_entropy in 0 to 44"),
    ("epoch_correct", 0.5, "epoch_correct in 0 to 0 .got 0.5"),
    ("epoch_correct", 2.0, "epoch_correct in 1 to 1 .got 2"),
]  # fmt: skip


def refused_by_both(state, match, path):
    """By a recorder, which stays as it was, and as a file, which is named."""
    dynamics, before = recorded(2), recorded(2)
    with pytest.raises(ValueError, match=match) as found:
        dynamics.load_state_dict(state)
    assert str(found.value).startswith("Expected 'state' to be of a recorder ")
    assert len(str(found.value)) < 300
    assert same(dynamics, before)
    torch.save(state, path)
    with pytest.raises(ValueError, match=match) as found:
        TrainingDynamics.load(path)
    assert str(found.value).startswith("Expected 'path' to be a complete file of a recorder ")
    assert repr(str(path)) in str(found.value)


def open_state():
    dynamics = recorded()
    feed(dynamics, 4)
    return dynamics.state_dict()


@pytest.mark.parametrize(("change", "match", "whole"), FORM, ids=[case[1] for case in FORM])
def test_form(change, match, whole, tmp_path):
    state = open_state()
    change(state)
    state = state if whole is None else whole(state)
    refused_by_both(state, match, tmp_path / "r.pt")


@pytest.mark.parametrize(("name", "value", "match"), CONTENT, ids=[f"{c[0]} {c[1]}" for c in CONTENT])
def test_content(name, value, match, tmp_path):
    state = open_state()
    sample(name, value)(state)
    refused_by_both(state, match, tmp_path / "r.pt")


def test_what_a_sample_did_last_agrees_with_how_often_it_was_right(tmp_path):
    """Right in the last epoch: at least once. Wrong in it: not always, and forgotten if ever right."""
    for was, correct, forgotten in [(1, 0, 0), (0, 4, 0), (0, 2, 0), (1, 2, 2), (1, 4, 1), (0, 1, 2)]:
        state = recorded().state_dict()
        for name, value in ("was_correct", was), ("correct", correct), ("forgotten", forgotten):
            sample(name, value)(state)
        refused_by_both(state, "(correct|forgotten) in ", tmp_path / "r.pt")
    for was, correct, forgotten in [(1, 4, 0), (1, 1, 0), (0, 0, 0), (0, 1, 1), (1, 2, 1), (0, 2, 2)]:
        state = recorded().state_dict()
        for name, value in ("was_correct", was), ("correct", correct), ("forgotten", forgotten):
            sample(name, value)(state)
        recorded().load_state_dict(state)
    state = recorded(1, slice(5)).state_dict()  # never seen, so never right
    sample("was_correct", True, 7)(state)
    refused_by_both(state, "was_correct in 0 to 0 .got 1 at sample 7", tmp_path / "r.pt")


def test_what_the_open_epoch_has_not_seen_does_not_matter():
    dynamics = recorded()
    feed(dynamics, 4, slice(5))
    state = dynamics.state_dict()
    sample("epoch_el2n", NAN, 7)(state)
    resumed = recorded()
    resumed.load_state_dict(state)
    feed(resumed, 4, slice(5, N))
    resumed.end_epoch()
    assert resumed.el2n().equal(recorded(5).el2n())


def test_all_that_recorders_record_is_loaded(tmp_path):
    """No range is too narrow: extreme logits, long runs, samples that epochs leave out."""
    generator = torch.Generator().manual_seed(0)
    for margin in "logits", "probabilities":
        dynamics = TrainingDynamics(N, window=3, el2n_epochs=2, margin=margin)
        for epoch in range(40):
            scale = (1e-3, 1.0, 50.0, 1e299)[epoch % 4]
            values = scale * torch.randn(N, 3, generator=generator, dtype=torch.float64)
            rows = torch.rand(N, generator=generator) < 0.7
            rows[0] = True
            index = torch.arange(N)[rows]
            dynamics.update(index, values[rows], index % 3)
            dynamics.save(tmp_path / "open.pt")
            assert same(TrainingDynamics.load(tmp_path / "open.pt"), dynamics)
            dynamics.end_epoch()
            dynamics.save(tmp_path / "r.pt")
            assert same(TrainingDynamics.load(tmp_path / "r.pt"), dynamics)


def test_a_state_is_copied():
    state = recorded(2).state_dict()
    resumed = recorded(1)
    resumed.load_state_dict(state)
    state["samples"]["seen"][:] = 9
    assert same(resumed, recorded(2))


def test_sizes_are_compared_before_memory_is_taken(tmp_path, monkeypatch):
    state = recorded(1).state_dict()
    state["settings"]["num_samples"] = 2 * 10**7
    torch.save(state, tmp_path / "r.pt")
    made = []
    zeros = torch.zeros
    monkeypatch.setattr(
        "d2pyg.scores.state.torch.zeros", lambda *a, **k: made.append(a) or zeros(*a, **k)
    )
    with pytest.raises(ValueError, match=r"seen as torch\.int64"):
        TrainingDynamics.load(tmp_path / "r.pt")
    assert made == []


def test_the_commands_name_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    state = recorded().state_dict()
    sample("mean", NAN)(state)
    torch.save(state, "nan.pt")
    np.save("x.npy", np.eye(N))
    torch.save(torch.arange(N), "array.pt")
    for command, name in [
        ("score borderline --dynamics nan.pt --out s.npy", "dynamics"),
        ("select x.npy --scores nan.pt --budget 3 --out c.npz", "scores"),
    ]:
        assert main(command.split()) == 2
        said = capsys.readouterr().err
        assert f"'{name}' to be a complete file of a recorder with mean in 0 to 1 (got nan at" in said
        assert "'nan.pt'" in said
    assert not (tmp_path / "s.npy").exists()
    command = "select x.npy --scores array.pt --budget 3 --k 1 --out c.npz"  # no recorder
    assert main(command.split()) == 0


def test_a_file_that_was_cut_is_named(tmp_path):
    path = tmp_path / "r.pt"
    recorded().save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"'path' to be a complete .*r\.pt"):
            TrainingDynamics.load(path)


def test_a_bit_that_changed_is_found(tmp_path):
    """Or it is one that no value depends on."""
    path, dynamics = tmp_path / "r.pt", recorded()
    dynamics.save(path)
    whole, refused = path.read_bytes(), 0
    for bit in range(5, 8 * len(whole), 8 * len(whole) // 200):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            found = TrainingDynamics.load(path)
        except ValueError as error:
            refused += 1
            assert str(path) in str(error)  # noqa: PT017  # what is not refused is looked at, too
        else:
            assert same(found, dynamics)
    assert refused > 100


def test_more_samples_than_memory_holds():
    for options in {"num_samples": 2**62}, {"num_samples": 3, "window": 2**62}:
        with pytest.raises(ValueError, match="'num_samples' to fit into memory"):
            TrainingDynamics(**options)
    for name in "num_samples", "window", "el2n_epochs":
        for value in 2**63, 10**30, True, 1.5, None:
            with pytest.raises((ValueError, TypeError), match=f"'{name}' to be "):
                TrainingDynamics(**{"num_samples": 3, name: value})
