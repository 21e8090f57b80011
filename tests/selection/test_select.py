"""select against the slow loop, and the promises that hold for every input."""

import json
import warnings

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.transforms import Compose

import d2pyg
from d2pyg.cli import main
from d2pyg.selection.repeat import repeat

TOTAL = 60
ENGINES = ["sequential", "heap", "rounds"]


def make(case, rng):
    """Embeddings, scores and labels; many ties where the case says so."""
    x = rng.normal(size=(TOTAL, 3)).astype(np.float32)
    scores = rng.lognormal(size=TOTAL)
    labels = rng.integers(0, 4, TOTAL)
    if case == "ties":
        x, scores = rng.integers(0, 3, (TOTAL, 3)).astype(np.float16), rng.integers(0, 3, TOTAL)
    elif case == "duplicates":
        x[20:40] = x[:20]
    elif case == "constant":
        x[:] = 7
    elif case == "all scores equal":
        scores[:] = 2
    elif case == "all scores zero":
        scores[:] = 0
    elif case == "a class of one":
        labels[:] = rng.integers(0, 3, TOTAL)
        labels[17] = 9
    elif case == "labels with gaps":
        labels = 5 * labels + 2
    return x, scores, labels


CASES = [
    "plain", "ties", "duplicates", "constant", "all scores equal", "all scores zero",
    "a class of one", "labels with gaps",
]  # fmt: skip
OPTIONS = {
    "defaults": {},
    "raw distances": {"scale": None, "gamma_reverse": 1.0},
    "the paper's decays": {"gamma_forward": 1.0, "gamma_reverse": 0.1, "k": 5},
    "scale given": {"scale": 0.5},
    "directed": {"flow": "target_to_source", "k": 3},
    "turned": {"flow": "source_to_target", "k": 3},
    "local scale": {"scale": "local", "k": 4},
    "product": {"update": "product"},
    "no forward pass": {"update": "none"},
    "clamp": {"clamp": True, "gamma_reverse": 0.0},
    "no decay": {"gamma_forward": 0.0, "gamma_reverse": 0.0, "k": 10},
    "cutoff": {"cutoff": 0.2},
    "k = N - 1": {"k": TOTAL - 1},
}


def check(x, scores, labels, budget, **options):
    index, pick_scores, after = oracle.select(x, scores, budget, labels=labels, **options)
    for engine in ENGINES:
        coreset = d2pyg.select(x, scores, labels=labels, budget=budget, engine=engine, **options)
        assert coreset.index.tolist() == index
        np.testing.assert_allclose(coreset.pick_scores.numpy(), pick_scores, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(coreset.scores.numpy(), after, rtol=1e-12)


@pytest.mark.parametrize("with_labels", [False, True], ids=["one class", "classes"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("option", OPTIONS)
def test_equals_the_slow_loop(case, option, with_labels, rng):
    x, scores, labels = make(case, rng)
    options = OPTIONS[option]
    check(x, scores, labels if with_labels else None, budget=45, **options)


@pytest.mark.parametrize("balance", ["proportional", "uniform"])
@pytest.mark.parametrize("min_per_class", [0, 3])
@pytest.mark.parametrize("cutoff", [0.0, 0.3])
@pytest.mark.filterwarnings("ignore:The (budget of|cutoff leaves)")
def test_seats_equal_the_slow_loop(balance, min_per_class, cutoff, rng):
    x, scores, _ = make("ties", rng)
    labels = np.repeat([5, 1, 8, 3], [30, 20, 8, 2])
    for initial in [], [0, 7, 31, 55, 59]:
        check(
            x, scores, labels, budget=30, balance=balance, min_per_class=min_per_class,
            cutoff=cutoff, initial=initial,
        )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_small_problem_equals_the_slow_loop(seed, data):
    rng = np.random.default_rng(seed)
    total = data.draw(st.integers(2, 16))
    x = rng.integers(0, data.draw(st.integers(1, 4)), (total, 2)).astype(np.float32)
    scores = rng.integers(0, data.draw(st.integers(1, 8)), total).astype(np.float32)
    labels = rng.integers(0, data.draw(st.integers(1, 4)), total)
    initial = rng.permutation(total)[: data.draw(st.integers(0, total // 2))]
    check(
        x,
        scores,
        labels,
        budget=data.draw(st.integers(1, total - len(initial))),
        k=data.draw(st.integers(1, total - 1)),
        # Weights that are powers of two: where scores tie, exp's last bit must not decide.
        gamma_forward=0.0,
        gamma_reverse=0.0,
        clamp=data.draw(st.booleans()),
        **data.draw(
            st.sampled_from(
                [
                    {},
                    {"flow": "target_to_source"},
                    {"flow": "source_to_target"},
                ]
            )
        ),
        balance=data.draw(st.sampled_from(["proportional", "uniform"])),
        initial=initial.tolist(),
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clamp": True},
        {"labels": True},
        {"labels": True, "balance": "uniform"},
        {"labels": True, "min_per_class": 4, "cutoff": 0.2},
        {"flow": "target_to_source", "cutoff": 0.1},
    ],
    ids=str,
)
class TestNesting:
    @pytest.fixture(autouse=True)
    def _engine(self, engine):
        self.engine = engine

    def run(self, rng, options, **more):
        x, scores, labels = make("ties", rng)
        labels[:3] = 7  # a class that runs out
        if options.get("labels"):
            options = {**options, "labels": labels}
        return d2pyg.select(x, scores, engine=self.engine, **options, **more)

    @pytest.mark.filterwarnings("ignore:The budget of")
    def test_first_picks_are_the_smaller_coreset(self, options, rng):
        state = rng.bit_generator.state
        whole = self.run(rng, options, budget=40)
        for budget in range(1, 41):
            rng.bit_generator.state = state
            part = self.run(rng, options, budget=budget)
            assert part.index.tolist() == whole.index[:budget].tolist()
            assert part.pick_scores.tolist() == whole.pick_scores[:budget].tolist()

    @pytest.mark.parametrize("start", [[], [41, 3, 17, 58, 8, 29, 5]], ids=["", "initial"])
    @pytest.mark.parametrize("done", [1, 13, 29])
    @pytest.mark.filterwarnings("ignore:The budget of")
    def test_resuming_gives_the_rest(self, options, done, start, rng):
        state = rng.bit_generator.state
        whole = self.run(rng, options, budget=30, initial=start)
        chosen = start + whole.index[:done].tolist()
        rng.bit_generator.state = state
        rest = self.run(rng, options, budget=30 - done, initial=chosen)
        assert rest.index.tolist() == whole.index[done:].tolist()
        assert rest.pick_scores.tolist() == whole.pick_scores[done:].tolist()
        assert rest.settings["initial"] == chosen


@pytest.mark.parametrize("with_labels", [False, True])
def test_relabeled_nodes_give_relabeled_picks(with_labels, rng):
    x, scores, labels = make("plain", rng)
    labels = labels if with_labels else None
    order = rng.permutation(TOTAL)
    one = d2pyg.select(x, scores, labels=labels, budget=40)
    two = d2pyg.select(x[order], scores[order], labels=labels[order] if with_labels else None, budget=40)
    assert order[two.index.numpy()].tolist() == one.index.tolist()


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_inputs_stay_unmodified(kind, rng):
    x, scores, labels = make("plain", rng)
    given_ = {"embeddings": x, "scores": scores, "labels": labels, "initial": np.array([4, 2])}
    if kind == "tensor":
        given_ = {name: torch.as_tensor(value) for name, value in given_.items()}
    copies = {name: value.copy() if kind == "array" else value.clone() for name, value in given_.items()}
    d2pyg.select(**given_, budget=20, cutoff=0.1)
    for name, value in given_.items():
        assert (value == copies[name]).all(), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_float_types_of_the_same_numbers_agree(dtype, rng):
    x = torch.as_tensor(rng.integers(-9, 9, (TOTAL, 4)))
    one = d2pyg.select(x.to(torch.float64), budget=30)
    two = d2pyg.select(x.to(dtype), budget=30)
    assert two.index.tolist() == one.index.tolist()
    assert two.pick_scores.tolist() == one.pick_scores.tolist()


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16, np.float32])
def test_scores_of_any_number_type(dtype, rng):
    x, _, _ = make("plain", rng)
    scores = rng.integers(0, 9, TOTAL)
    expected = d2pyg.select(x, scores, budget=30).index.tolist()
    assert d2pyg.select(x, scores.astype(dtype), budget=30).index.tolist() == expected
    assert d2pyg.select(x, scores.tolist(), budget=30).index.tolist() == expected


def test_arrays_that_are_not_plain_memory(rng):
    x, scores, _ = make("plain", rng)
    expected = d2pyg.select(x, scores, budget=30).index.tolist()
    wide = np.zeros((TOTAL, 6), np.float32)
    wide[:, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    for other in wide[:, ::2], read_only, x.astype(">f4"), x[::-1][::-1], np.asfortranarray(x):
        assert d2pyg.select(other, scores, budget=30).index.tolist() == expected
    gradient = torch.tensor(x, requires_grad=True)
    assert d2pyg.select(gradient, scores, budget=30).index.tolist() == expected


def test_a_graph_in_place_of_embeddings(rng):
    x, scores, labels = make("plain", rng)
    graph = d2pyg.knn_graph(x, k=8)
    for options in {"k": 8}, {"k": 3}, {"k": 3, "flow": "target_to_source", "clamp": True}:
        built = d2pyg.select(x, scores, budget=30, **options)
        given_ = d2pyg.select(graph, scores, budget=30, **options)
        assert given_.index.tolist() == built.index.tolist()
        assert given_.pick_scores.tolist() == built.pick_scores.tolist()
        assert given_.settings["k"] == options["k"]
    assert d2pyg.select(graph, scores, budget=30).settings["k"] == 8
    by_class = d2pyg.knn_graph(x, k=8, batch=labels)
    assert (
        d2pyg.select(by_class, scores, labels=labels, budget=30).index.tolist()
        == d2pyg.select(x, scores, labels=labels, k=8, budget=30).index.tolist()
    )


def test_a_graph_with_a_cutoff_loses_the_edges_of_what_is_dropped():
    graph = d2pyg.knn_graph(torch.tensor([[0.0], [1.0], [3.0], [7.0]]), k=1)  # 0-1, 2->1, 3->2
    coreset = d2pyg.select(
        graph, [9.0, 1.0, 2.0, 4.0], budget=3, cutoff=0.25, gamma_forward=0.0, gamma_reverse=0.0
    )
    # Without node 0: 1-2 and 2-3. Forward: 1 + 2, 2 + 1 + 4, 4 + 2. Node 2 takes 7 from both.
    assert coreset.scores[1:].tolist() == [3.0, 7.0, 6.0]
    assert coreset.scores[0].isnan()
    assert coreset.index.tolist() == [2, 3, 1]
    # Node 3 at 6 - 7 = -1, then gives its -1 to nobody open; node 1 at 3 - 7.
    assert coreset.pick_scores.tolist() == [7.0, -1.0, -4.0]


class TestWithoutScores:
    def test_random_samples_less_those_like_others_already_kept(self, rng):
        """Every sample three times: one of each is kept before any second one."""
        x = torch.as_tensor(rng.normal(size=(30, 4))).repeat(3, 1)
        index = d2pyg.select(x, budget=30, k=2).index
        assert sorted(index.remainder(30).tolist()) == list(range(30))
        expected = d2pyg.scores.shuffled(90, seed=0).argsort(descending=True).tolist()
        seen, first = set(), []
        for i in expected:
            if i % 30 not in seen:
                first.append(i)
                seen.add(i % 30)
        assert index.tolist() == first

    def test_the_order_of_the_data_set_decides_nothing(self):
        """All apart, in the order of their classes: each has its share of the first picks."""
        x = 1000.0 * torch.eye(400)
        index = d2pyg.select(x, budget=100, k=1, scale=1).index
        assert (index // 100).bincount(minlength=4).min() > 12

    def test_what_lies_apart_is_not_picked_sooner(self, rng):
        """In many dimensions some samples are near to many others and most to few. Where edges go both
        ways, those near to few have few edges to be lowered by."""
        x, k = torch.as_tensor(rng.normal(size=(2000, 20))), 5
        near = d2pyg.knn_graph(x, k).edge_index[0].bincount(minlength=2000).double()  # mean k
        both = d2pyg.select(x, budget=200, k=k, flow="both")
        turned = d2pyg.select(x, budget=200, k=k)
        assert turned.settings["flow"] == "source_to_target"
        assert near.std() > 4
        assert near[both.index].mean() + 0.4 < near[turned.index].mean()
        assert near[turned.index].mean() == pytest.approx(k, abs=1.2)
        scores = d2pyg.scores.shuffled(2000, seed=0)
        same = d2pyg.select(x, scores, budget=200, k=k, update="none", flow="source_to_target")
        assert torch.equal(same.index, turned.index)

    def test_flow(self):
        """Sample 1 is nearest to both others, 0 is nearest to it: when it is picked, 0 alone is lowered,
        or both are."""
        x, scores = torch.tensor([[0.0], [1.0], [3.0]]), [2.0, 3.0, 2.5]
        given = {"budget": 3, "k": 1, "update": "none", "gamma_reverse": 0.0, "flow": "target_to_source"}
        plain = d2pyg.select(x, scores, **given)
        assert plain.settings["flow"] == "target_to_source"
        assert plain.pick_scores.tolist() == [3.0, 2.5, -1.0]
        turned = d2pyg.select(x, scores, **{**given, "flow": "source_to_target"})
        assert turned.pick_scores.tolist() == [3.0, -0.5, -1.0]
        assert d2pyg.select(x, budget=2, flow="both").settings["flow"] == "both"

    def test_no_forward_pass_unless_it_is_asked_for(self):
        x = torch.arange(6.0).unsqueeze(1)
        plain = d2pyg.select(x, budget=2)
        assert torch.equal(plain.scores, d2pyg.scores.shuffled(6, seed=0))
        assert plain.settings["update"] == "none"
        for asked in (
            {"gamma_forward": 2.0},
            {"update": "sum"},
            {"forward": d2pyg.nn.ForwardMessagePassing()},
        ):
            coreset = d2pyg.select(x, budget=2, scale=10.0, **asked)  # all are near
            assert coreset.settings["update"] == "sum"
            assert (coreset.scores > plain.scores + 0.1).all()
        d2pyg.register("forward", "test-plain")(d2pyg.nn.ForwardMessagePassing)
        assert d2pyg.select(x, budget=2, forward="test-plain").settings["update"] == "sum"
        scored = d2pyg.select(x, d2pyg.scores.ones(6), budget=2)
        assert scored.settings["update"] == "sum"


def of_margins(margins):
    """Training dynamics with these mean margins."""
    dynamics = d2pyg.scores.TrainingDynamics(len(margins), window=2)
    logits = torch.tensor([[0.0, margin] for margin in margins])
    for _ in range(2):
        dynamics.update(torch.arange(len(margins)), logits, torch.ones(len(margins)).long())
        dynamics.end_epoch()
    return dynamics


class TestTrainingDynamics:
    """In place of scores: borderline scores, and a cutoff that goes by margins."""

    # Sample 0 is never right, sample 4 mostly wrong, samples 1 to 3 right ever more surely.
    MARGINS = ((-4.0, 0.5, 1.0, 8.0, -3.0), (-4.0, 0.5, 2.0, 9.0, 1.0))
    X = torch.arange(5.0).unsqueeze(1)

    def dynamics(self):
        dynamics = d2pyg.scores.TrainingDynamics(5, window=2)
        for margins in self.MARGINS:
            logits = torch.tensor([[0.0, margin] for margin in margins])
            dynamics.update(torch.arange(5), logits, torch.ones(5).long())
            dynamics.end_epoch()
        return dynamics

    def test_stand_for_their_borderline_scores(self):
        dynamics = self.dynamics()
        found = d2pyg.select(self.X, dynamics, budget=3, k=1)
        expected = d2pyg.select(self.X, dynamics.borderline(), budget=3, k=1)
        assert found.index.tolist() == expected.index.tolist()
        assert found.scores.tolist() == expected.scores.tolist()

    def test_a_fraction_drops_by_margin_not_by_score(self):
        dynamics = self.dynamics()
        assert int(dynamics.borderline().argmin()) == 3  # the easiest scores lowest
        coreset = d2pyg.select(self.X, dynamics, budget=2, k=1, cutoff=0.4)
        assert coreset.scores.isnan().tolist() == [True, False, False, False, True]

    def test_auto_drops_negative_margins(self, tmp_path):
        coreset = d2pyg.select(self.X, self.dynamics(), budget=2, k=1, cutoff="auto")
        assert coreset.scores.isnan().tolist() == [True, False, False, False, True]
        assert (coreset.settings["cutoff"], coreset.settings["num_dropped"]) == ("auto", 2)
        whole = d2pyg.select(self.X, self.dynamics(), budget=5, k=1, cutoff="auto")
        for suffix in ".npz", ".pt":
            whole.save(tmp_path / f"c{suffix}")
            again = d2pyg.Coreset.load(tmp_path / f"c{suffix}")
            assert again.pick_scores.isnan().tolist() == [False] * 3 + [True] * 2

    def test_auto_takes_what_it_drops_last_and_by_margin(self):
        dynamics = self.dynamics()
        whole = d2pyg.select(self.X, dynamics, budget=5, k=1, cutoff="auto")
        assert whole.index[3:].tolist() == [4, 0]  # margins of -1 and -4
        assert whole.pick_scores.isnan().tolist() == [False] * 3 + [True] * 2
        for budget in range(1, 6):
            part = d2pyg.select(self.X, dynamics, budget=budget, k=1, cutoff="auto")
            assert part.settings["num_dropped"] == 2
            assert part.index.tolist() == whole.index[:budget].tolist()
            rest = d2pyg.select(self.X, dynamics, keep=1.0, k=1, cutoff="auto")
            assert rest.index.tolist() == whole.index.tolist()
        for done in range(1, 5):
            initial = whole.index[:done]
            rest = d2pyg.select(self.X, dynamics, budget=5 - done, initial=initial, k=1, cutoff="auto")
            assert rest.index.tolist() == whole.index[done:].tolist()

    def test_what_auto_drops_goes_class_by_class_through_the_seats(self):
        x, labels = torch.arange(9.0).unsqueeze(1), [0, 0, 0, 0, 0, 0, 1, 1, 1]
        margins = [2.0, 1.0, -5.0, -1.0, -1.0, -9.0, 3.0, -2.0, -0.5]
        options = {"labels": labels, "k": 1, "cutoff": "auto"}
        found = d2pyg.select(x, of_margins(margins), budget=9, **options)
        assert sorted(found.index[:3].tolist()) == [0, 1, 6]
        # Seats so far 2 and 1. Quotients 6/5 against 3/3, 6/7 against 3/3, 6/7 and 6/9 against 3/5, ...
        assert found.index[3:].tolist() == [3, 8, 4, 2, 7, 5]
        for budget in range(1, 9):
            part = d2pyg.select(x, of_margins(margins), budget=budget, **options)
            assert part.index.tolist() == found.index[:budget].tolist()

    @pytest.mark.parametrize("graph", [False, True])
    def test_auto_without_a_margin_above_0_makes_no_graph(self, graph, engine, monkeypatch, tmp_path):
        x = d2pyg.knn_graph(self.X, 1) if graph else self.X
        dynamics = of_margins([-3.0, -1.0, -2.0, -1.0, -5.0])
        monkeypatch.setattr("d2pyg.graph.given.build_graph", None)
        coreset = d2pyg.select(x, dynamics, budget=4, k=1, cutoff="auto", engine=engine)
        assert coreset.index.tolist() == [1, 3, 2, 0]
        assert coreset.pick_scores.isnan().all()
        assert coreset.scores.isnan().all()
        assert (coreset.settings["engine"], coreset.settings["k"]) == (engine, 1)
        assert coreset.settings["metric"] == "euclidean"
        assert coreset.settings["backend"] == ("torch" if graph else None)
        coreset.save(tmp_path / "c.npz")
        again = repeat(d2pyg.Coreset.load(tmp_path / "c.npz"), x, dynamics)
        assert again.index.tolist() == [1, 3, 2, 0]
        assert again.explain(4).fate == "cut"

    def test_auto_without_a_margin_above_0_on_the_command_line(self, tmp_path, capsys):
        np.save(tmp_path / "x.npy", self.X.numpy())
        of_margins([-3.0, -1.0, -2.0, -1.0, -5.0]).save(tmp_path / "run.pt")
        files = [str(tmp_path / name) for name in ("x.npy", "run.pt", "c.npz")]
        options = ["--budget", "4", "--cutoff", "auto", "--json"]
        main(["select", files[0], "--scores", files[1], "--out", files[2], *options])
        assert json.loads(capsys.readouterr().out)["score_after"] is None
        assert d2pyg.Coreset.load(files[2]).index.tolist() == [1, 3, 2, 0]

    def test_can_be_repeated(self, tmp_path):
        d2pyg.select(self.X, self.dynamics(), budget=2, k=1, cutoff="auto").save(tmp_path / "c.npz")
        again = repeat(d2pyg.Coreset.load(tmp_path / "c.npz"), self.X, self.dynamics())
        assert again.explain(0).fate == "cut"

    def test_scores_that_are_numbers_have_no_auto(self):
        with pytest.raises(ValueError, match=r"Pass a d2pyg\.scores\.TrainingDynamics as 'scores'"):
            d2pyg.select(self.X, torch.ones(5), budget=2, cutoff="auto")

    def test_a_sweep_wants_one_of_its_scores(self):
        with pytest.raises(
            TypeError, match=r"'scores' to be values of all samples \(got TrainingDynamics\(5 samples"
        ):
            d2pyg.sweep(self.X, self.dynamics(), budget=2)

    def test_of_another_length(self):
        with pytest.raises(ValueError, match="'scores' to have one value for each of the 4 samples"):
            d2pyg.select(self.X[:4], self.dynamics(), budget=2)


class TestClassesThatTheCutoffEmpties:
    X = torch.arange(12.0).unsqueeze(1)
    LABELS = (7,) * 8 + (3,) * 2 + (40,) * 2
    SCORES = (1.0,) * 8 + (9.0,) * 2 + (1.0, 8.0)

    def caught(self, budget=4, scores=SCORES, **options):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            d2pyg.select(self.X, scores, labels=self.LABELS, budget=budget, k=1, **options)
        assert {one.filename for one in found} <= {__file__}
        assert all(issubclass(one.category, UserWarning) for one in found)
        return [str(one.message) for one in found]

    def test_are_named(self):
        assert self.caught(cutoff=0.17) == [
            "The cutoff leaves 1 of 3 classes without any sample: label 3 (0 of 2). Pass a lower "
            "'cutoff', such as 0."
        ]
        assert self.caught(cutoff=0.17, min_per_class=1) == self.caught(cutoff=0.17)
        assert self.caught() == []
        assert self.caught(cutoff=0.1, min_per_class=1) == []

    def test_a_class_with_too_few_left_for_min_per_class(self):
        """Class 3 has none and class 40 one of the two that each class should have."""
        (found,) = self.caught(cutoff=0.25, min_per_class=2)
        assert found.startswith(
            "The cutoff leaves 2 of 3 classes fewer than 'min_per_class' = 2 samples: label 3 (0 of "
            "2), label 40 (1 of 2). Pass a lower 'cutoff', such as 0, or a lower 'min_per_class'."
        )
        # As the warning says: then there is none.
        assert self.caught(budget=6, min_per_class=2) == []
        assert len(self.caught(cutoff=0.25, min_per_class=1)) == 1

    def test_one_warning_for_the_cutoff_and_one_for_the_budget(self):
        cutoff, budget = self.caught(budget=1, cutoff=0.17, min_per_class=1)
        assert "cutoff leaves 1 of 3 classes without any" in cutoff
        assert "budget of 1 gives 1 of 3 classes fewer" in budget

    def test_initial_samples_count(self):
        assert self.caught(cutoff=0.17, initial=[9]) == []
        assert self.caught(cutoff=0.17, initial=[9], min_per_class=1) == []

    def test_many_are_counted(self):
        labels = np.r_[np.zeros(10, int), 1:8]
        scores = np.r_[np.ones(10), np.full(7, 5.0)]
        with pytest.warns(UserWarning, match=r"7 of 8 classes .*label 3 \(0 of 1\) and 4 more\. Pass"):
            d2pyg.select(np.eye(17), scores, labels=labels, budget=3, cutoff=0.41)

    def test_auto(self):
        """Class 3 has no margin above 0, class 40 one."""
        dynamics = of_margins([1.0] * 8 + [-1.0, -2.0, 1.0, -1.0])
        (found,) = self.caught(scores=dynamics, cutoff="auto")
        assert "without any sample: label 3 (0 of 2). Pass a lower 'cutoff', such as 0." in found
        assert self.caught(scores=dynamics, cutoff="auto", budget=12) == []  # which has all samples
        (found,) = self.caught(scores=dynamics, cutoff="auto", budget=12, min_per_class=2)
        assert "fewer than 'min_per_class' = 2 samples: label 3 (0 of 2), label 40 (1 of 2)" in found

    def test_in_a_sweep_once(self):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            d2pyg.sweep(
                self.X, self.SCORES, labels=self.LABELS, budget=[2, 4], k=[1, 2], cutoff=[0, 0.17]
            )
        assert [one.filename for one in found] == [__file__]

    def test_of_transforms_and_baselines(self):
        data = Data(x=self.X, y=torch.tensor(self.LABELS), score=torch.tensor(self.SCORES))
        prune = Compose([d2pyg.transforms.D2Prune(budget=4, k=1, cutoff=0.17)])
        for run in (
            lambda: prune(data),
            lambda: d2pyg.baselines.random(
                self.X, self.SCORES, labels=self.LABELS, budget=4, cutoff=0.17
            ),
        ):
            with pytest.warns(UserWarning, match=r"cutoff leaves 1 of 3 .*label 3 \(0 of 2\)") as found:
                run()
            assert [one.filename for one in found] == [__file__]
        with pytest.warns(UserWarning, match=r"The start leaves .*label 3 \(0 of 1\).* lower 'start'"):
            d2pyg.baselines.window(scores=[1, 1, 1, 2], labels=[0, 0, 0, 3], budget=1, start=0.5)


def test_initial_samples_that_the_cutoff_drops_count_as_seats_and_send_nothing():
    x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    coreset = d2pyg.select(
        x, [9.0, 1.0, 2.0, 1.0], labels=[0, 0, 1, 1], initial=[0], cutoff=0.25, budget=2
    )
    assert coreset.index.tolist() == [2, 1]  # class 1 first: class 0 has a seat already
    assert coreset.scores[1] == 1.0  # no message from 0
    assert not coreset.mask[0]


def test_custom_objects_in_place_of_names(rng):
    class Ramp(d2pyg.nn.Kernel):
        def weight(self, distance, gamma):
            return (1 - gamma * distance).clamp(min=0)

    class Half(d2pyg.nn.ReverseMessage):
        def message(self, pick_score, neighbor_score, distance):
            return neighbor_score.clamp(min=0) / 2

    x, scores, _ = make("plain", rng)
    coreset = d2pyg.select(
        x, scores, budget=20, kernel=Ramp(), gamma_forward=1.0, reverse=Half(), scale=None, k=2
    )
    edges = d2pyg.knn_graph(x, k=2)
    pairs = {tuple(pair) for pair in edges.edge_index.T.tolist()}
    pairs |= {(j, i) for i, j in pairs}
    neighbor = [[j for j in range(TOTAL) if (j, i) in pairs] for i in range(TOTAL)]
    after = [
        scores[i] + sum(max(0, 1 - np.linalg.norm(x[i] - x[j])) * scores[j] for j in neighbor[i])
        for i in range(TOTAL)
    ]
    np.testing.assert_allclose(coreset.scores.numpy(), after, rtol=1e-6)
    expected = oracle.greedy_loop(
        coreset.scores.tolist(), neighbor, lambda i, value, j, score: max(0, score) / 2, {0: 20}
    )
    assert coreset.index.tolist() == [i for i, _ in expected[0]]
    assert coreset.settings["kernel"] == "Ramp()"
    assert coreset.settings["reverse"] == "Half(gamma=3.0, kernel=RBFKernel())"


def test_settings_say_what_was_done(rng):
    x, scores, labels = make("plain", rng)
    settings_ = d2pyg.select(x, scores, keep=0.5, labels=labels, cutoff=0.1, initial=[2]).settings
    assert settings_["keep"] == 0.5
    assert settings_["budget"] is None
    assert (settings_["k"], settings_["update"], settings_["kernel"]) == (15, "sum", "rbf")
    assert (settings_["gamma_forward"], settings_["gamma_reverse"]) == (10.0, 3.0)
    assert (settings_["backend"], settings_["engine"]) == ("torch", "heap")
    assert (settings_["num_dropped"], settings_["initial"], settings_["num_classes"]) == (6, [2], 4)
    assert settings_["versions"]["d2pyg"] == d2pyg.__version__


def test_device_runs_alike(device, rng):
    x, scores, labels = make("plain", rng)
    here = d2pyg.select(x, scores, labels=labels, budget=40)
    graph = d2pyg.knn_graph(x, k=15, batch=labels).to(device)
    there = d2pyg.select(graph, torch.as_tensor(scores, device=device), labels=labels, budget=40)
    assert there.index.device.type == device.type
    assert there.index.tolist() == here.index.tolist()
    assert there.pick_scores.tolist() == here.pick_scores.tolist()
    moved = d2pyg.select(torch.as_tensor(x), scores, labels=labels, budget=40, device=device)
    assert moved.index.device.type == "cpu"
    assert moved.index.tolist() == here.index.tolist()


def test_progress_bars_count_rows_and_picks(capsys, rng):
    x, scores, _ = make("plain", rng)
    d2pyg.select(x, scores, budget=20)
    assert capsys.readouterr().err == ""
    d2pyg.select(x, scores, budget=20, progress=True)
    shown = capsys.readouterr().err
    assert "kNN graph: 100%" in shown
    assert "60.0/60.0" in shown
    assert "selection: 100%" in shown
    assert "20.0/20.0" in shown


def test_a_batch_of_graphs_is_a_graph():
    x = torch.randn(14, 3, generator=torch.Generator().manual_seed(0))
    whole = d2pyg.knn_graph(x, 3, batch=[0] * 6 + [1] * 8)
    parts = [d2pyg.knn_graph(x[:6], 3), d2pyg.knn_graph(x[6:], 3)]
    batch = Batch.from_data_list(parts)
    for k in None, 2:
        found = d2pyg.select(batch, budget=5, k=k)
        expected = d2pyg.select(whole, budget=5, k=k)
        assert found.index.equal(expected.index)
        assert found.settings["k"] == expected.settings["k"]
        assert found.settings["metric"] == "euclidean"
    batch = Batch.from_data_list([d2pyg.knn_graph(x, 3, metric="inner_product")] * 2)
    with pytest.raises(ValueError, match="'metric' to be a distance, which kernels turn into weights"):
        d2pyg.select(batch, budget=5)
