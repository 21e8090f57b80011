"""compare: several coresets of one data set, one row of measures per coreset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from d2pyg._base.checks import ArrayLike, as_index, as_scores, shown
from d2pyg._base.labels import num_values
from d2pyg.coreset.coreset import Coreset
from d2pyg.graph.edges import edges_of, median_distance
from d2pyg.graph.knn import Embeddings, as_embedded, knn_graph
from d2pyg.graph.metric import Metric
from d2pyg.metrics import aucpr, class_balance, coverage_radius, near_duplicates, overlap, score_entropy


def compare(
    coresets: Mapping[str, Coreset | ArrayLike],
    embeddings: Embeddings | None = None,
    scores: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    metric: str | Metric | None = None,
    threshold: float | None = None,
) -> list[dict[str, Any]]:
    """Measures coresets of one data set by :mod:`d2pyg.metrics`.

    Args:
        coresets: By name: coresets, or indices of the samples kept.
        embeddings: [N, d], any float type.
        scores: [N], finite.
        labels: [N], integers >= 0, truth values or strings.
        metric: ``"euclidean"`` (default), ``"cosine"`` or a :class:`~d2pyg.graph.Metric`.
        threshold: Samples closer than this are near-duplicates; default: half the median distance of
            all samples to their nearest neighbor.

    Returns:
        One dict per coreset, in their order. Measures whose input is not given are left out.

        - ``name``, ``kept``: the name, and the number of samples;
        - ``coverage_radius``, ``aucpr``: the largest and the mean distance of other samples to the
          nearest kept one (needs embeddings);
        - ``score_entropy``: how mixed easy and hard samples are (needs scores);
        - ``class_balance``: 1 if all classes have the same number of samples (needs labels);
        - ``near_duplicates``: share of kept samples with another kept one nearby (needs embeddings);
        - ``overlap``: share of samples in common with the first coreset, of the smaller of the two;
        - ``mean_score``: mean score of the samples kept (needs scores).

    Raises:
        ValueError, TypeError: If an argument breaks its rule; the message says which and how to go on.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [5.0], [9.0]])
        >>> one, two = compare({"ours": [0, 2], "random": [0, 1]}, x, labels=[0, 0, 1, 1])
        >>> one["coverage_radius"], one["aucpr"]
        (4.0, 2.5)
        >>> two["class_balance"], two["overlap"]
        (0.0, 0.5)
    """
    if not isinstance(coresets, Mapping) or not coresets:
        raise ValueError(
            f"Expected 'coresets' to be a dict of at least one coreset by name (got "
            f"{type(coresets).__name__} {shown(coresets)}). Pass such as {{'d2': coreset}}."
        )
    if embeddings is None:
        for name, value in (("metric", metric), ("threshold", threshold)):
            if value is not None:
                raise ValueError(
                    f"Expected {name!r} to be left out without embeddings (got {shown(value)}). Pass "
                    f"'embeddings' too; it is a distance between them."
                )
    by = "euclidean" if metric is None else metric
    x = None if embeddings is None else as_embedded(embeddings, by)
    total = _total(coresets, {"embeddings": x, "scores": scores, "labels": labels})
    score = None if scores is None or total is None else as_scores(scores, total, signed=True).cpu()
    if x is not None and threshold is None:
        threshold = duplicate_threshold(x, by)

    rows: list[dict[str, Any]] = []
    first = None
    for name, coreset in coresets.items():
        given = coreset.index if isinstance(coreset, Coreset) else coreset
        index = as_index("coresets", given, total).cpu()
        first = index if first is None else first
        row: dict[str, Any] = {"name": name, "kept": len(index)}
        if x is not None:
            row |= {"coverage_radius": coverage_radius(x, index, by), "aucpr": aucpr(x, index, by)}
        if score is not None:
            row["score_entropy"] = score_entropy(score, index)
        if labels is not None:
            row["class_balance"] = class_balance(labels, index)
        if x is not None and threshold is not None:
            row["near_duplicates"] = near_duplicates(x, index, threshold, by)
        row["overlap"] = overlap(first, index)
        if score is not None:
            row["mean_score"] = float(score[index].mean())
        rows.append(row)
    return rows


def duplicate_threshold(
    embeddings: Embeddings, metric: str | Metric | None = None, progress: bool = False
) -> float:
    """Half the lower median of the positive distances of all samples to their nearest neighbor.

    0.5 if there is no distance above 0.

    Args:
        embeddings: [N, d], any float type.
        metric: As in :func:`compare`.
        progress: Show a bar of rows.

    Example:
        >>> duplicate_threshold(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))  # of 1, 1, 2 and 4
        0.5
    """
    by = "euclidean" if metric is None else metric
    x = as_embedded(embeddings, by)
    if len(x) == 1:
        return 0.5
    return median_distance(edges_of(knn_graph(x, 1, metric=by, progress=progress))) / 2


def _total(coresets: Mapping[str, Any], inputs: dict[str, Any]) -> int | None:
    """N, on which all inputs must agree; None if no input tells it."""
    sizes = {
        f"coreset {name!r}": len(coreset.scores)
        for name, coreset in coresets.items()
        if isinstance(coreset, Coreset)
    }
    for name, values in inputs.items():
        if values is not None:
            sizes[name] = len(values) if name == "embeddings" else num_values(name, values)
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f"Expected coresets, embeddings, scores and labels of one data set (got "
            f"{', '.join(f'{size} samples in {name}' for name, size in sizes.items())}). Pass the "
            f"inputs that all coresets were selected from."
        )
    return next(iter(sizes.values()), None)
