"""RecordDynamics, by a stand-in for Lightning, and by Lightning where it is installed."""

import copy
import importlib
import pickle
import sys
from types import SimpleNamespace

import pytest
import torch

from d2pyg.scores import LossDynamics, TrainingDynamics
from d2pyg.scores.lightning import RecordDynamics

STAND_IN = """
class Callback:
    def on_fit_end(self, trainer, pl_module):
        return "of the base"
"""


@pytest.fixture
def no_lightning(monkeypatch):
    """As if it were not installed."""
    for name in [n for n in sys.modules if n.split(".")[0] in ("lightning", "pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    for name in "lightning", "pytorch_lightning":
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def module(request, no_lightning, tmp_path, monkeypatch):
    """A stand-in of that name, installed."""
    folder = tmp_path
    for part in request.param.split("."):
        folder = folder / part
        folder.mkdir()
        (folder / "__init__.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    package = request.param.split(".")[0]
    monkeypatch.delitem(sys.modules, package)
    yield request.param
    for name in [n for n in sys.modules if n.split(".")[0] == package]:
        del sys.modules[name]


KEY = "RecordDynamics{'name': '', 'num_samples': 8, 'window': 2, 'el2n_epochs': 10, 'margin': 'logits'}"


def unpack(outputs, batch, batch_idx):
    return batch[0], outputs["logits"], batch[1]


def batches(seed):
    logits = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
    y = torch.arange(8) % 3
    return [
        ({"logits": logits[rows]}, (torch.arange(8)[rows], y[rows])) for rows in (slice(5), slice(5, 8))
    ]


def train(record, epochs):
    for epoch in epochs:
        trainer = SimpleNamespace(current_epoch=epoch)
        for number, (outputs, batch) in enumerate(batches(epoch)):
            record.on_train_batch_end(trainer, None, outputs, batch, number)
        record.on_train_epoch_end(trainer, None)


def expected(epochs):
    dynamics = TrainingDynamics(8, window=2)
    for epoch in epochs:
        for outputs, (index, y) in batches(epoch):
            dynamics.update(index, outputs["logits"], y)
        dynamics.end_epoch()
    return dynamics


def test_records_as_by_hand(module):
    record = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    assert isinstance(record, importlib.import_module(module).Callback)
    assert isinstance(record, RecordDynamics)
    assert type(record).__qualname__ == "RecordDynamics"  # Lightning's key in checkpoints
    assert record.on_fit_end(None, None) == "of the base"
    train(record, range(3))
    assert record.dynamics.epochs == 3
    for name in "aum", "forgetting", "dual":
        assert torch.equal(getattr(record.dynamics, name)(), getattr(expected(range(3)), name)())


def test_goes_on_from_a_checkpoint(module, tmp_path):
    first = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    train(first, range(2))
    torch.save(first.state_dict(), tmp_path / "c.pt")
    second = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    second.load_state_dict(torch.load(tmp_path / "c.pt", weights_only=True))
    train(second, range(2, 4))
    assert torch.equal(second.dynamics.dual(), expected(range(4)).dual())


def test_goes_on_from_a_checkpoint_of_the_last_batch(module, tmp_path):
    first = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    train(first, range(2))
    for number, (outputs, batch) in enumerate(batches(2)):
        first.on_train_batch_end(SimpleNamespace(current_epoch=2), None, outputs, batch, number)
    torch.save(first.state_dict(), tmp_path / "c.pt")
    second = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    second.load_state_dict(torch.load(tmp_path / "c.pt", weights_only=True))
    train(second, range(3, 4))
    assert second.dynamics.epochs == 4
    assert torch.equal(second.dynamics.dual(), expected(range(4)).dual())


def test_goes_on_from_a_checkpoint_inside_an_epoch(module):
    first = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    train(first, range(2))
    begun, rest = batches(2)
    trainer = SimpleNamespace(current_epoch=2)
    first.on_train_batch_end(trainer, None, *begun, 0)
    second = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    second.load_state_dict(first.state_dict())
    second.on_train_batch_end(trainer, None, *rest, 1)
    second.on_train_epoch_end(trainer, None)
    assert second.dynamics.epochs == 3
    assert torch.equal(second.dynamics.dual(), expected(range(3)).dual())


def test_copies(module):
    record = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    train(record, range(2))
    other = copy.deepcopy(record)
    train(other, range(2, 3))
    assert (record.dynamics.epochs, other.dynamics.epochs) == (2, 3)
    assert isinstance(other, RecordDynamics)


def test_a_copy_is_in_the_same_epoch(module):
    """So that one from the last batch of an epoch closes it when the next begins."""
    record = RecordDynamics(TrainingDynamics(8, window=2), unpack, name="head")
    train(record, range(2))
    for number, (outputs, batch) in enumerate(batches(2)):
        record.on_train_batch_end(SimpleNamespace(current_epoch=2), None, outputs, batch, number)
    for copied in copy.deepcopy(record), pickle.loads(pickle.dumps(record)):
        assert (copied.open_epoch, copied.name, copied.unpack) == (2, "head", unpack)
        train(copied, range(3, 4))
        assert copied.dynamics.epochs == 4
        assert torch.equal(copied.dynamics.dual(), expected(range(4)).dual())
    assert (record.open_epoch, record.dynamics.epochs) == (2, 2)


def test_several_have_states_of_their_own(module):
    given = [
        (TrainingDynamics(8, window=2), ""), (TrainingDynamics(8, window=3), ""),
        (TrainingDynamics(9, window=2), ""), (TrainingDynamics(8, window=2, margin="probabilities"), ""),
        (TrainingDynamics(8, window=2), "head"),
    ]  # fmt: skip
    records = [RecordDynamics(dynamics, unpack, name) for dynamics, name in given]
    assert records[0].state_key == KEY
    assert len({record.state_key for record in records}) == 5
    assert RecordDynamics(TrainingDynamics(8, window=2), unpack).state_key == KEY


def test_a_checkpoint_of_another_recorder_is_refused(module):
    """Else the run would go on with an empty one."""
    mine = RecordDynamics(TrainingDynamics(8, window=3), unpack)
    other = SimpleNamespace(state_key="EarlyStopping")
    trainer = SimpleNamespace(callbacks=[mine, other])
    for fine in {}, {"EarlyStopping": {}}, {mine.state_key: {}}, {mine.state_key: {}, KEY: {}}:
        mine.on_load_checkpoint(trainer, None, {"callbacks": fine})
    with pytest.raises(
        ValueError, match=r"'window': 3.* \(got RecordDynamics.*'window': 2.*same arguments"
    ):
        mine.on_load_checkpoint(trainer, None, {"callbacks": {KEY: {}, "EarlyStopping": {}}})
    both = SimpleNamespace(callbacks=[mine, RecordDynamics(TrainingDynamics(8, window=2), unpack)])
    mine.on_load_checkpoint(both, None, {"callbacks": {KEY: {}}})  # a recorder that is new


@pytest.mark.parametrize("epoch", [True, 1.5, "2", float("nan"), [2]])
def test_refuses_states(module, epoch):
    record = RecordDynamics(TrainingDynamics(8, window=2), unpack)
    state = record.state_dict()
    for wrong in {**state, "open_epoch": epoch}, record.dynamics.state_dict(), None, [state]:
        with pytest.raises(
            ValueError, match="'state_dict' to be of a RecordDynamics, with a whole number"
        ):
            record.load_state_dict(wrong)
    with pytest.raises(ValueError, match="'state' to be of a recorder with samples, epochs, settings"):
        record.load_state_dict({"open_epoch": None})
    assert record.open_epoch is None


def test_refuses(module):
    with pytest.raises(TypeError, match=r"'name' to be text \(got int\)"):
        RecordDynamics(TrainingDynamics(8), unpack, name=3)
    with pytest.raises(
        TypeError, match=r"'dynamics' to be a TrainingDynamics or a LossDynamics and .*got int and"
    ):
        RecordDynamics(8, unpack)
    with pytest.raises(TypeError, match=r"'unpack' a function .got TrainingDynamics and NoneType"):
        RecordDynamics(TrainingDynamics(8), None)
    record = RecordDynamics(TrainingDynamics(8), lambda *_: None)
    with pytest.raises(TypeError, match=r"to return \(index, logits, labels\) \(got NoneType\)"):
        record.on_train_batch_end(None, None, {}, None, 0)


def test_losses(module):
    def unpack_losses(outputs, batch, batch_idx):
        return batch[0], outputs["logits"].exp().mean(1)

    record = RecordDynamics(LossDynamics(8), unpack_losses)
    train(record, range(2))
    again = RecordDynamics(LossDynamics(8), unpack_losses)
    again.load_state_dict(record.state_dict())
    assert again.state_key == "RecordDynamics{'name': '', 'num_samples': 8}"
    expected = torch.cat([outputs["logits"] for outputs, _ in batches(1)]).exp().mean(1)
    assert again.dynamics.last_loss().equal(expected.double())
    wrong = RecordDynamics(LossDynamics(8), unpack)
    with pytest.raises(TypeError, match=r"to return \(index, losses\) \(got 3 values\)"):
        train(wrong, range(1))


def test_says_how_to_install_it(no_lightning):
    with pytest.raises(ImportError, match="pip install lightning"):
        RecordDynamics(TrainingDynamics(8), unpack)


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def fit(request, tmp_path, monkeypatch):
    """A run of Lightning itself, which unpickles nothing: two batches an epoch, always alike."""
    lightning = pytest.importorskip(request.param)
    if request.param == "pytorch_lightning" and "lightning.pytorch" in sys.modules:
        pytest.skip("the other one is imported, and comes first")
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)
            torch.nn.init.eye_(self.layer.weight)
            torch.nn.init.zeros_(self.layer.bias)

        def training_step(self, batch, batch_idx):
            logits = self.layer(batch[1])
            return {"loss": torch.nn.functional.cross_entropy(logits, batch[2]), "logits": logits}

        def validation_step(self, batch, batch_idx):
            self.log("loss", self.layer(batch[1]).sum())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    x, y = torch.linspace(-1, 1, 32).view(8, 4), torch.arange(8) % 3
    data = torch.utils.data.TensorDataset(torch.arange(8), x, y)

    def run(epochs, start=None, window=2, also=None, name="", **saved):
        def of_three(outputs, batch, _):
            return batch[0], outputs["logits"], batch[2]

        record = RecordDynamics(TrainingDynamics(8, window=window), of_three)
        others = [] if also is None else [RecordDynamics(also, of_three, name)]
        keep = importlib.import_module(f"{request.param}.callbacks").ModelCheckpoint(
            tmp_path, filename="{step}", save_top_k=-1, **saved
        )
        lightning.Trainer(
            max_epochs=epochs, callbacks=[keep, record, *others], default_root_dir=tmp_path, accelerator="cpu",
            logger=False, enable_progress_bar=False, enable_model_summary=False,
        ).fit(
            Model(),
            torch.utils.data.DataLoader(data, batch_size=4),
            torch.utils.data.DataLoader(data, batch_size=8),
            ckpt_path=start,
        )  # fmt: skip
        return record.dynamics

    return run


WHEN = [
    {"monitor": "loss"},
    {"save_on_train_epoch_end": True},
    {"every_n_train_steps": 2},  # the last batch of an epoch
]


@pytest.mark.filterwarnings("default")  # of its own
@pytest.mark.parametrize("saved", WHEN, ids=[next(iter(saved)) for saved in WHEN])
def test_with_lightning_itself(saved, fit, tmp_path):
    whole = fit(3, **saved)
    assert whole.epochs == 3
    for step in (2, 4):
        found = torch.load(tmp_path / f"step={step}.ckpt", weights_only=True)
        assert found["callbacks"][KEY]["settings"]["num_samples"] == 8
        resumed = fit(3, tmp_path / f"step={step}.ckpt", **saved)
        assert resumed.epochs == 3
        for name in "aum", "forgetting", "dual":
            assert torch.equal(getattr(resumed, name)(), getattr(whole, name)())


@pytest.mark.filterwarnings("default")
def test_with_lightning_from_inside_an_epoch(fit, tmp_path):
    fit(2, every_n_train_steps=3)
    resumed = fit(2, tmp_path / "step=3.ckpt", every_n_train_steps=3)
    assert resumed.epochs == 2
    assert len(resumed.aum()) == 8


@pytest.mark.filterwarnings("default")
def test_several_with_lightning_itself(fit, tmp_path):
    """Each resumes from its own state; equal ones need names."""
    window = TrainingDynamics(8, window=3)
    fit(2, also=window, every_n_train_steps=2)
    again = TrainingDynamics(8, window=3)
    resumed = fit(3, tmp_path / "step=2.ckpt", also=again, every_n_train_steps=2)
    assert (resumed.epochs, again.epochs) == (3, 3)
    assert again.aum().equal(resumed.aum())
    with pytest.raises(RuntimeError, match="Found more than one stateful callback"):
        fit(1, also=TrainingDynamics(8, window=2))
    assert fit(1, also=TrainingDynamics(8, window=2), name="other").epochs == 1
    with pytest.raises(
        ValueError, match=r"Expected the checkpoint to hold RecordDynamics.*same arguments"
    ):
        fit(3, tmp_path / "step=2.ckpt", window=4)
