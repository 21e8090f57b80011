"""The methods that are compared: a table of rows, and how a row selects.

A row is written as its name, or its name and settings: ``d2``, ``d2 k=10 clamp=true score=el2n``.
"""

import contextlib
import inspect
import json
from dataclasses import dataclass, field, replace

import torch

import d2pyg


@dataclass(frozen=True)
class Row:
    """One way to select.

    Attributes:
        method: A name in d2pyg.baselines, ``d2`` for d2pyg.select, or ``everything``.
        score: Which score it gets, or None.
        embeddings: ``supervised`` or ``free``.
        classes: Whether it is given the labels.
        settings: Its other arguments; see :data:`NAMED` for those with a meaning of their own.
    """

    method: str
    score: str | None = None
    embeddings: str = "supervised"
    classes: bool = True
    settings: dict = field(default_factory=dict)


SCORE = "aum"  # difficulty, for methods that rank by it
PUBLISHED = {"gamma_forward": 1.0, "gamma_reverse": 0.1}  # within the ranges of the paper


def _free(method, score=None, **settings):
    return Row(method, score, "free", classes=False, settings=settings)


ROWS = {
    "everything": Row("everything"),
    "random": Row("random"),
    "hardest": Row("hardest", SCORE),
    "easiest": Row("easiest", SCORE),
    "window": Row("window", SCORE, settings={"start": "middle"}),
    "borderline": Row("hardest", "borderline"),
    "moderate": Row("moderate"),
    "k_center": Row("k_center"),
    "facility_location": Row("facility_location"),
    "graph_cut": Row("graph_cut"),
    "prototypes": Row("prototypes"),
    "semdedup": Row("semdedup"),
    "dual": Row("hardest", "dual"),
    "dual-beta": Row("dual", "dual"),
    "ccs": Row("ccs", SCORE),
    "ccs-paper": Row("ccs", SCORE, settings={"cutoff": "paper"}),
    "ccs-margin": Row("ccs", SCORE, settings={"cutoff": "margin"}),
    "d2": Row("d2", "borderline"),
    "d2-auto": Row("d2", "dynamics", settings={"cutoff": "auto"}),
    "d2-aum": Row("d2", SCORE),
    "d2-aum-margin": Row("d2", SCORE, settings={"cutoff": "margin"}),
    "d2-published": Row("d2", SCORE, settings={**PUBLISHED, "cutoff": "paper"}),
    "random-free": _free("random"),
    "k_center-free": _free("k_center"),
    "facility_location-free": _free("facility_location"),
    "graph_cut-free": _free("graph_cut"),
    "prototypes-free": _free("prototypes"),
    "prototypes-easy-free": _free("prototypes", which_to_keep="easy"),
    "semdedup-free": _free("semdedup"),
    "d2-free": _free("d2"),
    "d2-ones-free": _free("d2", "ones", **PUBLISHED),
    "d2-prototypicality-free": _free("d2", "prototypicality"),
}


def _paper(prepared, prune):
    """CCS's cutoffs for CIFAR-10 with AUM (Zheng et al. 2023); elsewhere those of the nearest rate."""
    return 0.0 if prune < 0.6 else 0.1 if prune < 0.85 else 0.3


def _margin(prepared, prune):
    """The share of samples whose mean margin is negative: taken for another class, on the whole."""
    return (prepared.scores["aum_raw"] < 0).double().mean().item()


def _middle(prepared, prune):
    """As many samples are harder than the window as are easier."""
    return prune / 2


NAMED = {("cutoff", "paper"): _paper, ("cutoff", "margin"): _margin, ("start", "middle"): _middle}


def parse(text):
    """The row of a name and settings: ``d2 k=10 classes=false cutoff=0.1``; values are JSON or words."""
    name, *pairs = text.split()
    if name not in ROWS:
        raise SystemExit(f"Expected a method of {', '.join(ROWS)} (got {name!r}). Choose one of these.")
    row = ROWS[name]
    for pair in pairs:
        key, given, value = pair.partition("=")
        if not given:
            raise SystemExit(f"Expected settings as key=value (got {pair!r} in {text!r}). Write k=10.")
        with contextlib.suppress(json.JSONDecodeError):  # else it is a word
            value = json.loads(value)
        if key in ("score", "embeddings", "classes"):
            row = replace(row, **{key: value})
        else:
            row = replace(row, settings={**row.settings, key: value})
    return row


def is_seeded(row):
    """Whether another seed gives another coreset."""
    if row.method == "everything":
        return False
    seed = inspect.signature(_function(row)).parameters.get("seed")
    return seed is not None and seed.default is not None  # None: drawn only where that is asked for


def is_nested(row):
    """Whether its first picks are the coreset of a smaller budget, with the same settings."""
    return row.method != "dual"


def settings(row, prepared, prune):
    """The row's settings, where names stand for numbers at this pruning rate."""
    found = {
        key: NAMED[key, value](prepared, prune)
        if isinstance(value, str) and (key, value) in NAMED
        else value
        for key, value in row.settings.items()
    }
    if isinstance(found.get("cutoff"), float | int):  # no more than what is pruned anyway
        found["cutoff"] = min(found["cutoff"], prune)
    return found


def select(row, prepared, prune, seed, device="cpu"):
    """The row's coreset, places in the training set [B] on the CPU, and the settings it got."""
    total = len(prepared.labels)
    if row.method == "everything":
        return torch.arange(total), {}
    got = settings(row, prepared, prune)
    given = dict(got)
    if is_seeded(row):
        given["seed"] = seed
    if row.classes:
        given["labels"] = prepared.labels
    if row.method == "dual":
        given["confidence"] = 1 - prepared.scores["confidence"]
    x = getattr(prepared, row.embeddings).to(device)
    coreset = _function(row)(x, _score(row.score, prepared), prune=prune, **given)
    return coreset.index.cpu(), got


def _function(row):
    return d2pyg.select if row.method == "d2" else getattr(d2pyg.baselines, row.method)


def _score(name, prepared):
    if name is None:
        return None
    if name == "dynamics":
        return prepared.dynamics
    if name == "ones":
        return d2pyg.scores.ones(len(prepared.labels))
    return prepared.scores[name]
