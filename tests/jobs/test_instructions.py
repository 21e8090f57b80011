"""A job as people have it: instruction rows for fine-tuning; near-duplicates go, then the best part stays.

Rows are few here, so that it is quick; nothing in it changes with 200,000.
"""

import json

import numpy as np
import pytest
import torch
from torch import nn

import d2pyg
from d2pyg.scores import LossDynamics, token_losses

pytestmark = pytest.mark.extensions
datasets = pytest.importorskip("datasets")

N, LENGTH, WORDS = 600, 12, 40


@pytest.fixture(scope="module")
def rows():
    """Instructions and answers as tokens; the last 60 rows repeat earlier ones, and 20 answers are noise."""
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 6, N)
    prompt = 6 * rng.integers(0, 6, (N, 6)) + topic[:, None]
    answer = prompt[:, ::-1].copy()
    noise = rng.permutation(N - 60)[:20]
    answer[noise] = rng.integers(0, WORDS, (20, 6))
    tokens = np.concatenate([prompt, answer], axis=1)
    tokens[-60:] = tokens[:60]
    columns = {
        "id": [f"row-{i}" for i in range(N)],
        "input_ids": tokens.tolist(),
        "source": topic.tolist(),
    }
    names = [f"topic {i}" for i in range(6)]
    features = datasets.Dataset.from_dict(columns).features.copy()
    features["source"] = datasets.ClassLabel(names=names)
    return datasets.Dataset.from_dict(columns, features=features), set(noise.tolist())


def recorded(tokens, epochs=3):
    """A small causal model, and the loss of each answer in each epoch."""
    torch.manual_seed(0)
    body, head = nn.GRU(16, 32, batch_first=True), nn.Linear(32, WORDS)
    model = nn.ModuleList([nn.Embedding(WORDS, 16), body, head])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    labels = tokens.clone()
    labels[:, :6] = -100  # prompts are not trained on
    dynamics = LossDynamics(len(tokens))
    data = d2pyg.WithIndex(torch.utils.data.TensorDataset(tokens, labels))
    for _ in range(epochs):
        for batch, target, index in torch.utils.data.DataLoader(data, batch_size=60, shuffle=True):
            logits = head(body(model[0](batch))[0])
            dynamics.update(index, token_losses(logits, target, shift=True))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits[:, :-1].mT, target[:, 1:]).backward()
            optimizer.step()
        dynamics.end_epoch()
    return dynamics


def test_instruction_tuning(rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, noise = rows
    tokens = torch.tensor(data["input_ids"][:])
    embeddings = nn.functional.one_hot(tokens, WORDS).float().flatten(1)

    found = d2pyg.duplicates(embeddings, 1e-6, ids=data["id"])
    assert set(found.removed.tolist()) >= set(range(N - 60, N))
    distinct = d2pyg.take(data, found.index)
    tokens, embeddings = tokens[found.index], embeddings[found.index]
    noisy = {place for place, index in enumerate(found.index.tolist()) if index in noise}

    dynamics = recorded(tokens)
    hardest = dynamics.mean_loss().topk(len(noisy)).indices.tolist()
    assert len(noisy & set(hardest)) > len(noisy) / 2  # noise is hard, so a cutoff drops it
    coreset = d2pyg.select(
        embeddings, dynamics, labels=distinct["source"], ids=distinct["id"], cutoff=0.1, keep=0.25
    )
    assert not set(coreset.index.tolist()) & set(hardest)
    counts = d2pyg.metrics.class_counts(distinct["source"], coreset.index)
    assert set(counts) == {f"topic {i}" for i in range(6)}

    few = d2pyg.take(distinct, coreset)
    few.to_json("train.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(coreset.kept_ids)
    assert len(lines) == round(len(distinct) * 0.25)
