"""The state of a recorder, and checks of a loaded one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from d2pyg._base.checks import shown
from d2pyg._base.room import room_for
from d2pyg.scores.statistics import Bound, Samples, Settings, Statistics

_PARTS = ("samples", "epochs", "settings", "recorded")
_MOST = 2**31 - 1  # epochs
_ROUNDING = 1e-9


class NotARecorderError(ValueError):
    """The file does not hold a recorder."""


def nothing_seen(statistics: Statistics, settings: Settings) -> Samples:
    """The tensors of a new recorder."""
    layout = statistics.layout(settings)
    with room_for("num_samples", settings["num_samples"]):
        return {name: torch.zeros(shape, dtype=kind) for name, (shape, kind) in layout.items()}


def checked_state(
    state: Any, statistics: Statistics, path: Path | None = None
) -> tuple[Settings, int, Samples]:
    """Checks a state, and returns its settings, its epochs and a copy of its tensors.

    Sizes are compared before anything is copied.

    Args:
        state: From :meth:`Recorder.state_dict`.
        statistics: The statistics of the recorder.
        path: The file that the state comes from, for errors.
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
    if state["recorded"] != statistics.recorded:
        raise refused(f"of {statistics.recorded}, a {statistics.recorder}", shown(state["recorded"]))
    fault = _keys(given, statistics.settings)
    if fault:
        raise refused(f"with settings {', '.join(statistics.settings)}", fault)
    try:
        settings = statistics.as_settings(**given)
    except (TypeError, ValueError) as error:
        got = shown(list(given.values()))
        raise refused(f"with settings that {statistics.recorder} takes", got) from error
    if isinstance(epochs, bool) or not isinstance(epochs, int) or not 0 <= epochs <= _MOST:
        raise refused(f"of 0 to {_MOST} epochs", shown(epochs))
    wanted = statistics.layout(settings)
    fault = _keys(samples, wanted)
    if fault:
        raise refused("with the samples' tensors", fault)
    for field, (shape, kind) in wanted.items():
        value = samples[field]
        if _form(value) != f"{kind} {shape}":
            raise refused(f"with {field} as {kind} {shape}", _form(value))
    own = {field: samples[field].detach().cpu().clone() for field in wanted}
    for field, (low, high) in statistics.ranges(own, epochs, settings).items():
        wrong = _outside(own[field], low, high)
        if field in statistics.epoch:
            wrong &= own["here"]
        if bool(wrong.any()):
            at = tuple(wrong.nonzero()[0].tolist())
            least, most, value = (
                float(torch.as_tensor(number, dtype=torch.float64).expand(wrong.shape)[at])
                for number in (low, high, own[field])
            )
            raise refused(f"with {field} in {least:g} to {most:g}", f"{value:g} at sample {at[-1]}")
    return settings, epochs, own


def _outside(value: Tensor, low: Bound, high: Bound) -> Tensor:
    """Where a value is NaN or out of range. Allows for rounding in sums of floats."""
    least, most = (torch.as_tensor(bound, dtype=torch.float64) for bound in (low, high))
    slack = _ROUNDING * value.is_floating_point()
    return ~((value >= least - slack * (1 + least.abs())) & (value <= most + slack * (1 + most.abs())))


def _keys(found: Any, wanted: Collection[str]) -> str:
    """What is wrong with the keys, in words; empty if nothing is."""
    if not isinstance(found, Mapping):
        return f"a {type(found).__name__}"
    lacking = [key for key in wanted if key not in found]
    unknown = [key for key in found if key not in wanted]
    if lacking:
        return f"no {lacking[0]}"
    return f"an unknown {shown(unknown[0])}" if unknown else ""


def _form(value: Any) -> str:
    """Dtype and shape in words; says so if the tensor is not a contiguous array of its own."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    whole = value.layout is torch.strided and value.device.type != "meta" and value.is_contiguous()
    return f"{value.dtype} {tuple(value.shape)}{'' if whole else ' without all of its numbers'}"
