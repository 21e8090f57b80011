"""The recorder against each score's definition, written out for a recorded run."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.multiprocessing
from torch.utils._python_dispatch import TorchDispatchMode

import d2pyg
from d2pyg import scores
from d2pyg.scores import TrainingDynamics

SCORES = [
    "forgetting", "aum", "el2n", "entropy", "variance", "confidence", "correctness",
    "borderline", "dyn_unc", "dual",
]  # fmt: skip


def by_definition(name, logits, target, window, el2n_epochs=10):
    """One sample's score, from its logits [T, C], in plain Python."""
    epochs = len(logits)
    chance = []
    for row in logits.tolist():
        top = max(row)
        weight = [math.exp(z - top) for z in row]
        chance.append([w / sum(weight) for w in weight])
    true = [p[target] for p in chance]
    right = [row.index(max(row)) == target for row in logits.tolist()]
    mean = sum(true) / epochs
    if name == "forgetting":
        lost = sum(a and not b for a, b in itertools.pairwise(right))
        return lost if any(right) else epochs
    if name == "aum":  # raw
        return sum(
            row[target] - max(z for c, z in enumerate(row) if c != target) for row in logits.tolist()
        ) / epochs  # fmt: skip
    if name == "el2n":
        lengths = [
            math.sqrt(sum((p - (c == target)) ** 2 for c, p in enumerate(row)))
            for row in chance[:el2n_epochs]
        ]
        return sum(lengths) / len(lengths)
    if name == "entropy":
        return sum(-p * math.log(p) for row in chance for p in row if p > 0) / epochs
    if name == "variance":
        return sum((p - mean) ** 2 for p in true) / epochs
    if name == "confidence":
        return 1 - mean
    if name == "correctness":
        return right.count(False) / epochs
    if name == "borderline":
        return mean * mean * (1 - mean)
    values = []
    for start in range(epochs - window + 1):
        part = true[start : start + window]
        middle = sum(part) / window
        spread = math.sqrt(sum((p - middle) ** 2 for p in part) / (window - 1))
        values.append(spread * (1 - middle if name == "dual" else 1))
    return sum(values) / len(values)


EPOCHS, N, C, WINDOW = 14, 60, 4, 5


@pytest.fixture
def run(rng):
    """Logits [T, N, C] that drift, and targets; sample 0 is never right, sample 1 always."""
    target = rng.integers(0, C, N)
    logits = np.cumsum(rng.normal(size=(EPOCHS, N, C)), axis=0).astype(np.float32)
    logits[:, 0, target[0]] -= 50
    logits[:, 1, target[1]] += 50
    return torch.as_tensor(logits), torch.as_tensor(target)


def feed(dynamics, run, epochs=range(EPOCHS), seed=0, batch=16, dtype=torch.float32, device="cpu"):
    logits, target = run
    generator = torch.Generator().manual_seed(seed)
    for epoch in epochs:
        for rows in torch.randperm(N, generator=generator).split(batch):
            dynamics.update(rows, logits[epoch, rows].to(device, dtype), target[rows].to(device))
        dynamics.end_epoch()
    return dynamics


def values(dynamics):
    return {name: getattr(dynamics, name)() for name in SCORES}


@pytest.mark.parametrize("name", SCORES)
def test_equals_the_definition(name, run, device):
    dynamics = feed(TrainingDynamics(N, window=WINDOW), run, device=device)
    expected = [by_definition(name, run[0][:, i].double(), int(run[1][i]), WINDOW) for i in range(N)]
    found = getattr(dynamics, name)()
    if name == "aum":
        np.testing.assert_allclose(dynamics.aum(raw=True), expected, rtol=1e-12)
        expected = max(expected) - np.array(expected)
    # windows keep probabilities in float32
    tolerance = 3e-7 if name in ("dyn_unc", "dual") else 1e-12
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=tolerance)
    assert found.dtype == torch.float64
    assert found.device.type == "cpu"
    assert float(found.min()) >= 0
    assert found.isfinite().all()


def test_borderline_is_highest_where_a_sample_is_right_in_two_of_three_epochs():
    def score(right, epochs):
        logits = torch.tensor([[[0.0, 40.0 if epoch < right else -40.0]] for epoch in range(epochs)])
        return float(scores.borderline(logits, [1]))

    found = [score(right, 12) for right in range(13)]
    assert found.index(max(found)) == 8
    assert max(found) == pytest.approx(4 / 27)
    assert found[0] == pytest.approx(0)  # never learned, as mislabeled samples are
    assert found[12] == pytest.approx(0)


def test_harder_is_higher(run):
    """Sample 0 is never right and sample 1 always: every ordered score says so."""
    found = values(feed(TrainingDynamics(N, window=WINDOW), run))
    for name in "forgetting", "aum", "confidence", "correctness":
        assert found[name][0] == found[name].max(), name
        assert found[name][1] == found[name].min(), name
    assert found["forgetting"][0] == EPOCHS


def test_raw_values_are_the_other_way_round(run):
    dynamics = feed(TrainingDynamics(N, window=WINDOW), run)
    np.testing.assert_allclose(dynamics.confidence() + dynamics.confidence(raw=True), 1)
    np.testing.assert_allclose(dynamics.correctness() + dynamics.correctness(raw=True), 1)
    assert dynamics.aum(raw=True).argmax() == dynamics.aum().argmin()


def test_batches_in_any_order_and_size(run):
    one = feed(TrainingDynamics(N, window=WINDOW), run)
    two = feed(TrainingDynamics(N, window=WINDOW), run, seed=7, batch=1)
    three = feed(TrainingDynamics(N, window=WINDOW), run, batch=N)
    for name in SCORES:
        assert values(one)[name].equal(values(two)[name]), name
        assert values(one)[name].equal(values(three)[name]), name


def test_half_precision_logits(run, device):
    """As the same numbers in float32: what is rounded is the input alone."""
    rounded = run[0].half().float(), run[1]
    one = feed(TrainingDynamics(N, window=WINDOW), run, dtype=torch.float16, device=device)
    two = feed(TrainingDynamics(N, window=WINDOW), rounded)
    for name in SCORES:
        np.testing.assert_allclose(values(one)[name], values(two)[name], atol=1e-12)


def test_margins_of_probabilities(run):
    dynamics = feed(TrainingDynamics(N, window=WINDOW, margin="probabilities"), run)
    chance = run[0].double().softmax(-1)
    true = chance.gather(2, run[1].expand(EPOCHS, N).unsqueeze(2)).squeeze(2)
    others = chance.scatter(2, run[1].expand(EPOCHS, N).unsqueeze(2), -1).amax(2)
    np.testing.assert_allclose(dynamics.aum(raw=True), (true - others).mean(0), rtol=1e-12)


def test_el2n_of_the_first_epochs(run):
    dynamics = feed(TrainingDynamics(N, window=WINDOW, el2n_epochs=3), run)
    expected = [
        by_definition("el2n", run[0][:, i].double(), int(run[1][i]), WINDOW, 3) for i in range(N)
    ]
    np.testing.assert_allclose(dynamics.el2n(), expected, rtol=1e-12)


@pytest.mark.parametrize("through_a_file", [False, True])
def test_killed_and_resumed_equals_one_that_ran_through(run, tmp_path, through_a_file):
    through = feed(TrainingDynamics(N, window=WINDOW), run)
    killed = feed(TrainingDynamics(N, window=WINDOW), run, range(8))
    half = torch.arange(30)
    killed.update(half, run[0][8, half], run[1][half])  # killed in the middle of epoch 8
    if through_a_file:
        killed.save(tmp_path / "dynamics.pt")
        resumed = TrainingDynamics.load(tmp_path / "dynamics.pt")
    else:
        resumed = TrainingDynamics(N, window=WINDOW)
        torch.save({"dynamics": killed.state_dict()}, tmp_path / "checkpoint.pt")
        state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
        resumed.load_state_dict(state["dynamics"])
    killed.update(torch.arange(N), 0 * run[0][0], run[1])  # the dead recorder's numbers are its own
    rest = torch.arange(30, N)
    resumed.update(rest, run[0][8, rest], run[1][rest])
    resumed.end_epoch()
    feed(resumed, run, range(9, EPOCHS))
    assert resumed.epochs == EPOCHS
    for name in SCORES:
        assert values(resumed)[name].equal(values(through)[name]), name


def test_a_sample_counts_once_an_epoch(run):
    """With the first batch that has it, as a sampler that pads with repeats would have it."""
    once = feed(TrainingDynamics(N, window=WINDOW), run)
    twice = TrainingDynamics(N, window=WINDOW)
    for epoch in range(EPOCHS):
        index = torch.cat([torch.arange(N), torch.tensor([3, 3])])
        twice.update(index, run[0][epoch, index], run[1][index])
        twice.update([3, 5], -run[0][epoch, [3, 5]], run[1][[3, 5]])
        twice.end_epoch()
    for name in SCORES:
        assert values(once)[name].equal(values(twice)[name]), name
    mixed = TrainingDynamics(2, window=2)  # within one batch, too
    for _ in range(2):
        mixed.update([0, 0, 1], torch.tensor([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0]]), [0, 0, 0])
        mixed.end_epoch()
    assert mixed.correctness().tolist() == [0, 0]


def test_epochs_that_leave_a_sample_out_do_not_count_for_it(run):
    """Sample i misses epochs: as if its run had been shorter."""
    dynamics = TrainingDynamics(N, window=WINDOW)
    for epoch in range(EPOCHS):
        rows = torch.arange(N)[(torch.arange(N) + epoch) % 3 != 0]
        dynamics.update(rows, run[0][epoch, rows], run[1][rows])
        dynamics.end_epoch()
    for i in 0, 4, 17:
        seen = [epoch for epoch in range(EPOCHS) if (i + epoch) % 3 != 0]
        for name in SCORES:
            expected = by_definition(name, run[0][seen, i].double(), int(run[1][i]), WINDOW)
            found = dynamics.aum(raw=True) if name == "aum" else getattr(dynamics, name)()
            assert float(found[i]) == pytest.approx(expected, rel=1e-9, abs=3e-7), name


def test_recorders_of_several_processes_are_merged(run):
    whole = feed(TrainingDynamics(N, window=WINDOW), run)
    parts = [TrainingDynamics(N, window=WINDOW) for _ in range(3)]
    generator = torch.Generator().manual_seed(1)
    for epoch in range(EPOCHS):  # each epoch shuffles samples between processes, and pads with repeats
        order = torch.randperm(N, generator=generator)
        shards = torch.cat([order, order[:3]]).chunk(3)
        for part, rows in zip(parts, shards, strict=True):
            part.update(rows, run[0][epoch, rows], run[1][rows])
        parts[0].end_epoch(parts[1:])
        for part in parts[1:]:
            part.load_state_dict(parts[0].state_dict())
    for name in SCORES:
        assert values(parts[0])[name].equal(values(whole)[name]), name


def process(rank, world, address, logits, target, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=world
    )
    dynamics = TrainingDynamics(N, window=WINDOW)
    for epoch in range(EPOCHS):
        order = torch.randperm(N, generator=torch.Generator().manual_seed(epoch))
        rows = torch.cat([order, order[:1]])[rank::world]
        dynamics.update(rows, logits[epoch, rows], target[rows])
        dynamics.end_epoch()
    dynamics.save(f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_distributed_training(run, tmp_path):
    whole = feed(TrainingDynamics(N, window=WINDOW), run)
    arguments = (2, str(tmp_path / "meet"), *run, str(tmp_path))
    torch.multiprocessing.spawn(process, arguments, nprocs=2)
    for rank in range(2):
        found = TrainingDynamics.load(tmp_path / f"{rank}.pt")
        for name in SCORES:
            np.testing.assert_allclose(values(found)[name], values(whole)[name], rtol=1e-12)


def test_memory_does_not_grow_with_epochs(run):
    one = feed(TrainingDynamics(N, window=WINDOW), run, range(6))
    bytes_kept = sum(v.numel() * v.itemsize for v in one._state.values())
    feed(one, run)
    assert sum(v.numel() * v.itemsize for v in one._state.values()) == bytes_kept
    assert bytes_kept / N < 200


def test_a_batch_costs_what_it_holds(run):
    """Nothing that an update makes is larger than its logits, however large the data set."""
    largest = 0

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            made = function(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor) and not function.__name__.split(".")[0].endswith("_"):
                largest = max(largest, made.numel())
            return made

    dynamics = TrainingDynamics(100_000)
    with Sizes():
        dynamics.update([7, 99_999, 7], torch.tensor([[9.0, 0.0], [0.0, 9.0], [0.0, 9.0]]), [0, 0, 0])
    assert largest == 6
    assert dynamics._state["here"].nonzero().flatten().tolist() == [7, 99_999]
    assert dynamics._state["epoch_correct"][[7, 99_999]].tolist() == [1, 0]


def test_saved_logits(run):
    dynamics = feed(TrainingDynamics(N, window=WINDOW), run)
    for name in SCORES:
        options = {"window": WINDOW} if name in ("dyn_unc", "dual") else {}
        found = getattr(scores, name)(run[0], run[1].numpy(), **options)
        assert found.equal(getattr(dynamics, name)()), name
    assert scores.entropy(run[0]).equal(dynamics.entropy())
    assert scores.aum(run[0], run[1], raw=True).equal(dynamics.aum(raw=True))
    one_epoch = scores.el2n(run[0][0].numpy(), run[1])
    assert one_epoch.equal(scores.el2n(run[0][:1], run[1]))
    assert scores.el2n(run[0], run[1], epochs=1).equal(one_epoch)


def test_every_score_goes_into_select(run, rng):
    x = rng.normal(size=(N, 3))
    for value in values(feed(TrainingDynamics(N, window=WINDOW), run)).values():
        assert len(d2pyg.select(x, value, keep=0.3)) == 18


class TestErrors:
    def refused(self, match, *batch, error=ValueError):
        dynamics = TrainingDynamics(4)
        with pytest.raises(error, match=match):
            dynamics.update(*batch)
        assert not dynamics._state["here"].any()

    def test_batches(self):
        z = torch.zeros(2, 3)
        self.refused(r"'logits' to be floats of shape \(B, C\)", [0, 1], z[:, :1], [0, 0])
        self.refused(r"'logits' to be floats of shape \(B, C\)", [0, 1], z.long(), [0, 0])
        self.refused("'index' to be integers", [0.0, 1.0], z, [0, 0], error=TypeError)
        self.refused("'labels' to be integers", [0, 1], z, [0.0, 1.0], error=TypeError)
        self.refused("'labels' to have one value for each", [0, 1], z, [0])
        self.refused(r"'index' to lie in 0 to 3 \(got 0 to 4\)", [0, 4], z, [0, 0])
        self.refused(r"'labels' to lie in 0 to 2 \(got -1 to 0\)", [0, 1], z, [0, -1])
        self.refused("'logits' to be finite", [0, 1], z + torch.inf, [0, 0])

    def test_epochs(self):
        dynamics = TrainingDynamics(3, window=2)
        with pytest.raises(ValueError, match=r"update\(\) before end_epoch\(\)"):
            dynamics.end_epoch()
        dynamics.update([0], torch.zeros(1, 2), [0])
        with pytest.raises(ValueError, match=r"end_epoch\(\) after the last batch \(got 1 samples"):
            dynamics.aum()
        dynamics.end_epoch()
        with pytest.raises(ValueError, match=r"at least an epoch \(got 2 of 3 .* index 1\)"):
            dynamics.aum()
        dynamics.update([0, 1, 2], torch.zeros(3, 2), [0, 0, 0])
        dynamics.end_epoch()
        assert dynamics.aum(raw=True).tolist() == [0, 0, 0]
        with pytest.raises(
            ValueError, match=r"at least 2 epochs, the window .* make the window smaller"
        ):
            dynamics.dual()

    def test_arguments(self):
        for name in "num_samples", "window", "el2n_epochs":
            with pytest.raises(ValueError, match=f"'{name}' to be at least"):
                TrainingDynamics(**{"num_samples": 3, name: 0})
        with pytest.raises(ValueError, match="'margin' to be one of logits, probabilities"):
            TrainingDynamics(3, margin="loss")
        with pytest.raises(ValueError, match=r"shape \(epochs, N, C\)"):
            scores.aum(torch.zeros(3), [0, 0, 0])

    def test_states_and_files(self, tmp_path):
        dynamics = TrainingDynamics(3)
        for state in TrainingDynamics(4).state_dict(), TrainingDynamics(3, window=3).state_dict(), {}:
            with pytest.raises(ValueError, match="'state' to be of a recorder with"):
                dynamics.load_state_dict(state)
        (tmp_path / "bad.pt").write_bytes(b"no tensors")
        with pytest.raises(ValueError, match="to be a complete"):
            TrainingDynamics.load(tmp_path / "bad.pt")
        with pytest.raises(ValueError, match="'path' to end in one of"):
            dynamics.save(tmp_path / "dynamics.npz")
        torch.save({"epochs": 1}, tmp_path / "other.pt")
        with pytest.raises(ValueError, match="to be a complete"):
            TrainingDynamics.load(tmp_path / "other.pt")
