"""RecordDynamics: a Lightning callback that records a training run. Needs lightning."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from d2pyg._base.checks import ArrayLike, shown
from d2pyg._base.extras import require
from d2pyg.scores.loss_dynamics import LossDynamics
from d2pyg.scores.recorder import Recorder

Unpack = Callable[[Any, Any, int], "tuple[ArrayLike, ...]"]
_LOGITS = ("index", "logits", "labels")
_MODULES = ("lightning.pytorch", "pytorch_lightning")


class RecordDynamics:
    """Passes every training batch to a recorder, closes its epochs, and stores it in the checkpoints of
    the run.

    A run may resume from any checkpoint. A checkpoint from inside an epoch holds the batches of that
    epoch that its process had seen. Lightning decides which samples come in the rest of the epoch.

    Several callbacks in one Trainer need recorders with different arguments or different names. Both
    are part of the ``state_key`` in checkpoints.

    Strategies that start new processes (``"ddp_spawn"``, ``"ddp_fork"``) fill copies in those processes,
    and ``dynamics`` stays empty here. Load it from the last checkpoint instead:
    ``record.load_state_dict(torch.load(path)["callbacks"][record.state_key])``.

    It is a ``Callback`` of ``lightning.pytorch``, or of ``pytorch_lightning`` if that one is imported.

    Args:
        dynamics: A :class:`~d2pyg.scores.TrainingDynamics` or a :class:`~d2pyg.scores.LossDynamics`.
        unpack: A function unpack(outputs, batch, batch_idx) -> (index, logits, labels). ``outputs`` is
            what ``training_step`` returned, so let that return a dict with the logits. ``index`` holds
            the samples' places in the data set. With a LossDynamics, ``unpack`` returns (index, losses).
        name: Distinguishes recorders with the same arguments.

    Raises:
        TypeError: If ``unpack`` is not a function; or during training, if it returns something else.
        ValueError: If a run resumes from a checkpoint that holds another recorder.
        ImportError: If neither package is installed.

    Example::

        def unpack(outputs, batch, batch_idx):
            x, y, index = batch  # of a loader over d2pyg.WithIndex(dataset)
            return index, outputs["logits"], y

        record = RecordDynamics(TrainingDynamics(len(dataset)), unpack)
        Trainer(callbacks=[record]).fit(model, loader)
        record.dynamics.forgetting()
    """

    def __new__(cls, *_: Any, **__: Any) -> RecordDynamics:
        # Lightning asks for its own base class, which is imported no earlier than here.
        made: type[RecordDynamics] = type(
            cls.__name__, (cls, _callback_class()), {"__module__": cls.__module__}
        )
        return object.__new__(made)

    def __init__(self, dynamics: Recorder, unpack: Unpack, name: str = "") -> None:
        if not isinstance(dynamics, Recorder) or not callable(unpack):
            raise TypeError(
                f"Expected 'dynamics' to be a TrainingDynamics or a LossDynamics and 'unpack' a "
                f"function (got {type(dynamics).__name__} and {type(unpack).__name__}). Pass "
                f"RecordDynamics(TrainingDynamics(len(dataset)), unpack)."
            )
        if not isinstance(name, str):
            raise TypeError(
                f"Expected 'name' to be text (got {type(name).__name__}). One recorder alone needs none."
            )
        self.dynamics, self.unpack, self.name = dynamics, unpack, name
        self.open_epoch: int | None = None  # that of the batches recorded and not closed yet

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Records the batch."""
        found = self.unpack(outputs, batch, batch_idx)
        wanted = ("index", "losses") if isinstance(self.dynamics, LossDynamics) else _LOGITS
        if not isinstance(found, tuple) or len(found) != len(wanted):
            got = f"{len(found)} values" if isinstance(found, tuple) else type(found).__name__
            raise TypeError(
                f"Expected 'unpack' to return ({', '.join(wanted)}) (got {got}). Return such a tuple."
            )
        if self.open_epoch not in (None, trainer.current_epoch):
            # Resumed from a checkpoint of the last batch: Lightning goes on with the next epoch.
            self.dynamics.end_epoch()
        self.dynamics.update(*found)
        self.open_epoch = trainer.current_epoch

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Closes the epoch, in all processes together."""
        self.dynamics.end_epoch()
        self.open_epoch = None

    @property
    def state_key(self) -> str:
        """The key of the state in Lightning's checkpoints."""
        return f"{type(self).__qualname__}{ {'name': self.name, **self.dynamics.settings} }"

    def state_dict(self) -> dict[str, Any]:
        """The state of the recorder, for the checkpoint."""
        return {**self.dynamics.state_dict(), "open_epoch": self.open_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the recorder from a checkpoint."""
        state = dict(state_dict) if isinstance(state_dict, Mapping) else {}
        epoch = state.pop("open_epoch", "nothing")
        if epoch is not None and type(epoch) is not int:
            raise ValueError(
                f"Expected 'state_dict' to be of a RecordDynamics, with a whole number or None as "
                f"open_epoch (got {shown(epoch)}). Resume from another checkpoint."
            )
        self.dynamics.load_state_dict(state)
        self.open_epoch = epoch

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint that holds a recorder with other arguments."""
        found = [key for key in checkpoint["callbacks"] if str(key).startswith(type(self).__qualname__)]
        taken = {callback.state_key for callback in trainer.callbacks}
        others = [key for key in found if key not in taken]
        if others and self.state_key not in found:
            raise ValueError(
                f"Expected the checkpoint to hold {self.state_key} (got {others[0]}). Make the recorder "
                f"with the same arguments."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # The class exists only for this object. A copy, also in another process, makes its own.
        return _bare, (type(self).__mro__[1],), self.__dict__


def _bare(cls: type[RecordDynamics]) -> RecordDynamics:
    return cls.__new__(cls)


def _callback_class() -> Any:
    """The base class of the package that is imported, or else of the one installed."""
    imported = [name for name in _MODULES if sys.modules.get(name)]
    only_the_other = find_spec("lightning") is None and find_spec("pytorch_lightning") is not None
    default = _MODULES[1] if only_the_other else _MODULES[0]
    return require(imported[0] if imported else default, "lightning").Callback
