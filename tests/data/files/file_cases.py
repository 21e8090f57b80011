"""A data set of some rows in files of every kind, written and read by the packages that people use."""

import csv
import gzip
import io
import json
import tarfile

import numpy as np
import pytest

import d2pyg

IDS = {
    "hex": [f"{i * 7919:032x}" for i in range(40)],
    "64 bits": [2**62 + 3 * i for i in range(40)],
    "strange": [f'{i}, "ünï" 名\n前' if i % 2 else f"a;b {i}" for i in range(40)],
}
TEXTS = [f'row {i}, with "quotes"\nand a second line, 名前' for i in range(40)]


def coreset_of(ids=None, total=40, seed=0):
    """A coreset of a quarter of the rows, in a pick order that is not ascending."""
    x = np.random.default_rng(seed).normal(size=(total, 3))
    return d2pyg.select(x, scores=np.arange(total) % 7, keep=0.25, k=3, ids=ids)


def rows_of(ids):
    return [
        {"id": name, "text": text, "number": i}
        for i, (name, text) in enumerate(zip(ids, TEXTS, strict=True))
    ]


def write_jsonl(path, rows):
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_gz(path, rows):
    write_jsonl(path.with_suffix(""), rows)
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    path.with_suffix("").unlink()


def read_gz(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def write_zst(path, rows):
    zstandard = pytest.importorskip("zstandard")
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    half = len(text) // 2  # two frames
    path.write_bytes(
        b"".join(zstandard.ZstdCompressor().compress(part) for part in (text[:half], text[half:]))
    )


def read_zst(path):
    zstandard = pytest.importorskip("zstandard")
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as text:
        return [json.loads(line) for line in text.read().decode().splitlines()]


def write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "text", "number"])
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [{**row, "number": int(row["number"])} for row in csv.DictReader(file)]


def write_parquet(path, rows):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({key: [row[key] for row in rows] for key in ("id", "text", "number")})
    pytest.importorskip("pyarrow.parquet").write_table(table, path, row_group_size=7)


def read_parquet(path):
    return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()


def write_tar(path, rows):
    webdataset = pytest.importorskip("webdataset")
    with webdataset.TarWriter(str(path)) as writer:
        for row in rows:
            writer.write({"__key__": f"{row['number']:06}", "json": row, "txt": row["text"]})


def read_tar(path):
    webdataset = pytest.importorskip("webdataset")
    with path.open("rb") as file:  # as WebDataset itself does, which leaves it open
        members = webdataset.tariterators.tar_file_expander([{"url": str(path), "stream": file}])
        return [json.loads(sample["json"]) for sample in webdataset.tariterators.group_by_keys(members)]


WRITERS = {
    ".jsonl": (write_jsonl, read_jsonl),
    ".jsonl.gz": (write_gz, read_gz),
    ".ndjson.zst": (write_zst, read_zst),
    ".csv": (write_csv, read_csv),
    ".parquet": (write_parquet, read_parquet),
    ".tar": (write_tar, read_tar),
}
NEEDS = {".ndjson.zst": "zstandard", ".tar": "webdataset"}
KINDS = [
    pytest.param(suffix, marks=pytest.mark.extensions if suffix in NEEDS else ()) for suffix in WRITERS
]


def plain_tar(path, samples):
    """A tar of members by key, without webdataset."""
    with tarfile.open(path, "w") as tar:
        for name, content in samples:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
