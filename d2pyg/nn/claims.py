"""Tests the claims of a reverse message."""

from __future__ import annotations

import torch
from torch import Tensor

from d2pyg._base.checks import as_tensor, check_finite, check_length
from d2pyg.nn.reverse import ReverseMessage

_TRIED = 4096  # distances
_CLOSE = 1e-9  # of the largest message: about the engines' grid


def check_claims(reverse: ReverseMessage, distance: Tensor) -> None:
    r"""Tests a message on some scores and distances, and raises an error if a claim is false.

    Each value of a message may only depend on the scores and the distance of its own entry. It must be
    the same when computed again, in another order, or among other entries. A ``monotone`` message must
    be >= 0 for positive picks and independent of ``neighbor_score``. A ``linear`` one must also be
    proportional to ``pick_score``, even below zero. The test computes a few messages for up to 4,096
    distances, so it can miss a claim that fails only elsewhere.

    Args:
        reverse: The message.
        distance: Distances of the graph, [E]. The test uses evenly spaced ones of the sorted values.

    Raises:
        ValueError, TypeError: If a claim is false (the error gives the values), or if an argument is not
            a message or not distances.

    Example:
        >>> class Half(d2pyg.nn.ReverseMessage):
        ...     monotone = True
        ...     def message(self, pick_score, neighbor_score, distance):
        ...         return neighbor_score / 2
        >>> check_claims(Half(), torch.ones(1))
        Traceback (most recent call last):
        ...
        ValueError: Expected the message of Half(gamma=3.0, kernel=RBFKernel()) to be independent of ...
    """
    if not isinstance(reverse, ReverseMessage):
        raise TypeError(
            f"Expected 'reverse' to be a d2pyg.nn.ReverseMessage (got {type(reverse).__name__}). Pass "
            f"the object."
        )
    distance = as_tensor("distance", distance)
    check_length("distance", distance, distance.numel(), "edges")
    if len(distance) == 0:
        return
    distance = distance.double().sort().values
    check_finite("distance", distance)
    if float(distance[0]) < 0:
        raise ValueError(
            f"Expected 'distance' to be at least 0 (got {float(distance[0]):g}). Pass graph.edge_attr."
        )
    spaced = torch.linspace(0, len(distance) - 1, min(len(distance), _TRIED))
    tried = _Tried(reverse, distance[spaced.round().long().to(distance.device)])
    tried.check_entries()
    if reverse.monotone or reverse.linear:
        tried.check_monotone()
    if reverse.linear:
        tried.check_linear()


class _Tried:
    """A message on some distances, with scores that are not round numbers."""

    def __init__(self, reverse: ReverseMessage, distance: Tensor) -> None:
        self.reverse, self.distance = reverse, distance
        generator = torch.Generator().manual_seed(0)
        draw = torch.rand(2, len(distance), generator=generator, dtype=torch.float64)
        self.pick, self.neighbor = (0.01 + 3 * draw).to(distance.device)

    def message(self, pick: Tensor, neighbor: Tensor, entries: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            if entries is None:
                return self.reverse.message(pick.clone(), neighbor.clone(), self.distance.clone())
            return self.reverse.message(pick[entries], neighbor[entries], self.distance[entries])

    def check_entries(self) -> None:
        whole = self.message(self.pick, self.neighbor)
        rule = "the same each time, in any order and among any other entries"
        self.same(whole, self.message(self.pick, self.neighbor), rule)
        turned = torch.arange(len(whole) - 1, -1, -1, device=whole.device)
        self.same(whole, self.message(self.pick, self.neighbor, turned).flip(0), rule)
        if len(whole) > 1:
            half = turned[::2]
            self.same(whole[half], self.message(self.pick, self.neighbor, half), rule, half)

    def check_monotone(self) -> None:
        one, below = (self.message(pick, self.neighbor) for pick in (self.pick, -self.pick))
        if float(one.min()) < 0:
            at = int(one.argmin())
            raise ValueError(
                f"Expected the message of {self.reverse} to be at least 0 for picks above 0, as it "
                f"claims to be monotone (got {one[at]:g} for a pick score of {self.pick[at]:g} at "
                f"distance {self.distance[at]:g}). Set 'monotone' and 'linear' to False, or change it."
            )
        rule = "independent of neighbor_score, as it claims to be monotone"
        for neighbor in (-self.neighbor, 10 * self.neighbor, torch.zeros_like(self.neighbor)):
            self.same(one, self.message(self.pick, neighbor), rule)
            self.same(below, self.message(-self.pick, neighbor), rule)  # of initial samples

    def check_linear(self) -> None:
        one = self.message(torch.ones_like(self.pick), self.neighbor)
        rule = "proportional to pick_score, as it claims to be linear"
        for pick in (self.pick, 100 * self.pick, -self.pick, torch.zeros_like(self.pick)):
            self.same(one * pick, self.message(pick, self.neighbor), rule)

    def same(self, expected: Tensor, found: Tensor, rule: str, entries: Tensor | None = None) -> None:
        """Equal but for rounding."""
        difference = (expected - found).abs()
        if bool((difference <= _CLOSE * expected.abs().max()).all()):
            return
        at = int(difference.argmax())
        distance = self.distance if entries is None else self.distance[entries]
        raise ValueError(
            f"Expected the message of {self.reverse} to be {rule} (got {found[at]:g} in place of "
            f"{expected[at]:g} at distance {distance[at]:g}). Change the message or its claims."
        )
