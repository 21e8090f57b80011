"""Runs the engine given, or the fastest one that can run the message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from d2pyg._base.progress import progress_bar
from d2pyg._base.registry import look_up, made, name_of
from d2pyg.greedy import heap, rounds, sequential  # noqa: F401  # they register themselves
from d2pyg.greedy.problem import Picks, Problem, not_finite


def run(problem: Problem, engine: str, progress: bool) -> tuple[Picks, dict[str, Any]]:
    """The picks with scores in the caller's units, and the name and the report of the engine."""
    engine = _best_engine(problem) if _is_auto(engine) else engine
    wanted, none = sum(problem.count), problem.score[:0]
    with torch.no_grad(), progress_bar(wanted, "selection", "picks", progress) as bar:
        picks = made("engine", engine, problem, bar) if wanted else Picks(none.long(), none)
    if not isinstance(picks, Picks):
        raise TypeError(
            f"Expected 'engine' to give Picks (got {type(picks).__name__} from {name_of(engine):.60}). "
            f"Pass 'auto', or an engine."
        )
    picks = replace(picks, score=picks.score * problem.unit)
    if not bool(picks.score.isfinite().all()):
        raise not_finite(problem.reverse)
    return picks, {"engine": name_of(engine), "engine_report": picks.report}


def check_engine(engine: str) -> None:
    """Refuses an unknown name. Called before the graph is built."""
    if not _is_auto(engine):
        look_up("engine", engine)


def _is_auto(engine: str) -> bool:
    return isinstance(engine, str) and engine == "auto"


def _best_engine(problem: Problem) -> str:
    """The fastest engine that runs this message on this device."""
    if problem.reverse.linear and problem.score.device.type == "cpu":
        return "heap"
    return "rounds" if problem.reverse.monotone else "sequential"
