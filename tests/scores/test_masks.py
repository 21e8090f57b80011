"""Logits that are masked, extreme, or none at all, at every door."""

import math

import numpy as np
import pytest
import torch

from d2pyg import scores
from d2pyg.cli import main
from d2pyg.scores import TrainingDynamics

INF = float("inf")
SHOWN = torch.tensor([[2.0, 1.0, 0.5], [0.1, 0.2, 0.3], [1.0, 4.0, -2.0]])
TARGET = torch.tensor([0, 1, 0])
HIDDEN = torch.tensor([False, False, True])
MASKED = SHOWN.masked_fill(HIDDEN, -INF)
NAMES = ["forgetting", "aum", "el2n", "entropy", "variance", "confidence", "correctness", "borderline"]


def recorded(logits, target=TARGET, **options):
    dynamics = TrainingDynamics(len(logits), window=2, **options)
    for epoch in logits, logits / 2:
        dynamics.update(torch.arange(len(logits)), epoch, target)
        dynamics.end_epoch()
    return dynamics


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("margin", ["logits", "probabilities"])
def test_a_masked_class_is_as_if_it_were_not_there(kind, margin, device):
    """As logits of the others alone; and as a mask of the lowest number that the dtype has."""
    found = recorded(MASKED.to(device, kind), margin=margin)
    without = recorded(SHOWN[:, :2].to(device, kind), margin=margin)
    low = torch.finfo(kind).min if kind is not torch.float64 else -1e300
    lowest = recorded(SHOWN.to(device, kind).masked_fill(HIDDEN.to(device), low), margin=margin)
    for name in [*NAMES, "dyn_unc", "dual"]:
        score = getattr(found, name)()
        assert score.isfinite().all(), name
        np.testing.assert_allclose(score, getattr(without, name)(), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(score, getattr(lowest, name)(), rtol=1e-12, atol=1e-15)


def test_saved_logits_and_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    both = torch.stack([MASKED, MASKED / 2])
    np.save("l.npy", both.half().numpy())
    np.save("y.npy", TARGET.numpy())
    for name in NAMES:
        expected = getattr(recorded(MASKED.half()), name)()
        assert getattr(scores, name)(both.half(), TARGET).equal(expected), name
        assert main(["score", name, "--logits", "l.npy", "--labels", "y.npy", "--out", "s.npy"]) == 0
        assert np.load("s.npy").tolist() == expected.tolist(), name


def test_entropy_needs_no_targets_whatever_is_masked():
    logits = torch.tensor([[-INF, 0.0, 0.0], [-INF, 3.0, -INF]])
    assert scores.entropy(logits).tolist() == pytest.approx([math.log(2), 0])
    with pytest.raises(
        ValueError, match=r"of the true class to be finite .*row 0 of the batch, sample 0"
    ):
        scores.entropy(torch.tensor([[-INF, -INF]]))


def test_one_class_that_is_left():
    logits = torch.tensor([[-INF, 3.0, -INF]])
    found = recorded(logits, [1], margin="probabilities")
    assert found.aum(raw=True).tolist() == [1]
    assert scores.el2n(logits, [1]).tolist() == [0]
    assert scores.aum(logits, [1], margin="probabilities", raw=True).tolist() == [1]
    for door in (lambda: recorded(logits, [1])), (lambda: scores.aum(logits, [1])):
        with pytest.raises(ValueError, match=r"two classes unmasked.*one in row 0.*margin='prob"):
            door()


REFUSED = [
    ("nan", float("nan"), "'logits' to be finite, .*got nan in row 1 of the batch, sample 7"),
    ("inf", INF, "'logits' to be finite, .*got inf in row 1 of the batch, sample 7"),
    ("1.7e308", 1.7e308, r"from -1e300 to 1e300, .*got 1.7e\+308 in row 1 of the batch, sample 7"),
    ("-1.7e308", -1.7e308, r"or -inf for a masked class .got -1.7e\+308 in row 1"),
    ("-inf", -INF, "of the true class to be finite .got -inf, which masks it, in row 1 .*, sample 7"),
]


@pytest.mark.parametrize(("value", "match"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_nothing_of_a_batch_is_recorded(value, match):
    dynamics = TrainingDynamics(9)
    logits = SHOWN.double()
    logits[1, 1] = value
    with pytest.raises(ValueError, match=match) as found:
        dynamics.update([2, 7, 3], logits, TARGET)
    assert len(str(found.value)) < 300
    assert not dynamics._state["here"].any()
    for name in NAMES:
        with pytest.raises(ValueError, match=match.replace("sample 7", "sample 1")):
            getattr(scores, name)(logits, TARGET)


def test_the_largest_logits_sum_to_finite_numbers():
    """Over ten million epochs, as the margins of one epoch show."""
    logits = torch.tensor([[1e300, -1e300], [-1e300, 1e300], [0.0, -1e300]], dtype=torch.float64)
    dynamics = recorded(logits, [0, 0, 1])
    for name in [*NAMES, "dyn_unc", "dual"]:
        assert getattr(dynamics, name)().isfinite().all(), name
    assert math.isfinite(1e7 * float(dynamics._state["margin"].abs().max()))


def test_other_scores_than_entropy_need_targets():
    for name in set(NAMES) - {"entropy"}:
        with pytest.raises((TypeError, ValueError), match="'labels' to be "):
            getattr(scores, name)(SHOWN, None)
