import math

import oracle
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import d2pyg
from d2pyg.selection.budget import after_cutoff, nested_seats, num_kept


@pytest.mark.parametrize(
    ("total", "given_", "expected"),
    [
        (10, {"keep": 0.25}, 3),  # 2.5 rounds up
        (10, {"prune": 0.25}, 7),  # 2.5 removed rounds up, to 3
        (1797, {"keep": 0.3}, 539),
        (1797, {"prune": 0.7}, 539),
        (10, {"keep": 1}, 10),
        (10, {"prune": 0}, 10),
        (10, {"budget": 10}, 10),
        (3, {"budget": 1}, 1),
    ],
)
def test_num_kept(total, given_, expected):
    assert num_kept(total, **{"keep": None, "prune": None, "budget": None, **given_}) == expected


@pytest.mark.parametrize(
    ("given_", "error", "match"),
    [
        ({}, ValueError, r"exactly one of .*\(got none\)"),
        ({"keep": 0.5, "prune": 0.5}, ValueError, r"\(got keep and prune\)"),
        ({"keep": 0.5, "prune": 0.5, "budget": 1}, ValueError, r"\(got keep and prune and budget\)"),
        ({"keep": 1.01}, ValueError, r"'keep' to be a fraction in 0 to 1 \(got 1.01\)"),
        ({"keep": -0.1}, ValueError, r"'keep' to be a fraction"),
        ({"prune": 3}, ValueError, r"'prune' to be a fraction .* For a number .* pass 'budget'"),
        ({"keep": 0.04}, ValueError, r"at least one of the 10 samples \(got 0.04, .*larger"),
        ({"prune": 1.0}, ValueError, r"at least one of the 10 samples \(got 1, .*smaller"),
        ({"keep": float("nan")}, ValueError, r"'keep' to be finite"),
        ({"keep": "0.3"}, TypeError, r"'keep' to be a number \(got str '0.3'\)"),
        ({"keep": True}, TypeError, r"'keep' to be a number \(got bool True\)"),
        ({"budget": 0}, ValueError, r"'budget' to be between 1 and 10, the number of samples"),
        ({"budget": 11}, ValueError, r"\(got 11\). For a fraction, pass 'keep'"),
        ({"budget": 3.0}, TypeError, r"'budget' to be a whole number \(got float 3.0\)"),
        ({"budget": True}, TypeError, r"'budget' to be a whole number"),
    ],
)
def test_num_kept_refuses(given_, error, match):
    with pytest.raises(error, match=match):
        num_kept(10, **{"keep": None, "prune": None, "budget": None, **given_})


def test_cutoff_drops_the_hardest_lowest_index_first():
    score = torch.tensor([3.0, 5.0, 1.0, 5.0, 5.0, 0.0])
    assert after_cutoff(score, 0).tolist() == [0, 1, 2, 3, 4, 5]
    assert after_cutoff(score, 0.25).tolist() == [0, 2, 4, 5]  # 1.5 rounds to 2
    assert after_cutoff(score, 0.7).tolist() == [2, 5]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]) | st.floats(-9, 9), min_size=1, max_size=30),
    st.floats(0, 1, exclude_max=True),
)
@example([1.0, 1.0, 2.0], 0.99)
def test_cutoff_against_sorting(hardness, cutoff):
    dropped = math.floor(cutoff * len(hardness) + 0.5)
    by_hardness = sorted(range(len(hardness)), key=lambda i: (-hardness[i], i))
    left = after_cutoff(torch.tensor(hardness, dtype=torch.float64), cutoff)
    assert left.tolist() == sorted(by_hardness[dropped:])


def test_auto_drops_what_is_above_0():
    hardness = torch.tensor([3.0, -5.0, 0.0, 4.0, -1.0, 3.0])
    assert after_cutoff(hardness, "auto", margins=True).tolist() == [1, 2, 4]
    assert after_cutoff(hardness.abs() + 1, "auto", margins=True).tolist() == []
    with pytest.raises(
        ValueError, match=r"a fraction with 'scores' that are numbers or losses \(got 'auto'"
    ):
        after_cutoff(hardness, "auto")
    with pytest.raises(ValueError, match=r"such as 0.1, or 'auto' \(got 'some'\)"):
        after_cutoff(hardness, "some", margins=True)


@pytest.mark.parametrize("cutoff", [-0.1, 1, 1.5])
def test_cutoff_out_of_range(cutoff):
    with pytest.raises(ValueError, match="'cutoff' to be at least 0 and below 1"):
        after_cutoff(torch.ones(3), cutoff)


@given(
    size=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    balance=st.sampled_from(["proportional", "uniform"]),
    min_per_class=st.integers(0, 5),
    data=st.data(),
)
def test_seats_equal_the_rule_one_at_a_time(size, balance, min_per_class, data):
    taken = [data.draw(st.integers(0, n)) for n in size]
    available = [data.draw(st.integers(0, n - t)) for n, t in zip(size, taken, strict=True)]
    budget = data.draw(st.integers(0, sum(available)))
    seats = nested_seats(
        *(torch.tensor(v) for v in (size, available, taken)), budget, balance, min_per_class
    )
    expected = oracle.seats(
        *(dict(enumerate(v)) for v in (size, available, taken)), budget, balance, min_per_class
    )
    assert seats.tolist() == expected


def test_seats_by_hand():
    size = torch.tensor([53, 24, 23])
    none = torch.zeros(3, dtype=torch.int64)
    # Sainte-Lague quotients 53 24 23 | 17.7 8 7.7 | 10.6 ...
    assert nested_seats(size, size, none, 7, "proportional", 0).tolist() == [0, 1, 2, 0, 0, 1, 2]
    assert nested_seats(size, size, none, 4, "uniform", 0).tolist() == [0, 1, 2, 0]
    few = torch.tensor([53, 1, 0])
    assert nested_seats(size, few, none, 4, "uniform", 0).tolist() == [0, 1, 0, 0]


def test_minimum_seats_come_first():
    size = torch.tensor([5, 5, 1])
    none = torch.zeros(3, dtype=torch.int64)
    assert nested_seats(size, size, none, 7, "proportional", 2).tolist() == [0, 1, 2, 0, 1, 0, 1]


def test_a_budget_below_the_minimum_seats_warns():
    with pytest.warns(UserWarning, match=r"budget of 4 gives 1 of 3 classes fewer .* 2 samples\. Raise"):
        d2pyg.baselines.random(labels=[0] * 5 + [1] * 5 + [2], budget=4, min_per_class=2)
    # A class with fewer samples than that gets them all, without a warning.
    d2pyg.baselines.random(labels=[0] * 5 + [1] * 5 + [2], budget=5, min_per_class=2)


def test_seats_refuse():
    one = torch.ones(1, dtype=torch.int64)
    with pytest.raises(ValueError, match="'balance' to be one of proportional, uniform"):
        nested_seats(one, one, one, 1, "even", 0)
    with pytest.raises(ValueError, match=r"'min_per_class' to be at least 0 \(got -1\)"):
        nested_seats(one, one, one, 1, "uniform", -1)
