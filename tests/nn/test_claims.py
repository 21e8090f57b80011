import pytest
import torch

import d2pyg
from d2pyg.nn import AbsoluteReverse, Kernel, ReverseMessage, WeightedReverse, check_claims

DISTANCE = torch.linspace(0, 3, 50)


def reverse(message, monotone=False, linear=False):
    """A message with claims."""
    names = {"message": lambda self, p, n, d: message(p, n, d), "monotone": monotone, "linear": linear}
    return type("Made", (ReverseMessage,), names)()


TRUE = {
    "weighted": WeightedReverse(0.7),
    "absolute": AbsoluteReverse(),
    "capped": reverse(lambda p, n, d: p.clamp(max=1.0), monotone=True),
    "on the neighbor": reverse(lambda p, n, d: p + n),
    "raising": reverse(lambda p, n, d: -p),
}

FALSE = {
    "at least 0 for picks above 0": reverse(lambda p, n, d: 1 - d, monotone=True),
    "at least 0 for picks": reverse(lambda p, n, d: -p * d, monotone=True, linear=True),
    "independent of neighbor_score": reverse(lambda p, n, d: p * (n > 0), monotone=True),
    "independent of neighbor_score,": reverse(lambda p, n, d: p * (n < 5), monotone=True, linear=True),
    "independent of neighbor_score, as": reverse(lambda p, n, d: p.where(p > 0, n), monotone=True),
    "proportional to pick_score": reverse(lambda p, n, d: p.sqrt().nan_to_num(), True, True),
    "proportional to pick_score,": reverse(lambda p, n, d: p.abs(), True, True),
    "among any other entries": reverse(lambda p, n, d: p * n.softmax(0)),
    "the same each time": reverse(lambda p, n, d: p * torch.rand_like(p)),
    "the same each time, in any order": reverse(lambda p, n, d: p * torch.arange(len(p))),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_claims_pass(name):
    check_claims(TRUE[name], DISTANCE)
    check_claims(TRUE[name], DISTANCE[:1])
    check_claims(TRUE[name], DISTANCE[:0])


@pytest.mark.parametrize("match", FALSE)
def test_false_claims_are_found(match):
    with pytest.raises(ValueError, match=match):
        check_claims(FALSE[match], DISTANCE)


def test_the_debug_flag_finds_them():
    false = FALSE["proportional to pick_score,"]
    x = torch.tensor([[0.0], [1.0], [3.0], [4.5]])
    graph = d2pyg.knn_graph(x, k=1)
    with pytest.raises(ValueError, match="proportional to pick_score"):
        d2pyg.greedy_select([1.0, 2.0, 3.0, 4.0], graph, 2, false, debug=True)
    with pytest.raises(ValueError, match="proportional to pick_score"):
        d2pyg.select(x, budget=2, reverse=false, debug=True)
    assert len(d2pyg.select(x, budget=2, debug=True)) == 2


@pytest.mark.parametrize(
    ("reverse", "distance", "error", "match"),
    [
        ("weighted", DISTANCE, TypeError, r"'reverse' to be a d2pyg.nn.ReverseMessage \(got str\)"),
        (WeightedReverse(), None, TypeError, r"'distance' to hold numbers .*\(got NoneType\)"),
        (
            WeightedReverse(),
            DISTANCE[:, None],
            ValueError,
            r"'distance' to have one value for each of the",
        ),
        (WeightedReverse(), -DISTANCE, ValueError, r"'distance' to be at least 0 \(got -3\)"),
        (WeightedReverse(), DISTANCE / 0, ValueError, r"'distance' to be finite"),
    ],
)
def test_what_is_no_message_or_no_distance(reverse, distance, error, match):
    with pytest.raises(error, match=match):
        check_claims(reverse, distance)


def test_negative_weights_are_found_without_it():
    class Negative(Kernel):
        def weight(self, distance, gamma):
            return 1 - distance

    graph = d2pyg.knn_graph(torch.tensor([[0.0], [3.0]]), k=1)
    with pytest.raises(ValueError, match=r"to be at least 0, as it claims .* \(got -2 for"):
        d2pyg.greedy_select([1.0, 2.0], graph, 1, WeightedReverse(0.1, Negative()))
