import math

import pytest
import torch

import d2pyg
from d2pyg.nn import AbsoluteReverse, LaplacianKernel, ReverseMessage, WeightedReverse


def test_weighted_is_the_kernel_times_the_score():
    pick, neighbor, distance = torch.tensor([[3.0, -2.0], [9.0, 9.0], [0.5, 2.0]]).double()
    rbf = WeightedReverse(gamma=0.4).message(pick, neighbor, distance)
    assert rbf.tolist() == pytest.approx([3 * math.exp(-0.1), -2 * math.exp(-1.6)])
    laplacian = WeightedReverse(0.4, LaplacianKernel()).message(pick, neighbor, distance)
    assert laplacian.tolist() == pytest.approx([3 * math.exp(-0.2), -2 * math.exp(-0.8)])


def test_absolute_is_the_score():
    pick = torch.tensor([3.0, -2.0])
    assert AbsoluteReverse().message(pick, pick, pick.abs()).tolist() == [3.0, -2.0]


def test_repr():
    assert repr(WeightedReverse(2)) == "WeightedReverse(gamma=2.0, kernel=RBFKernel())"
    assert repr(AbsoluteReverse()) == "AbsoluteReverse()"


def test_claims():
    assert ReverseMessage.monotone is ReverseMessage.linear is False
    assert WeightedReverse.monotone is WeightedReverse.linear is True
    assert AbsoluteReverse.monotone is AbsoluteReverse.linear is True


def test_an_objects_own_gamma_is_not_overruled():
    x = torch.eye(4)
    with pytest.raises(ValueError, match="'gamma_reverse' to be None with a ReverseMessage object"):
        d2pyg.select(x, budget=2, k=1, reverse=WeightedReverse(0.5), gamma_reverse=0.1)


def test_a_gamma_without_effect_is_refused():
    x = torch.eye(4)
    for run in d2pyg.select, d2pyg.greedy_select:
        given = (x,) if run is d2pyg.select else (torch.ones(4), d2pyg.knn_graph(x, 1))
        options = {"budget": 2, "reverse": "absolute"}
        with pytest.raises(
            ValueError, match=r"'gamma_reverse' to be None with reverse 'absolute'.*got 0.1"
        ):
            run(*given, gamma_reverse=0.1, **options)
        assert run(*given, **options).settings["gamma_reverse"] is None
    with pytest.raises(ValueError, match="'gamma_reverse' to be None with reverse 'absolute'"):
        d2pyg.sweep(x, budget=2, k=1, reverse="absolute", gamma_reverse=[0.1, 0.2])


def test_bad_gamma():
    with pytest.raises(ValueError, match=r"'gamma' to be finite \(got nan\)"):
        WeightedReverse(math.nan)
    with pytest.raises(TypeError, match="'gamma' to be a number"):
        WeightedReverse("high")


def test_plug_ins_of_other_kinds():
    x = torch.rand(5, 2)
    match = r"'{}' to be a name or a d2pyg.nn.{} \(got function\). Subclass it"
    for name, kind in (
        ("kernel", "Kernel"),
        ("reverse", "ReverseMessage"),
        ("forward", "ForwardMessagePassing"),
    ):
        with pytest.raises(TypeError, match=match.format(name, kind)):
            d2pyg.select(x, budget=2, **{name: lambda **_: test_bad_gamma})
        with pytest.raises(
            TypeError, match=rf"'{name}' to be called as others of its kind are \(got int"
        ):
            d2pyg.select(x, budget=2, **{name: int})

    class Width(d2pyg.nn.Kernel):
        def __init__(self, width):
            self.width = width

        def weight(self, distance, gamma):
            return distance

    with pytest.raises(TypeError, match=r"\(got Width: missing a required argument: 'width'\)"):
        d2pyg.select(x, budget=2, kernel=Width)


def test_a_new_message_does_not_inherit_the_claims_of_the_old():
    class Capped(WeightedReverse):
        def message(self, pick_score, neighbor_score, distance):
            return super().message(pick_score, neighbor_score, distance).clamp(max=1.0)

    class Renamed(WeightedReverse):
        pass

    class Restated(WeightedReverse):
        monotone = True

        def message(self, pick_score, neighbor_score, distance):
            return pick_score * 0

    assert Capped.monotone is Capped.linear is False
    assert Renamed.monotone is Renamed.linear is True
    assert (Restated.monotone, Restated.linear) == (True, False)

    class Fading(AbsoluteReverse):
        def message(self, pick_score, neighbor_score, distance):
            return self.weight(distance) * pick_score

    assert Fading.uses_distance
    assert not AbsoluteReverse.uses_distance
