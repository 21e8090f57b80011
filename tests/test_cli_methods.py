"""d2pyg select --method: any registered method, with options read from its signature."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset
from d2pyg._base import registry
from d2pyg.cli import main
from d2pyg.cli.arguments import methods


@pytest.fixture
def files(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    x, scores, labels = rng.normal(size=(60, 4)), rng.random(60), rng.integers(0, 3, 60)
    for name, values in ("x", x), ("s", scores), ("y", labels), ("p", 1 - scores):
        np.save(f"{name}.npy", values)
    np.save("initial.npy", np.array([7, 3]))
    d2pyg.save_graph(d2pyg.knn_graph(x, 3), "g.pt")
    return x, scores, labels


@pytest.fixture
def stranger(monkeypatch):
    """A method of the user's own, without a docstring and with arguments of every kind."""

    def every(
        embeddings=None, *, budget: int, step: int, weight: "float | None" = None,
        flip: bool = False, prior: torch.Tensor = None, kernel_object: object = None, progress=None, **rest,
    ) -> Coreset:  # fmt: skip
        called.update(budget=budget, step=step, weight=weight, flip=flip, prior=prior, progress=progress)
        index = torch.arange(0, budget * step, step)
        return Coreset(index, torch.zeros(budget).double(), torch.zeros(60).double(), {"initial": []})

    called = {}
    monkeypatch.setitem(registry._TABLE["method"], "every", every)
    return called


def run(command):
    try:
        return main(["select", *command.split()])
    except SystemExit as stop:
        return stop.code


CALLS = [
    ("random", "--labels y.npy --seed 3", {"labels": 2, "seed": 3}),
    ("hardest", "--scores s.npy --cutoff 0.1 --initial initial.npy", {"scores": 1, "cutoff": 0.1, "initial": [7, 3]}),
    ("easiest", "--scores s.npy --labels y.npy", {"scores": 1, "labels": 2}),
    ("ccs", "--scores s.npy --strata 7 --seed 1 --cutoff 0.2", {"scores": 1, "strata": 7, "seed": 1, "cutoff": 0.2}),
    ("window", "--scores s.npy --start 0.25", {"scores": 1, "start": 0.25}),
    ("dual", "--scores s.npy --confidence p.npy --c-d 3 --seed 2", {"scores": 1, "c_d": 3.0, "seed": 2, "confidence": 3}),
    ("k_center", "x.npy --metric cosine --labels y.npy", {"embeddings": 0, "metric": "cosine", "labels": 2}),
    ("moderate", "x.npy --labels y.npy --balance uniform --min-per-class 1", {"embeddings": 0, "labels": 2, "balance": "uniform", "min_per_class": 1}),
    ("prototypes", "x.npy --clusters 4 --which-to-keep easy --seed 0", {"embeddings": 0, "clusters": 4, "which_to_keep": "easy", "seed": 0}),
    ("semdedup", "x.npy --clusters 4 --seed 0", {"embeddings": 0, "clusters": 4, "seed": 0}),
    ("facility_location", "x.npy --k 4 --gamma 0.5 --kernel laplacian", {"embeddings": 0, "k": 4, "gamma": 0.5, "kernel": "laplacian"}),
    ("graph_cut", "x.npy --tradeoff 0.25", {"embeddings": 0, "tradeoff": 0.25}),
    ("d2", "x.npy --scores s.npy --debug", {"embeddings": 0, "scores": 1, "debug": True}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "options"), CALLS, ids=[name for name, *_ in CALLS])
def test_equals_the_function(name, arguments, options, files, capsys):
    assert run(f"{arguments} --method {name} --keep 0.2 --out c.npz --json") == 0
    arrays = (*files, 1 - files[1])
    options = {
        key: arrays[value] if key in ("embeddings", "scores", "labels", "confidence") else value
        for key, value in options.items()
    }
    expected = registry.look_up("method", name)(keep=0.2, **options)
    saved = Coreset.load("c.npz")
    assert saved.index.tolist() == expected.index.tolist()
    files_used = saved.settings.pop("files")
    saved.settings.pop("read")
    assert saved.settings == expected.settings
    assert files_used["scores"] == ("s.npy" if "scores" in options else None)
    assert ("confidence" in files_used) == (name == "dual")
    summary = json.loads(capsys.readouterr().out)
    assert summary["kept"] == 12
    assert (summary["score_after"] is None) == (name != "d2")


def test_every_registered_method_is_tried_here():
    assert {name for name, *_ in CALLS} == set(registry.choices("method"))


BAD = [
    ("--method none", "'method' to be one of ccs, d2"),
    (
        "--method random --strata 3",
        "'strata' to be left out with method 'random', which does not take it",
    ),
    ("--method random --k 3", "'k' to be left out with method 'random'"),
    ("--method ccs --seed 0", "'scores' for ccs"),
    ("--scores s.npy --method ccs --clamp", "'clamp' to be left out with method 'ccs'"),
    ("--scores s.npy --method ccs --backend torch", "'backend' to be left out with method 'ccs'"),
    ("--scores s.npy --method window --initial initial.npy", "'initial' to be left out"),
    ("--scores s.npy --method dual", "'confidence' with method 'dual' (got none)"),
    ("--method k_center", "'embeddings' with method 'k_center' (got none)"),
    ("--scores s.npy", "'embeddings' with method 'd2' (got none)"),
    ("g.pt --method k_center", "'embeddings' to be a tensor or an array (got a graph"),
    ("x.npy --seed 1", "'seed' to be left out with method 'd2'"),
    ("--method dual --scores s.npy --confidence p.npy --out p.npy", "'out' to differ from the inputs"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_errors(arguments, message, files, capsys):
    out = "" if "--out" in arguments else "--out c.npz"
    assert run(f"{arguments} --keep 0.2 {out}") == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_method_of_ones_own(files, stranger, capsys):
    command = "x.npy --method every --budget 3 --step 2 --weight 0.5 --flip --prior p.npy --no-progress"
    assert run(f"{command} --out c.npy") == 0
    assert np.load("c.npy").tolist() == [0, 2, 4]
    prior = stranger.pop("prior")
    assert prior.tolist() == (1 - files[1]).tolist()
    assert stranger == {"budget": 3, "step": 2, "weight": 0.5, "flip": True, "progress": False}
    assert capsys.readouterr().err.count("\n") == 1  # no scores, so no line about them
    assert run("x.npy --method every --budget 3 --out c.npy") == 2
    assert "'step' with method 'every' (got none)" in capsys.readouterr().err


def test_arguments_with_the_names_of_the_commands_own_options(files, monkeypatch, capsys):
    """They have no option; the others have the first kind of several, and a list has none."""

    def own(
        embeddings, *, budget: int, verbose: bool = False, out: str = "", files: str = "",
        share: "int | float" = 1, several: "list[int] | None" = None,
    ) -> Coreset:  # fmt: skip
        assert (verbose, out, files, several) == (False, "", "", None)
        index = torch.arange(int(budget * share))
        return Coreset(index, torch.zeros(len(index)).double(), torch.zeros(60).double(), {})

    monkeypatch.setitem(registry._TABLE["method"], "own", own)
    command = "x.npy --method own --budget 6 --share 0.5 --verbose --initial initial.npy"
    assert run(f"{command} --out c.npy") == 2
    assert "'initial' to be left out with method 'own'" in capsys.readouterr().err
    command = command.replace("--initial initial.npy", "--removed r.npy")
    assert run(f"{command} --out c.npy") == 0
    assert np.load("c.npy").tolist() == [0, 1, 2]
    assert np.load("r.npy").tolist() == list(range(3, 60))
    assert run(f"{command} --out c.npy --several 3") == 2


def test_removed_leaves_out_what_was_chosen_already(files):
    command = "--method hardest --scores s.npy --budget 9 --initial initial.npy"
    assert run(f"{command} --out c.npy --removed r.npy") == 0
    kept = {*np.load("c.npy").tolist(), 3, 7}
    assert np.load("r.npy").tolist() == sorted({*range(60)} - kept)


def test_help_is_the_docstring(files, stranger, capsys):
    assert run("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--strata N ccs: number of strata S, at least 1; the paper uses 50 (default 50)" in shown
    assert "--confidence FILE dual: mean probability of the true class, p_i [N], in 0 to 1" in shown
    assert "prototypes, semdedup: number of clusters, 1 to the number of samples" in shown
    assert "--weight F every:" in shown
    assert "kernel-object" not in shown
    assert ":math:" not in shown


class Own:
    def __call__(self): ...


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, int), ("int", int), (float | None, float), ("Optional[float]", float), (bool, bool),
        ("typing.Union[str, list[float]]", str), ("ArrayLike | None", methods._ARRAY),
        (torch.Tensor, methods._ARRAY), ("list[int]", None), ("list[str] | int", int), (Own, None),
        (type("Inner", (), {"__qualname__": "f.<locals>.Inner"}), None), ("3 3", None),
    ],
)  # fmt: skip
def test_kinds_of_options(annotation, kind):
    def every(option): ...

    every.__annotations__["option"] = annotation
    assert methods._kind(every, "option") == kind


def test_docstrings_of_strangers():
    def every(one, two, three):
        """Of another style.

        Args:
                one: First.
          two: Second, with
            a tail. And more.
        """

    told = [methods._described(every, name) for name in ("one", "two", "three")]
    assert told == ["first", "second, with a tail", ""]


def test_a_method_without_embeddings_knows_its_size_from_scores(files):
    assert run("--method hardest --scores s.npy --budget 4 --out c.npy") == 0
    assert np.load("c.npy").tolist() == d2pyg.baselines.hardest(scores=files[1], budget=4).index.tolist()


def test_a_process_of_its_own_knows_all_methods():
    program = "from d2pyg.cli import select; from d2pyg._base.registry import choices; print(choices('method'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("d2", "k_center", "random"))
