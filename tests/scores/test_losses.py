"""The recorder of losses against each score's definition, its files, its processes and its errors."""

import json
import math
import pickle

import numpy as np
import pytest
import torch
import torch.distributed
import torch.multiprocessing
from recording import recorded, same

import d2pyg
from d2pyg.cli import main
from d2pyg.scores import LossDynamics, TrainingDynamics, token_losses
from d2pyg.scores.recorder import Recorder

EPOCHS, N = 6, 40
SCORES = ["mean_loss", "last_loss", "loss_variance", "learnability"]


def losses(epoch):
    return 3 * torch.rand(N, generator=torch.Generator().manual_seed(epoch), dtype=torch.float64)


def feed(dynamics, epochs=range(EPOCHS), rows=slice(None), batch=7):
    for epoch in epochs:
        for part in torch.arange(N)[rows].flip(0).split(batch):
            dynamics.update(part, losses(epoch)[part])
        dynamics.end_epoch()
    return dynamics


def by_definition(name, row):
    mean = sum(row) / len(row)
    return {
        "mean_loss": mean,
        "last_loss": row[-1],
        "loss_variance": sum((value - mean) ** 2 for value in row) / len(row),
        "learnability": max(0.0, row[0] - row[-1]),
    }[name]


@pytest.mark.parametrize("name", SCORES)
def test_equals_the_definition(name):
    rows = torch.stack([losses(epoch) for epoch in range(EPOCHS)]).T.tolist()
    found = getattr(feed(LossDynamics(N)), name)()
    np.testing.assert_allclose(found, [by_definition(name, row) for row in rows], rtol=1e-12)
    assert found.dtype == torch.float64


def test_raw_learnability_has_a_sign():
    found = feed(LossDynamics(N)).learnability(raw=True)
    assert found.equal(losses(0) - losses(EPOCHS - 1))
    assert float(found.min()) < 0


def test_epochs_that_leave_out_a_sample_do_not_change_it():
    dynamics = feed(LossDynamics(N), range(2))
    before = dynamics.mean_loss()
    feed(dynamics, [2], slice(5))
    assert dynamics.mean_loss()[5:].equal(before[5:])
    assert dynamics.last_loss()[:5].equal(losses(2)[:5])
    assert dynamics.last_loss()[5:].equal(losses(1)[5:])


def test_the_first_batch_of_an_epoch_counts():
    dynamics = LossDynamics(2)
    dynamics.update([1, 0, 1], [3.0, 2.0, 9.0])
    dynamics.update([0], [7.0])
    dynamics.end_epoch()
    assert dynamics.mean_loss().tolist() == [2, 3]


def test_half_precision_and_arrays():
    dynamics = LossDynamics(2)
    dynamics.update(np.array([0]), torch.tensor([0.5], dtype=torch.bfloat16, requires_grad=True))
    dynamics.update(np.array([1]), np.array([2.0], dtype=np.float16))
    dynamics.end_epoch()
    assert dynamics.mean_loss().tolist() == [0.5, 2]


def test_select_goes_by_the_mean_loss():
    x, dynamics = np.random.default_rng(0).normal(size=(N, 3)), feed(LossDynamics(N))
    found = d2pyg.select(x, dynamics, keep=0.3)
    assert found == d2pyg.select(x, dynamics.mean_loss(), keep=0.3)
    assert len(d2pyg.select(x, dynamics, keep=0.3, cutoff=0.1)) == 12
    with pytest.raises(ValueError, match=r"numbers or losses \(got 'auto', .*TrainingDynamics as"):
        d2pyg.select(x, dynamics, keep=0.3, cutoff="auto")
    with pytest.raises(TypeError, match=r"got LossDynamics.40 samples, 6 epochs.*dynamics.last_loss"):
        d2pyg.baselines.hardest(x, dynamics, keep=0.3)


def test_a_recorder_is_no_value_of_samples(tmp_path, monkeypatch, capsys):
    """Where a score has to be chosen, also on the command line; the advice, followed, works."""
    monkeypatch.chdir(tmp_path)
    x, dynamics = np.random.default_rng(0).normal(size=(N, 3)), feed(LossDynamics(N))
    coreset = d2pyg.select(x, dynamics, keep=0.3)
    match = (
        r"'scores' to be values of all samples \(got LossDynamics\(40 .*dynamics.last_loss\(\), or on"
    )
    for call in (
        lambda: d2pyg.compare({"a": coreset}, x, dynamics),
        lambda: d2pyg.metrics.score_entropy(dynamics),
        lambda: d2pyg.sweep(x, dynamics, keep=0.3),
        lambda: d2pyg.duplicates(x, 0.1, scores=dynamics),
    ):
        with pytest.raises(TypeError, match=match) as found:
            call()
        assert len(str(found.value)) < 300
    np.save("x.npy", x)
    dynamics.save("run.pt")
    coreset.save("c.npz")
    assert main(["compare", "c.npz", "--embeddings", "x.npy", "--scores", "run.pt"]) == 2
    assert "d2pyg score last_loss --dynamics" in capsys.readouterr().err
    assert main(["score", "last_loss", "--dynamics", "run.pt", "--out", "s.npy"]) == 0
    assert main(["compare", "c.npz", "--embeddings", "x.npy", "--scores", "s.npy"]) == 0


class TestScoresThatNeedSomethingElse:
    def test_are_refused_by_name(self):
        match = (
            r"score that can be computed from losses: last_loss, learnability, loss_variance, mean_loss \(got 'aum', "
            r"which needs logits\). Record those with TrainingDynamics"
        )
        with pytest.raises(ValueError, match=match):
            feed(LossDynamics(N)).aum()
        with pytest.raises(
            AttributeError, match=r"computed from logits: aum, .*got 'mean_loss', which needs lo"
        ):
            recorded().mean_loss()
        assert not hasattr(LossDynamics(2), "forgetting")

    def test_other_names_are_plain_errors(self):
        with pytest.raises(AttributeError, match="no attribute 'size'"):
            _ = LossDynamics(2).size

    def test_two_epochs(self):
        dynamics = feed(LossDynamics(N), range(1))
        for name in "loss_variance", "learnability":
            with pytest.raises(ValueError, match=r"at least 2 epochs \(got 40 .*or ask for mean_loss"):
                getattr(dynamics, name)()
        assert dynamics.mean_loss().equal(dynamics.last_loss())


@pytest.mark.parametrize(
    ("batch", "error", "match"),
    [
        (([0], torch.tensor(1.0)), ValueError, r"floats of shape \(B,\), one per sample .*reduction='none'"),
        (([0], torch.ones(1, 4)), ValueError, r"shape \(1, 4\)\). Compute .* average what a sample has"),
        (([0], torch.tensor([1])), ValueError, r"got torch.int64 of shape \(1,\)"),
        (([0, 1], [1.0]), ValueError, "'index'.*1 samples"),
        (([2], [1.0]), ValueError, "'index' to lie in 0 to 1"),
        (([0.5], [1.0]), TypeError, r"'index' to be integers \(got torch.float64\). Pass"),
        (([0, 1], [1.0, -0.5]), ValueError,
         r"0 to 1e150 \(got -0.5 in row 1 of the batch, sample 1\).*add one constant"),
        (([0, 1], [math.nan, 1.0]), ValueError, r"got nan in row 0 .*look for divergence"),
        (([0], [math.inf]), ValueError, "got inf in row 0 .*look for divergence"),
        (([0], torch.tensor([1e200], dtype=torch.float64)), ValueError, "got 1e.200"),
    ],
)  # fmt: skip
def test_refuses_and_records_nothing(batch, error, match):
    dynamics = LossDynamics(2)
    with pytest.raises(error, match=match) as found:
        dynamics.update(*batch)
    assert len(str(found.value)) < 300
    assert same(dynamics, LossDynamics(2))


class TestFiles:
    def test_killed_and_resumed_equals_one_that_ran_through(self, tmp_path):
        killed = feed(LossDynamics(N), range(3))
        killed.update(torch.arange(9), losses(3)[:9])
        killed.save(tmp_path / "r.pt")
        resumed = LossDynamics.load(tmp_path / "r.pt")
        assert same(resumed, killed)
        assert same(pickle.loads(pickle.dumps(killed)), killed)
        assert type(Recorder.load(tmp_path / "r.pt")) is LossDynamics
        resumed.update(torch.arange(9, N), losses(3)[9:])
        resumed.end_epoch()
        assert same(feed(resumed, range(4, EPOCHS)), feed(LossDynamics(N)))

    def test_a_file_of_the_other_recorder_is_named(self, tmp_path):
        feed(LossDynamics(N)).save(tmp_path / "r.pt")
        with pytest.raises(ValueError, match=r"of logits, a TrainingDynamics \(got 'losses' in"):
            TrainingDynamics.load(tmp_path / "r.pt")
        with pytest.raises(ValueError, match=r"'state' to be of a recorder of losses, a LossDynamics"):
            LossDynamics(N).load_state_dict(recorded().state_dict())
        with pytest.raises(ValueError, match="same arguments"):
            LossDynamics(N).load_state_dict(LossDynamics(3).state_dict())

    @pytest.mark.parametrize(
        ("name", "value", "match"),
        [
            ("first", -1.0, "first in 0 to 1e.150 .got -1 at sample 3"),
            ("last", math.nan, "last in 0 to 1e.150 .got nan"),
            ("mean", math.inf, "mean in .*got inf"),
            ("deviations", -1.0, "deviations in 0 to .*got -1"),
            ("seen", 7, "seen in 0 to 6 .got 7"),
            ("loss", -1.0, "loss in 0 to 1e.150 .got -1"),
        ],
    )
    def test_impossible_values(self, name, value, match):
        dynamics = feed(LossDynamics(N))
        dynamics.update(torch.arange(N), losses(0))
        state = dynamics.state_dict()
        state["samples"][name][3] = value
        with pytest.raises(ValueError, match=match):
            LossDynamics(N).load_state_dict(state)

    @pytest.mark.parametrize("name", ["last", "mean", "deviations"])
    def test_one_epoch_has_one_loss(self, name):
        state = feed(LossDynamics(N), range(1)).state_dict()
        state["samples"][name][3] = 2.99
        with pytest.raises(ValueError, match=f"{name} in .*got 2.99 at sample 3"):
            LossDynamics(N).load_state_dict(state)

    def test_what_a_file_records_is_text(self):
        state = LossDynamics(3).state_dict()
        for wrong in torch.zeros(3), None, 7, ["losses"]:
            with pytest.raises(ValueError, match="of losses, a LossDynamics"):
                LossDynamics(3).load_state_dict({**state, "recorded": wrong})


def test_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    dynamics = feed(LossDynamics(N))
    dynamics.save("run.pt")
    recorded().save("logits.pt")
    x = np.random.default_rng(0).normal(size=(N, 3))
    np.save("x.npy", x)
    for name in SCORES:
        assert main(f"score {name.replace('_', '-')} --dynamics run.pt --out s.npy".split()) == 0
        assert np.load("s.npy").tolist() == getattr(dynamics, name)().tolist()
    assert main(["score", "learnability", "--raw", "--dynamics", "run.pt", "--out", "s.npy"]) == 0
    assert np.load("s.npy").tolist() == dynamics.learnability(raw=True).tolist()
    assert main(["select", "x.npy", "--scores", "run.pt", "--keep", "0.3", "--out", "c.json"]) == 0
    expected = d2pyg.select(x, dynamics, keep=0.3)
    assert json.loads((tmp_path / "c.json").read_text())["index"] == expected.index.tolist()
    capsys.readouterr()
    for command, match in [
        ("score aum --dynamics run.pt", "computed from losses: last_loss, "),
        ("score mean-loss --dynamics logits.pt", "got 'mean_loss', which needs losses"),
        ("score mean-loss --logits x.npy", "Expected 'dynamics' for mean_loss (got none). Pass --dynamics"),
        ("score mean-loss --raw --dynamics run.pt", "'raw' to be left out for mean_loss"),
        ("select x.npy --scores run.pt --cutoff auto --keep 0.3", "Pass a d2pyg.scores.TrainingDynamics"),
    ]:  # fmt: skip
        assert main(f"{command} --out o.npy".split()) == 2
        assert match in capsys.readouterr().err


def test_others():
    mine, other = LossDynamics(N), LossDynamics(N)
    mine.update(torch.arange(9), losses(0)[:9])
    other.update(torch.arange(5, N), losses(0)[5:])
    for wrong in TrainingDynamics(N), torch.zeros(3):
        with pytest.raises(TypeError, match=r"'others' to be a list of LossDynamics \(got T"):
            mine.end_epoch([wrong])
    mine.end_epoch([other])
    assert mine.mean_loss().equal(losses(0))


def train(rank, address, folder):
    """A process of two: first with recorders of two kinds, then with one of losses."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=2
    )
    unlike = recorded(0) if rank else LossDynamics(12)
    try:
        unlike.end_epoch()
    except ValueError as error:
        (folder / f"{rank}.txt").write_text(str(error))
    dynamics = LossDynamics(N)
    feed(dynamics, range(2), slice(rank, N, 2))
    dynamics.save(folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_processes(tmp_path):
    torch.multiprocessing.spawn(train, (str(tmp_path / "meet"), tmp_path), nprocs=2)
    for rank in range(2):
        assert same(LossDynamics.load(tmp_path / f"{rank}.pt"), feed(LossDynamics(N), range(2)))
        said = (tmp_path / f"{rank}.txt").read_text()
        assert "in all processes (got recorded 'logits', not 'losses', on rank 1)" in said


class TestTokenLosses:
    def test_equals_the_definition(self):
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(3, 5, 7, generator=generator)
        labels = torch.randint(7, (3, 5), generator=generator)
        labels[0, :2] = labels[1, 1:] = -100
        chance = logits.double().log_softmax(-1)
        for shift in False, True:
            found = token_losses(logits, labels, shift=shift)
            for row in range(3):
                terms = [
                    -float(chance[row, place - shift, labels[row, place]])
                    for place in range(int(shift), 5)
                    if labels[row, place] != -100
                ]
                expected = sum(terms) / len(terms) if terms else 0.0  # nothing to learn
                assert float(found[row]) == pytest.approx(expected, rel=1e-5)

    def test_half_precision_and_gradients(self):
        logits = torch.zeros(1, 2, 4, dtype=torch.bfloat16, requires_grad=True)
        found = token_losses(logits, torch.zeros(1, 2, dtype=torch.int32), shift=False)
        assert (found.dtype, found.requires_grad) == (torch.float32, False)
        assert float(found) == pytest.approx(math.log(4))

    def test_refuses(self):
        for logits, labels in [
            (torch.zeros(2, 3), torch.zeros(2, 3).long()),
            (torch.zeros(2, 3, 4), torch.zeros(2, 4).long()),
            (torch.zeros(2, 3, 4).long(), torch.zeros(2, 3).long()),
        ]:
            with pytest.raises(ValueError, match=r"shape \(B, T, V\) and 'labels' of shape \(B, T\)"):
                token_losses(logits, labels, shift=True)
        for label in 4, -1:
            labels = torch.tensor([[0, label, -100]])
            with pytest.raises(
                ValueError, match=f"'labels' to lie in 0 to 3, .*or to be -100 .got {label}"
            ):
                token_losses(torch.zeros(1, 3, 4), labels, shift=True)
        with pytest.raises(TypeError, match="'labels' to be integers"):
            token_losses(torch.zeros(1, 3, 4), torch.zeros(1, 3), shift=True)
        with pytest.raises(TypeError, match="'shift'"):
            token_losses(torch.zeros(2, 3, 4), torch.zeros(2, 3).long(), shift="yes")
