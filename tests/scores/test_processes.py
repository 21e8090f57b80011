"""Recorders of several processes: put together, handed over, copied."""

import copy
import io
import multiprocessing.reduction
import pickle

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from recording import EPOCHS, TARGET, N, feed, logits, recorded, same

from d2pyg.scores import TrainingDynamics


def opened(rows, **options):
    dynamics = TrainingDynamics(N, window=2, **options)
    feed(dynamics, 0, rows)
    return dynamics


class TestOthers:
    def test_the_first_recorder_counts(self):
        mine, other = opened(slice(0, 8)), TrainingDynamics(N, window=2)
        other.update(torch.arange(4, N), -logits(0)[4:], TARGET[4:])
        mine.end_epoch([other])
        expected = torch.cat([logits(0)[:8], -logits(0)[8:]])
        by_hand = TrainingDynamics(N, window=2)
        by_hand.update(torch.arange(N), expected, TARGET)
        by_hand.end_epoch()
        assert mine.aum().equal(by_hand.aum())
        assert other.epochs == 0

    @pytest.mark.parametrize(
        ("others", "error", "match"),
        [
            ([TrainingDynamics(N, window=2, margin="probabilities")], ValueError,
             r"recorders with the arguments of this one \(got margin 'probabilities', not 'logits'\)"),
            ([TrainingDynamics(N + 1, window=2)], ValueError, "num_samples 13, not 12"),
            ([TrainingDynamics(N, window=3)], ValueError, "window 3, not 2"),
            ([TrainingDynamics(N, window=2, el2n_epochs=4)], ValueError, "el2n_epochs 4, not 10"),
            ([None], TypeError, r"'others' to be a list of TrainingDynamics \(got NoneType\)"),
            ([opened(slice(5, N)).state_dict()], TypeError, r"got dict\)"),
            (["r.pt"], TypeError, r"got str\)"),
            (opened(slice(5, N)), TypeError, r"\(got TrainingDynamics\). Pass end_epoch\(\[first, "),
            (7, TypeError, r"got int\)"),
            (torch.tensor(3), TypeError, r"got Tensor\)"),
        ],
    )  # fmt: skip
    def test_refuses_and_changes_nothing(self, others, error, match):
        mine, before = opened(slice(0, 5)), opened(slice(0, 5))
        good = opened(slice(5, N))
        wrong = [good, *others] if isinstance(others, list) else others
        with pytest.raises(error, match=match):
            mine.end_epoch(wrong)
        assert same(mine, before)
        assert same(good, opened(slice(5, N)))

    def test_refuses_itself(self):
        mine = opened(slice(0, 5))
        with pytest.raises(ValueError, match=r"'others' to be other recorders .got this one itself"):
            mine.end_epoch([mine])
        assert same(mine, opened(slice(0, 5)))

    def test_an_epoch_without_samples_closes_nothing(self):
        mine = TrainingDynamics(N, window=2)
        with pytest.raises(ValueError, match=r"update\(\) before end_epoch\(\)"):
            mine.end_epoch([TrainingDynamics(N, window=2)])
        assert mine.epochs == 0


def by_pickle(dynamics):
    return pickle.loads(pickle.dumps(dynamics))


def by_multiprocessing(dynamics):
    """As arguments are sent to processes: torch's pickler shares the memory of tensors."""
    file = io.BytesIO()
    multiprocessing.reduction.ForkingPickler(file).dump(dynamics)
    return pickle.loads(file.getvalue())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, by_pickle, by_multiprocessing])
def test_copies_are_whole_and_of_their_own(copied):
    dynamics = recorded(2)
    feed(dynamics, 2, slice(0, 5))
    other = copied(dynamics)
    assert same(other, dynamics)
    expected = copied(dynamics)
    feed(other, 2, slice(5, N))
    other.end_epoch()
    assert same(dynamics, expected)
    assert other.aum().equal(recorded(3).aum())


def test_one_that_saw_nothing_says_where_the_scores_are():
    dynamics = TrainingDynamics(N, window=2)
    match = (
        r"before scores \(got a recorder that saw nothing\).*call save\(\) there, on rank 0.*load\(\)"
    )
    for score in dynamics.aum, dynamics.borderline, dynamics.dual, dynamics.forgetting:
        with pytest.raises(ValueError, match=match):
            score()
    feed(dynamics, 0)
    with pytest.raises(ValueError, match=r"Expected end_epoch\(\) after the last batch"):
        dynamics.aum()


def train(rank, given, address, folder):
    """A process of two: first with recorders that differ, then with the one it was given."""
    resumed = recorded(rank)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=2
    )
    margin = ("logits", "probabilities")[rank]
    for unlike in TrainingDynamics(N + rank), TrainingDynamics(N, margin=margin), resumed:
        feed(unlike, 0)
        try:
            unlike.end_epoch()
        except ValueError as error:
            with open(f"{folder}/{rank}.txt", "a") as file:  # noqa: PTH123
                print(error, file=file)
    for epoch in range(EPOCHS):
        feed(given, epoch, slice(rank, N, 2))
        given.end_epoch()
    given.save(f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_processes_that_were_spawned(tmp_path):
    """They share no memory with this one, and have the same in the end; those that differ are refused."""
    given = TrainingDynamics(N, window=2)
    torch.multiprocessing.spawn(train, (given, str(tmp_path / "meet"), str(tmp_path)), nprocs=2)
    assert same(given, TrainingDynamics(N, window=2))
    for rank in range(2):
        assert same(TrainingDynamics.load(tmp_path / f"{rank}.pt"), recorded())
    said = [(tmp_path / f"{rank}.txt").read_text() for rank in range(2)]
    assert said[0] == said[1]
    assert "in all processes (got num_samples 13, not 12, on rank 1). Make all alike" in said[0]
    assert "(got margin 'probabilities', not 'logits', on rank 1)" in said[0]
    assert "(got epochs 1, not 0, on rank 1)" in said[0]
    assert len(said[0].splitlines()) == 3
