"""Selections in several rounds are one selection, and its first picks the smaller ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import d2pyg
from d2pyg.cli import main
from d2pyg.nn import ForwardMessagePassing, ReverseMessage, WeightedReverse
from d2pyg.selection.repeat import repeat

TOTAL = 60


class Capped(WeightedReverse):
    monotone = True

    def message(self, pick_score, neighbor_score, distance):
        return super().message(pick_score, neighbor_score, distance).clamp(max=1.5)


class Half(ReverseMessage):
    def message(self, pick_score, neighbor_score, distance):
        return self.weight(distance) * (pick_score + neighbor_score) / 2


class Trusted(ForwardMessagePassing):
    in_channels = 2

    def scalarize(self, score):
        difficulty, noise = score.unbind(1)
        return difficulty / (1 + noise)


def dynamics(rng, total):
    """A recorded run in which about half of the margins are negative, with ties."""
    recorded = d2pyg.scores.TrainingDynamics(total, window=2)
    labels = rng.integers(0, 3, total)
    for _ in range(2):
        logits = torch.as_tensor(rng.integers(-2, 3, (total, 3))).double()
        recorded.update(np.arange(total), logits, labels)
        recorded.end_epoch()
    return recorded


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@pytest.mark.filterwarnings("ignore:The (budget of|cutoff leaves)")
def test_whatever_the_settings(seed, data):
    rng = np.random.default_rng(seed)
    total = data.draw(st.integers(8, 40))
    x = rng.normal(size=(total, 2)).astype(np.float32)
    kind = data.draw(st.sampled_from(["none", "ties", "floats", "columns", "margins", "auto"]))
    scores, cutoff = None, data.draw(st.sampled_from([0.0, 0.25]))
    options = {}
    if kind == "ties":
        x, scores = rng.integers(0, 3, (total, 2)).astype(np.float32), rng.integers(0, 3, total)
    elif kind == "floats":
        scores = rng.lognormal(size=total)
    elif kind == "columns":
        scores, options["forward"] = rng.random((total, 2)), Trusted(gamma=1.0)
    elif kind in ("margins", "auto"):
        scores = dynamics(rng, total)
        cutoff = "auto" if kind == "auto" else cutoff
    if data.draw(st.booleans()):
        options["labels"] = rng.choice([5, 1, 2], total, p=[0.7, 0.2, 0.1])
        options["balance"] = data.draw(st.sampled_from(["proportional", "uniform"]))
        options["min_per_class"] = data.draw(st.sampled_from([0, 3]))
    flows = [{}, {"flow": "both"}, {"flow": "source_to_target"}, {"flow": "target_to_source"}]
    options |= data.draw(st.sampled_from(flows))
    options |= {
        "k": data.draw(st.integers(1, 6)),
        "scale": data.draw(st.sampled_from(["median", None, 0.5])),
        "clamp": data.draw(st.booleans()),
        "reverse": data.draw(st.sampled_from(["weighted", "absolute", Capped(0.5), Half(0.5)])),
        "cutoff": cutoff,
    }
    start = rng.permutation(total)[: data.draw(st.integers(0, total // 3))].tolist()
    budget = data.draw(st.integers(3, total // 4 + 1 if cutoff == 0.25 else total - len(start)))
    one, two = sorted(rng.choice(np.arange(1, budget), 2, replace=False).tolist())

    whole = d2pyg.select(x, scores, budget=budget, initial=start, **options)
    parts = []
    for size in one, two - one, budget - two:
        parts.append(d2pyg.select(x, scores, budget=size, initial=start, **options))
        start = parts[-1]
    assert torch.cat([part.index for part in parts]).tolist() == whole.index.tolist()
    values = torch.cat([part.pick_scores for part in parts])
    torch.testing.assert_close(values, whole.pick_scores, rtol=0, atol=0, equal_nan=True)
    sequential = {**options, "engine": "sequential"}
    start = whole.settings["initial"]
    smaller = d2pyg.select(x, scores, budget=two, initial=start, **sequential)
    assert smaller.index.tolist() == whole.index[:two].tolist()


def some(rng):
    return rng.normal(size=(TOTAL, 3)).astype(np.float32), rng.lognormal(size=TOTAL)


class TestInitial:
    """Indices in order, a mask by index, a coreset with what it had itself."""

    def run(self, rng, initial, **options):
        x, scores = some(rng)
        return d2pyg.select(x, scores, budget=10, initial=initial, **options)

    def test_the_order_decides(self, rng):
        state = rng.bit_generator.state
        found = []
        for initial in [1, 2, 3, 30, 31, 32], [32, 31, 30, 3, 2, 1]:
            rng.bit_generator.state = state
            coreset = self.run(rng, initial, scale=3.0, gamma_reverse=0.1)
            assert coreset.settings["initial"] == initial
            found.append(coreset.pick_scores.tolist())
        assert found[0] != found[1]

    @pytest.mark.parametrize("kind", [np.array, list, torch.tensor])
    def test_a_mask_goes_by_index(self, kind, rng):
        state = rng.bit_generator.state
        mask = np.arange(TOTAL) % 7 == 3
        one = self.run(rng, kind(mask.tolist()))
        rng.bit_generator.state = state
        two = self.run(rng, mask.nonzero()[0])
        assert one.index.tolist() == two.index.tolist()
        assert one.settings["initial"] == mask.nonzero()[0].tolist()
        assert not bool(one.mask[mask].any())

    def test_three_rounds_are_one(self, rng, tmp_path):
        x, scores = some(rng)
        start = [33, 4, 59]
        whole = d2pyg.select(x, scores, budget=30, initial=start)
        one = d2pyg.select(x, scores, budget=12, initial=start)
        two = d2pyg.select(x, scores, budget=9, initial=one)
        two.save(tmp_path / "c.npz")
        three = d2pyg.select(x, scores, budget=9, initial=d2pyg.Coreset.load(tmp_path / "c.npz"))
        rounds = [*one.index.tolist(), *two.index.tolist(), *three.index.tolist()]
        assert rounds == whole.index.tolist()
        assert three.settings["initial"] == start + rounds[:21]
        assert three.pick_scores.tolist() == whole.pick_scores[21:].tolist()
        again = repeat(three, x, scores)
        assert again.index.tolist() == three.index.tolist()

    def test_a_mask_on_the_command_line(self, rng, tmp_path):
        x, scores = some(rng)
        mask = np.arange(TOTAL) % 7 == 3
        for name, values in ("x", x), ("scores", scores), ("mask", mask):
            np.save(tmp_path / f"{name}.npy", values)
        options = {"scores": "scores.npy", "initial": "mask.npy", "out": "c.npz", "removed": "r.npy"}
        files = [part for key, name in options.items() for part in (f"--{key}", str(tmp_path / name))]
        main(["select", str(tmp_path / "x.npy"), *files, "--budget", "10"])
        coreset = d2pyg.Coreset.load(tmp_path / "c.npz")
        assert coreset.settings["initial"] == mask.nonzero()[0].tolist()
        gone = ~(coreset.mask.numpy() | mask)
        assert np.load(tmp_path / "r.npy").tolist() == gone.nonzero()[0].tolist()

    def test_a_coreset_without_settings(self, rng):
        x, scores = some(rng)
        bare = d2pyg.Coreset(torch.tensor([4, 2]), torch.zeros(2).double(), torch.zeros(TOTAL).double())
        assert d2pyg.select(x, scores, budget=3, initial=bare).settings["initial"] == [4, 2]

    @pytest.mark.parametrize(
        ("initial", "error", "match"),
        [
            ([1.0, 2.0], TypeError, r"'initial' to be integer indices \(got torch.float"),
            ([[1, 2]], ValueError, r"'initial' to have one dimension"),
            ([1, 60], ValueError, r"'initial' to lie in 0 to 59, the samples \(got 60\)"),
            ([1, 5, 1], ValueError, r"'initial' to name each sample once \(got 1 repeated\)"),
            ([True] * 59, ValueError, r"'initial' to have one value for each of the 60 samples"),
            (torch.zeros(0, dtype=torch.bool), ValueError, r"'initial' to have one value for each"),
            ("abc", TypeError, r"'initial' to be integer indices \(got str\)"),
        ],
    )
    def test_refuses(self, initial, error, match, rng):
        with pytest.raises(error, match=match):
            self.run(rng, initial)

    def test_refuses_a_coreset_of_other_samples(self, rng):
        other = d2pyg.select(torch.eye(61), budget=2)
        match = r"'initial' to be a coreset of these 60 samples \(got one of 61\)"
        with pytest.raises(ValueError, match=match):
            self.run(rng, other)
        graph = d2pyg.knn_graph(torch.eye(60), 1)
        with pytest.raises(ValueError, match=match):
            d2pyg.greedy_select(torch.ones(60), graph, 2, initial=other)

    def test_refuses_a_coreset_whose_settings_are_broken(self, rng):
        coreset = d2pyg.select(torch.eye(60), budget=2, initial=[4])
        for initial, error in ("ab", TypeError), (7, ValueError), ([4, 4], ValueError):
            coreset.settings["initial"] = initial
            with pytest.raises(error, match="'initial'"):
                self.run(rng, coreset)
