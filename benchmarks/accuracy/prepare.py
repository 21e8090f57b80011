"""What selection starts from: scores and embeddings of a trained network, and label-free ones."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

import d2pyg
from benchmarks.accuracy.data import cache, store
from benchmarks.accuracy.order import Recorder

SEED = 0  # of the network that scores; those that are compared have seeds from 1 on
RECORDED = (
    "aum",
    "el2n",
    "forgetting",
    "entropy",
    "variance",
    "confidence",
    "correctness",
    "borderline",
)
WINDOWED = ("dyn_unc", "dual")


@dataclass
class Prepared:
    """All [N], or [N, ...], in the order of the training set.

    Attributes:
        labels: Classes, some of them wrong if they were flipped.
        scores: By name, higher is harder; ``aum_raw`` is the margin itself.
        dynamics: The recorder that gave most of them.
        logits: Of the network that scored, after its training.
        supervised: Embeddings by that network.
        free: Embeddings that know no labels.
        seconds: What all this took.
    """

    labels: Tensor
    scores: dict[str, Tensor]
    dynamics: d2pyg.scores.TrainingDynamics
    logits: Tensor
    supervised: Tensor
    free: Tensor
    seconds: float


def digest(*parts):
    """12 hex digits of tensors, and of what JSON can hold."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            found.update(str((part.dtype, tuple(part.shape))).encode())
            found.update(np.ascontiguousarray(part.numpy()).data)
        else:
            found.update(json.dumps(part, sort_keys=True).encode())
    return found.hexdigest()[:12]


def prepare(task, split, device="cpu"):
    """Trains on everything once and records it. Kept in the cache for this task, recipe and data."""
    recipe = asdict(task.recipe)
    name = f"{task.name}-learned-{digest(recipe, split.train_x, split.train_y)}"
    recording = cache() / f"{name}.pt"  # written before the rest
    learned = _kept(name, lambda: _learn(task, split, device, recording), recording)
    free = _kept(f"{task.name}-free-{digest(split.train_x)}", lambda: _free(task, split.train_x, device))
    seconds = float(learned.pop("seconds")) + float(free.pop("seconds"))
    return Prepared(
        labels=split.train_y,
        logits=learned.pop("logits"),
        supervised=learned.pop("embeddings"),
        free=free["embeddings"],
        scores={**learned, "prototypicality": free["prototypicality"]},
        dynamics=d2pyg.scores.TrainingDynamics.load(recording),
        seconds=seconds,
    )


def _learn(task, split, device, recording):
    dynamics = d2pyg.scores.TrainingDynamics(len(split.train_y), window=task.recipe.window)
    recorder = Recorder(dynamics, split.train_y)
    embeddings, logits = task.learn(split.train_x, split.train_y, SEED, device, recorder)
    dynamics.save(recording)
    scores = {name: getattr(dynamics, name)() for name in RECORDED + WINDOWED}
    return {"embeddings": embeddings, "logits": logits, "aum_raw": dynamics.aum(raw=True), **scores}


def _free(task, x, device):
    embeddings = task.free(x, device)
    prototypicality = d2pyg.scores.prototypicality(embeddings, seed=SEED)
    return {"embeddings": embeddings, "prototypicality": prototypicality}


def _kept(name, make, *others):
    """Tensors by name, from the cache or else made and put there, with the seconds that took.

    Where one of the other files is missing, everything is made again.
    """
    path = cache() / f"{name}.npz"
    if not all(file.exists() for file in (path, *others)):
        started = time.perf_counter()
        made = {key: value.cpu().numpy() for key, value in make().items()}
        store(path, **made, seconds=np.array(time.perf_counter() - started))
    with np.load(path) as data:
        return {key: torch.from_numpy(data[key]) for key in data.files}
