"""A job as people have it: texts as TF-IDF, labels by name, three rounds of labeling by name."""

import numpy as np
import pytest

import d2pyg


def test_tf_idf_in_rounds():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    texts = [
        f"the {a} {b} film number {i % 7}" for i, a in enumerate(["good", "bad"] * 20) for b in "xy"
    ]
    labels = [line.split()[1] for line in texts]
    ids = [f"review-{i}" for i in range(len(texts))]
    matrix = text.TfidfVectorizer().fit_transform(texts)
    options = {"labels": labels, "ids": ids, "budget": 6, "metric": "cosine"}
    have = None
    for total in 6, 12, 18:
        found = d2pyg.select(matrix, initial=have, **options)
        names = [] if have is None else have
        have = [*names, *found.ids[found.index]]
        assert len(set(have)) == total
    whole = d2pyg.select(matrix.toarray(), **{**options, "budget": 18})
    assert have == whole.ids[whole.index].tolist()
    assert d2pyg.metrics.class_counts(labels, whole.index) == {"bad": 9, "good": 9}
    assert np.array_equal(whole.index, [ids.index(name) for name in have])
