"""repeat: selects a saved coreset again, to get its graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch_geometric.data import Data

from d2pyg._base.checks import ArrayLike
from d2pyg._base.registry import choices
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.edges import edges_of, own_k
from d2pyg.graph.joined import Joined
from d2pyg.graph.knn import Embeddings
from d2pyg.graph.metric import as_metric
from d2pyg.scores.given import Scores
from d2pyg.selection.select import select
from d2pyg.sources.description import changed
from d2pyg.sources.source import Source

_NUMBER, _NONE = (int, float), type(None)
_PASSED: dict[str, tuple[type, ...]] = {  # settings that are arguments of select, and what they can be
    "keep": (*_NUMBER, _NONE),
    "prune": (*_NUMBER, _NONE),
    "budget": (int, _NONE),
    "gamma_forward": (*_NUMBER, _NONE),
    "gamma_reverse": (*_NUMBER, _NONE),
    "kernel": (str, _NONE),
    "scale": (str, *_NUMBER, _NONE),
    "update": (str, _NONE),
    "forward": (str,),
    "reverse": (str,),
    "clamp": (bool,),
    "flow": (str,),
    "balance": (str,),
    "min_per_class": (int,),
    "cutoff": (str, *_NUMBER),
    "initial": (list,),
}
_NEEDED: dict[str, tuple[type, ...]] = {
    **_PASSED,
    "k": (int,),
    "metric": (str, _NONE),
    "backend": (str, _NONE),
    "recall": (dict, _NONE),
    "num_samples": (int,),
    "num_classes": (int, _NONE),
}


def repeat(
    coreset: Coreset,
    embeddings: Embeddings | Data,
    scores: Scores = None,
    labels: ArrayLike | None = None,
    *,
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Coreset:
    """Selects again by ``coreset.settings``, and checks that the picks are the same.

    A file holds no graph. The coreset returned has one, so :meth:`~d2pyg.Coreset.explain` works.

    Args:
        coreset: Of :func:`d2pyg.select`, such as from :meth:`d2pyg.Coreset.load`.
        embeddings, scores, labels: The inputs that it was selected from.
        device: Where to compute; default: where ``embeddings`` are. Distances can differ between
            devices in their last bit.
        progress: Show bars of rows and picks done.

    Returns:
        The same coreset. The engine is the one that ``"auto"`` chooses here.

    Raises:
        ValueError: If the settings are not those of ``select``, are damaged, name Python objects, or
            give other picks with these inputs; or if ``embeddings`` are a :func:`d2pyg.open` of files
            that have changed.

    Example:
        >>> import tempfile
        >>> x, path = torch.tensor([[0.0], [0.0], [5.0]]), tempfile.mkdtemp() + "/coreset.npz"
        >>> d2pyg.select(x, scores=[3.0, 2.0, 1.0], budget=1, k=1, gamma_forward=0).save(path)
        >>> print(repeat(d2pyg.Coreset.load(path), x, scores=[3.0, 2.0, 1.0]).explain(1))
        sample 1: not picked, with -1 left
          score 2, after the forward pass 5, rank 2 of 3
          pick 1, sample 0, took 6
    """
    settings = coreset.settings
    lacking = [name for name in _NEEDED if name not in settings]
    if lacking:
        raise ValueError(
            f"Expected 'coreset' to be of d2pyg.select (got settings without {lacking[0]!r}). "
            f"Select again by the method that made it."
        )
    _check_kinds(settings, len(coreset.scores))
    if isinstance(embeddings, Source):
        check_read(coreset, {"embeddings": embeddings.description})
        _check_order(coreset, embeddings)
    classes = settings["num_classes"]
    if (labels is None) != (classes is None):
        made, got = ("without", "some") if classes is None else (f"with {classes} classes of", "none")
        raise ValueError(
            f"Expected 'labels' as when the coreset was selected, {made} labels (got {got}). Pass the "
            f"same inputs."
        )
    options = {name: settings[name] for name in _PASSED} | _graph_options(settings, embeddings)
    options["initial"] = torch.tensor(settings["initial"], dtype=torch.int64)  # never names
    for family in ("forward", "kernel", "reverse", "metric", "backend"):
        if options.get(family) is not None and options[family] not in choices(family):
            raise ValueError(
                f"Expected the settings of 'coreset' to name a {family} of "
                f"{', '.join(choices(family))} (got {options[family]!r:.60}, a Python object or "
                f"a name that is not registered here). Import the module that registers it, or select "
                f"again in Python."
            )
    again = select(
        embeddings, scores, labels=labels, ids=coreset.ids, device=device, progress=progress, **options
    )
    difference = _difference(coreset, again)
    if difference:
        raise ValueError(
            f"Expected the inputs that 'coreset' was selected from (got {difference}). They have "
            f"changed, or others were meant: pass the same embeddings, scores and labels."
        )
    return again


def check_read(coreset: Coreset, read: Mapping[str, dict[str, Any]]) -> None:
    """The files of each argument are as they were, where the coreset says how they were."""
    before = coreset.settings.get("read")
    for name, now in read.items():
        was = before.get(name) if isinstance(before, dict) else None
        difference = changed(was, now) if isinstance(was, dict) else None
        if difference:
            raise ValueError(
                f"Expected the files of {name!r} that 'coreset' was selected from (got {difference}). "
                f"Restore them, or select again."
            )


def _check_order(coreset: Coreset, source: Source) -> None:
    """Names of a source say whether its rows are in the same order."""
    if coreset.ids is None or source.ids is None or len(coreset.ids) != len(source):
        return
    other = np.flatnonzero(coreset.ids != source.ids)
    if len(other):
        row = int(other[0])
        raise ValueError(
            f"Expected the rows that 'coreset' was selected from, in their order (got id "
            f"{source.ids[row]!s:.40} in row {source.place_of(row)}, not {coreset.ids[row]!s:.40}). "
            f"Restore the order, or select again."
        )


def _check_kinds(settings: dict[str, Any], total: int) -> None:
    """Checks that each setting has a type that ``select`` writes. ``select`` checks the values."""
    for name, kinds in _NEEDED.items():
        value = settings[name]
        fits = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        if isinstance(value, int):
            fits = fits and abs(value) < 2**63
        if name == "initial" and fits:
            fits = all(type(sample) is int and 0 <= sample < total for sample in value)
        if name == "num_samples":
            fits = value == total
        if not fits:
            raise ValueError(
                f"Expected the settings of 'coreset' to be as d2pyg.select wrote them (got {name} "
                f"{value!r:.60}, which it never writes for {total} samples). Select again."
            )


def _graph_options(settings: dict[str, Any], embeddings: Any) -> dict[str, Any]:
    """How the graph was built. A graph and joined embeddings hold this themselves."""
    k = settings["k"]
    if isinstance(embeddings, Data):
        return {"k": None if k == own_k(embeddings, edges_of(embeddings)) else k}
    options = {"k": None if settings["num_samples"] == 1 else k}
    if settings["backend"] is not None:  # None: of a graph that says none, or nothing was left to search
        options["backend"] = settings["backend"]
        options["recall"] = (settings["recall"] or {}).get("asked")
    if isinstance(embeddings, Joined):
        return options
    metric = settings["metric"]
    if isinstance(metric, str) and metric.startswith("JoinedMetric("):
        metric = _of_parts(metric)
    return {**options, "metric": metric}


def _of_parts(joined: str) -> str | None:
    """The name of the metric that all of several embeddings have; None if it has no name."""
    for name in choices("metric"):
        if joined.count(f" * {as_metric(name)}") == joined.count(" * "):
            return name
    return None


def _difference(one: Coreset, two: Coreset) -> str:
    """What differs, in words; nothing if only the last bits of distances differ."""
    if len(one.scores) != len(two.scores):
        return f"{len(two.scores)} samples, not {len(one.scores)}"
    first, second = one.index.cpu(), two.index.cpu()
    if len(first) != len(second):
        return f"{len(second)} picks, not {len(first)}"
    other = (first != second).nonzero().flatten()
    if len(other):
        at = int(other[0])
        return f"sample {int(second[at])} as pick {at + 1}, not sample {int(first[at])}"
    score, after = one.scores.cpu(), two.scores.cpu()
    tolerance = 1e-6 * float(score.nan_to_num().abs().max())
    if not torch.allclose(score, after, rtol=1e-6, atol=tolerance, equal_nan=True):
        return "the same picks, but other scores"
    return ""
