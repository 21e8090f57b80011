"""Rows in shards of every format, written by the libraries that people write them with."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np

N, DIM = 70, 6
SIZES = (9, 13, 7, 1, 20, 12, 8)
NAMES = [f"part-{number}" for number in (1, 2, 3, 9, 10, 11, 100)]  # as text, 10 would come before 2


def rows(rng, dtype=np.float32):
    """Embeddings, a score, a label and an id of each sample."""
    x = rng.normal(size=(N, DIM)).astype(dtype)
    ids = np.array([f"{value:032x}" for value in rng.integers(1, 2**60, N)])
    return {
        "emb": x,
        "loss": rng.random(N),
        "source": np.array(["web", "book"])[rng.integers(0, 2, N)],
        "uid": ids,
    }


def parts(table):
    """The rows of each shard, by its name."""
    ends = np.cumsum(SIZES)
    for name, end, size in zip(NAMES, ends, SIZES, strict=True):
        yield name, {key: values[end - size : end] for key, values in table.items()}


def arrow(part, kind="fixed"):
    """A table of pyarrow, the vectors as lists of that kind."""
    import pyarrow as pa

    flat = pa.array(part["emb"].ravel())
    width = part["emb"].shape[1]
    if kind == "fixed":
        vectors = pa.FixedSizeListArray.from_arrays(flat, width)
    else:
        made, offset = (pa.ListArray, pa.int32()) if kind == "list" else (pa.LargeListArray, pa.int64())
        vectors = made.from_arrays(pa.array(np.arange(len(part["emb"]) + 1) * width, offset), flat)
    return pa.table({"emb": vectors, **{key: pa.array(part[key]) for key in part if key != "emb"}})


def write_parquet(folder, table, kind="fixed"):
    import pyarrow.parquet as pq

    for name, part in parts(table):
        pq.write_table(arrow(part, kind), folder / f"{name}.parquet", row_group_size=4)


def write_datacomp(folder, table):
    import pyarrow.parquet as pq

    for name, part in parts(table):
        pq.write_table(arrow(part).drop_columns(["emb"]), folder / f"{name}.parquet")
        np.savez(folder / f"{name}.npz", l14_img=part["emb"], l14_txt=part["emb"][:, ::-1])


def write_clip_retrieval(folder, table, width=1):
    import pyarrow.parquet as pq

    for name in "img_emb", "text_emb", "metadata":
        (folder / name).mkdir()
    for number, (_, part) in enumerate(parts(table), 8):  # 9 comes before 10
        np.save(folder / f"img_emb/img_emb_{number:0{width}}.npy", part["emb"])
        np.save(folder / f"text_emb/text_emb_{number:0{width}}.npy", part["emb"][:, ::-1])
        rest = arrow(part).drop_columns(["emb"])
        pq.write_table(rest, folder / f"metadata/metadata_{number:0{width}}.parquet")


def write_npy(folder, table):
    for name, part in parts(table):
        np.save(folder / f"{name}.npy", part["emb"])


def write_npz(folder, table):
    for name, part in parts(table):
        np.savez_compressed(folder / f"{name}.npz", **part)


def write_safetensors(folder, table):
    from safetensors.numpy import save_file

    for name, part in parts(table):
        tensors = {"emb": part["emb"], "loss": part["loss"]}
        save_file(tensors, folder / f"{name}.safetensors")


def packed(path, text):
    """Writes text as the suffix says."""
    path = Path(path)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zst":
        import zstandard

        path.write_bytes(zstandard.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8", newline="")


def json_lines(part):
    columns = {key: values.tolist() for key, values in part.items()}
    lines = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write_json_lines(folder, table, suffix=".jsonl"):
    for name, part in parts(table):
        packed(folder / f"{name}{suffix}", json_lines(part))


def csv_text(columns):
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True))
    return text.getvalue()


def write_lance(folder, table):
    import lance

    for number, (_, part) in enumerate(parts(table)):
        lance.write_dataset(arrow(part), folder / "rows.lance", mode="append" if number else "create")


def write_hugging_face(folder, table):
    from datasets import Dataset

    Dataset(arrow(table, "list")).save_to_disk(folder / "saved", num_shards=7)
