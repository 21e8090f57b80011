"""The state of a recorder, and checks of a loaded one."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import as_count, check_choice, shown
from d2pyg._base.options import MARGINS
from d2pyg._base.room import room_for
from d2pyg.scores.batch import LARGEST

# What is kept of each sample between epochs, and of the epoch that is under way.
TOTALS = {
    "seen": torch.int64,
    "correct": torch.int64,
    "was_correct": torch.bool,
    "forgotten": torch.int64,
    "margin": torch.float64,
    "el2n": torch.float64,
    "entropy": torch.float64,
    "mean": torch.float64,  # of the true class's probability, and its squared deviations
    "deviations": torch.float64,
    "dyn_unc": torch.float64,
    "dual": torch.float64,
}
EPOCH = ("probability", "epoch_margin", "epoch_el2n", "epoch_entropy", "epoch_correct")
_PARTS = ("samples", "epochs", "settings")
_SETTINGS = ("num_samples", "window", "el2n_epochs", "margin")
_MOST = 2**31 - 1  # epochs
_ENTROPY = 44.0  # above the logarithm of any number of classes
_ROUNDING = 1e-9
Bound = Tensor | float


class NotARecorderError(ValueError):
    """A file that holds something else."""


def as_settings(num_samples: int, window: int, el2n_epochs: int, margin: str) -> dict[str, Any]:
    """The arguments of a recorder, checked."""
    return {
        "num_samples": as_count("num_samples", num_samples, 1, None, "", "It is len(dataset)."),
        "window": as_count("window", window, 2, None, "", "The papers use 10 epochs."),
        "el2n_epochs": as_count("el2n_epochs", el2n_epochs, 1, None, "", "CCS uses 10 epochs."),
        "margin": check_choice("margin", margin, MARGINS),
    }


def layout(settings: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Shape and dtype of each tensor."""
    total = (settings["num_samples"],)
    return {
        **{name: (total, kind) for name, kind in TOTALS.items()},
        "recent": ((settings["window"], *total), torch.float32),
        "here": (total, torch.bool),
        **dict.fromkeys(EPOCH, (total, torch.float64)),
    }


def nothing_seen(settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a recorder that begins."""
    with room_for("num_samples", settings["num_samples"]):
        return {n: torch.zeros(shape, dtype=kind) for n, (shape, kind) in layout(settings).items()}


def checked_state(state: Any, path: Path | None = None) -> tuple[dict[str, Any], int, dict[str, Tensor]]:
    """Settings, epochs and a copy of the tensors, if they can be those of a recorder.

    Sizes are compared before anything is copied.

    Args:
        state: From :meth:`TrainingDynamics.state_dict`.
        path: The file that it was read from, named in errors.
    """

    def refused(rule: str, got: str, kind: type[ValueError] = ValueError) -> ValueError:
        subject = "'state' to be of" if path is None else "'path' to be a complete file of"
        where = "" if path is None else f" in {str(path)!r}"
        return kind(
            f"Expected {subject} a recorder {rule} (got {got}{where}). Restore it from a copy, or "
            f"record again."
        )

    fault = _keys(state, _PARTS)
    if fault:
        raise refused(f"with {', '.join(_PARTS)}", fault, NotARecorderError)
    given, epochs, samples = (state[part] for part in ("settings", "epochs", "samples"))
    fault = _keys(given, _SETTINGS)
    if fault:
        raise refused(f"with settings {', '.join(_SETTINGS)}", fault)
    try:
        settings = as_settings(**given)
    except (TypeError, ValueError) as error:
        got = shown(list(given.values()))
        raise refused("with settings that TrainingDynamics takes", got) from error
    if isinstance(epochs, bool) or not isinstance(epochs, int) or not 0 <= epochs <= _MOST:
        raise refused(f"of 0 to {_MOST} epochs", shown(epochs))
    wanted = layout(settings)
    fault = _keys(samples, wanted)
    if fault:
        raise refused("with the samples' tensors", fault)
    for field, (shape, kind) in wanted.items():
        value = samples[field]
        if _form(value) != f"{kind} {shape}":
            raise refused(f"with {field} as {kind} {shape}", _form(value))
    own = {field: samples[field].detach().cpu().clone() for field in wanted}
    for field, (low, high) in _ranges(own, epochs, settings).items():
        wrong = _outside(own[field], low, high)
        if field in EPOCH:
            wrong &= own["here"]
        if bool(wrong.any()):
            at = tuple(wrong.nonzero()[0].tolist())
            least, most, value = (
                float(torch.as_tensor(number, dtype=torch.float64).expand(wrong.shape)[at])
                for number in (low, high, own[field])
            )
            raise refused(f"with {field} in {least:g} to {most:g}", f"{value:g} at sample {at[-1]}")
    return settings, epochs, own


def _ranges(
    samples: dict[str, Tensor], epochs: int, settings: Mapping[str, Any]
) -> dict[str, tuple[Bound, Bound]]:
    """The lowest and the highest value that each tensor can have, given those before it."""
    seen, correct, last = (samples[field].double() for field in ("seen", "correct", "was_correct"))
    some, ever = (seen > 0).double(), (correct > 0).double()
    windows = (seen - settings["window"] + 1).clamp(min=0)
    margin = 2 * LARGEST if settings["margin"] == "logits" else 1.0
    spread = math.sqrt(settings["window"] / (settings["window"] - 1)) / 2
    return {
        "seen": (0, epochs),
        "was_correct": (0, some),
        # The last epoch was one of the right ones; or else it was not, and ended a run of them.
        "correct": (last, seen - some + last),
        "forgotten": (ever - last, (correct - last).minimum(seen - correct)),
        "margin": (-margin * seen, margin * seen),
        "el2n": (0, math.sqrt(2) * seen.clamp(max=settings["el2n_epochs"])),
        "entropy": (0, _ENTROPY * seen),
        "mean": (0, some),
        "deviations": (0, seen / 4),
        "dyn_unc": (0, spread * windows),
        "dual": (0, samples["dyn_unc"]),
        "recent": (0, 1),
        "probability": (0, 1),
        "epoch_margin": (-margin, margin),
        "epoch_el2n": (0, math.sqrt(2)),
        "epoch_entropy": (0, _ENTROPY),
        "epoch_correct": (samples["epoch_correct"].round().clamp(0, 1),) * 2,  # 0 or 1
    }


def _outside(value: Tensor, low: Bound, high: Bound) -> Tensor:
    """Where a value, NaN included, is not in its range; sums of floats are a little off."""
    least, most = (torch.as_tensor(bound, dtype=torch.float64) for bound in (low, high))
    slack = _ROUNDING * (1 + most.abs()) * value.is_floating_point()
    return ~((value >= least - slack) & (value <= most + slack))


def _keys(found: Any, wanted: Collection[str]) -> str:
    """What is wrong with the keys, in words; empty where nothing is."""
    if not isinstance(found, Mapping):
        return f"a {type(found).__name__}"
    lacking = [key for key in wanted if key not in found]
    unknown = [key for key in found if key not in wanted]
    if lacking:
        return f"no {lacking[0]}"
    return f"an unknown {shown(unknown[0])}" if unknown else ""


def _form(value: Any) -> str:
    """Dtype and shape, in words, of a tensor that has memory of its own for all of its numbers."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    whole = value.layout is torch.strided and value.device.type != "meta" and value.is_contiguous()
    return f"{value.dtype} {tuple(value.shape)}{'' if whole else ' without all of its numbers'}"
