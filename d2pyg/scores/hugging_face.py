"""RecordDynamics: a callback of Hugging Face's Trainer. Needs transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from d2pyg._base.extras import require
from d2pyg.scores.loss_dynamics import LossDynamics
from d2pyg.scores.recorder import Recorder

require("transformers", "transformers")
from transformers import TrainerCallback  # noqa: E402

_FILE = "training_dynamics.pt"
Losses = Callable[[Any, Tensor], Tensor]


class RecordDynamics(TrainerCallback):  # type: ignore[misc]  # where it is not installed
    """Feeds a recorder with every training batch of a ``Trainer``.

    A recorder must know which sample a row of logits belongs to, and a Trainer does not tell. So each
    item of the training set must carry its index under the name ``"index"``, as the items of
    :class:`d2pyg.WithIndex` do. The collator puts the indices into the batch. This callback removes them
    before the model sees the batch, and reads the logits that the model returns. It works with several
    workers and processes, and ignores batches of evaluation.

    A language model has no class per sample. Pass a :class:`~d2pyg.scores.LossDynamics` and ``losses``,
    a function that computes one loss per sample from what the model returns.

    Every checkpoint contains the recorder. A resumed run continues from it.

    Args:
        dynamics: A :class:`~d2pyg.scores.TrainingDynamics` or a :class:`~d2pyg.scores.LossDynamics`
            with as many samples as the training set.
        column: The name of the index in an item of the data set.
        labels: The name of the classes, or of the target tokens, in a batch.
        losses: With a LossDynamics, losses(output, labels) -> [B]; ``output`` is what the model
            returns. :func:`~d2pyg.scores.token_losses` is one for models of tokens.

    Raises:
        ValueError: When training begins, if the Trainer would drop the index, which needs
            ``TrainingArguments(remove_unused_columns=False)``; or if a batch has no index.

    Example::

        data = d2pyg.WithIndex(data)
        record = RecordDynamics(TrainingDynamics(len(data)))
        arguments = TrainingArguments(..., remove_unused_columns=False)
        Trainer(model, arguments, train_dataset=data, callbacks=[record]).train()
        record.dynamics.borderline()

    and for a causal language model::

        def losses(output, labels):
            return token_losses(output["logits"], labels, shift=True)

        record = RecordDynamics(LossDynamics(len(data)), losses=losses)
    """

    def __init__(
        self,
        dynamics: Recorder,
        column: str = "index",
        labels: str = "labels",
        losses: Losses | None = None,
    ) -> None:
        if not isinstance(dynamics, Recorder):
            raise TypeError(
                f"Expected 'dynamics' to be a TrainingDynamics or a LossDynamics (got "
                f"{type(dynamics).__name__}). Pass TrainingDynamics(len(dataset))."
            )
        if isinstance(dynamics, LossDynamics) != callable(losses):
            raise TypeError(
                f"Expected 'losses' to be a function with a LossDynamics, and None with a "
                f"TrainingDynamics (got {type(losses).__name__} with {type(dynamics).__name__}). Pass "
                f"lambda output, labels: token_losses(output['logits'], labels, shift=True)."
            )
        self.dynamics, self.column, self.labels, self.losses = dynamics, column, labels, losses
        self._index: Tensor | None = None
        self._target: Tensor | None = None
        self._handles: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Adds hooks to the model, and restores the recorder if the run resumes."""
        if args.remove_unused_columns:
            raise ValueError(
                f"Expected 'remove_unused_columns' to be False in TrainingArguments (got True, which "
                f"drops {self.column!r}). Pass TrainingArguments(remove_unused_columns=False)."
            )
        saved = Path(args.output_dir) / f"checkpoint-{state.global_step}" / _FILE
        if state.global_step and saved.exists():
            self.dynamics.load_state_dict(type(self.dynamics).load(saved).state_dict())
        model: nn.Module = kwargs["model"]
        self._handles = [
            model.register_forward_pre_hook(self._before, with_kwargs=True),
            model.register_forward_hook(self._after),
        ]

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Closes the epoch, in all processes together."""
        self.dynamics.end_epoch()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Saves the recorder in the checkpoint."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            self.dynamics.save(folder / _FILE)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leaves the model as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _before(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Removes the index from the batch."""
        index = kwargs.pop(self.column, None)
        if model.training and (index is None or kwargs.get(self.labels) is None):
            lacking = self.column if index is None else self.labels
            raise ValueError(
                f"Expected {lacking!r} in every training batch (got {', '.join(kwargs) or 'none'}). "
                f"Give each item of the data set its index, and collate it like a label."
            )
        self._index = index if model.training else None
        self._target = kwargs.get(self.labels)
        return args, kwargs

    def _after(self, model: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """Records the output of the model for the batch."""
        if self._index is None or self._target is None:
            return
        with torch.no_grad():
            if self.losses is None:
                logits = output["logits"] if isinstance(output, Mapping) else output[1]
                self.dynamics.update(self._index, logits, self._target)
            else:
                self.dynamics.update(self._index, self.losses(output, self._target))
        self._index = self._target = None
