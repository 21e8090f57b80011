"""A job as DataComp has it: shards of CLIP features and of metadata, image-text similarity as the score."""

import json

import numpy as np
import pytest

import d2pyg
from d2pyg.cli import main

SHARDS, EACH, DIM = 3, 80, 16


@pytest.fixture
def shards(tmp_path, monkeypatch, rng):
    """A .npz of features and a .parquet of metadata a shard, rows in different orders; rows share uids."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.chdir(tmp_path)
    for shard in range(SHARDS):
        image = rng.normal(size=(EACH, DIM)).astype(np.float16)
        text = (image + rng.normal(size=(EACH, DIM)) / 2).astype(np.float16)
        uid = [f"{rng.integers(2**62):016x}{row:016x}" for row in range(EACH)]
        np.savez(f"{shard:08}.npz", l14_img=image, l14_txt=text)
        columns = {"uid": uid, "text": [f"caption {i}" for i in range(EACH)]}
        columns["similarity"] = 0.5 + (image * text).sum(axis=1) / 100
        parquet.write_table(pa.table(columns), f"{shard:08}.parquet")
    return parquet


def test_filter_a_pool(shards, tmp_path):
    names = [f"{shard:08}" for shard in range(SHARDS)]
    features = [np.load(f"{name}.npz") for name in names]
    image, text = (np.concatenate([one[key] for one in features]) for key in ("l14_img", "l14_txt"))
    pool = shards.read_table([f"{name}.parquet" for name in names])
    kept = d2pyg.select([image, text], pool["similarity"], keep=0.2, ids=pool["uid"], cutoff=0.05)
    assert len(kept) == 48
    kept.save("kept.parquet")
    table = shards.read_table("kept.parquet", columns=["id", "kept"])
    subset = sorted(table.filter(table["kept"])["id"].to_pylist())
    rows = d2pyg.take(pool, kept)
    assert sorted(rows["uid"].to_pylist()) == subset == sorted(kept.kept_ids)
    similarity = np.asarray(pool["similarity"])
    assert np.asarray(rows["similarity"]).mean() > similarity.mean()
    low = np.argsort(similarity)[: len(similarity) // 20]
    assert not set(low) & set(kept.index.tolist())

    # What DataComp's resharder reads: pairs of integers, sorted.
    kept.save_ids("subset.npy", datacomp=True)
    halves = [(int(uid[:16], 16), int(uid[16:], 16)) for uid in subset]
    assert np.load("subset.npy").tolist() == halves

    # Or the metadata itself, shard by shard.
    d2pyg.take_files("0*.parquet", kept, "few")
    few = shards.read_table([f"few/{name}.parquet" for name in names])
    assert few.equals(rows)


def test_the_command_on_one_shard(shards):
    """Features by key, names and scores from the metadata; the next shard begins where this one ends."""
    metadata = shards.read_table("00000000.parquet")
    np.save("similarity.npy", metadata["similarity"].to_numpy())
    with open("uid.txt", "w") as file:  # noqa: PTH123
        file.write("\n".join(metadata["uid"].to_pylist()))
    words = "select 00000000.npz:l14_img --scores similarity.npy --ids uid.txt --metric cosine"
    assert main(f"{words} --keep 0.3 --out kept.parquet --removed removed.json".split()) == 0
    kept = d2pyg.Coreset.load("kept.parquet")
    with open("removed.json") as file:  # noqa: PTH123
        removed = json.load(file)
    assert sorted([*removed, *kept.kept_ids]) == sorted(metadata["uid"].to_pylist())
    expected = d2pyg.select(
        np.load("00000000.npz")["l14_img"], metadata["similarity"], metric="cosine", keep=0.3
    )
    assert kept.index.equal(expected.index)
