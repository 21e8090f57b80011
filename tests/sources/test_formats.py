"""The same rows in shards of any format are the same source, and give the same coreset."""

import gzip
import json
import mmap

import numpy as np
import pytest
import source_cases as made
import torch

import d2pyg
from d2pyg.cli import main

pytest.importorskip("pyarrow")

EXTENSIONS = pytest.mark.extensions
FORMATS = [
    ("parquet", made.write_parquet, "emb"),
    ("datacomp", made.write_datacomp, "l14_img"),
    ("clip_retrieval", made.write_clip_retrieval, "img_emb"),
    ("npy", made.write_npy, None),
    ("npz", made.write_npz, None),
    ("safetensors", made.write_safetensors, None),
    ("json_lines", made.write_json_lines, None),
    pytest.param("lance", made.write_lance, None, marks=EXTENSIONS),
    pytest.param("hugging_face", made.write_hugging_face, None, marks=EXTENSIONS),
]
PACKAGES = {"lance": "lance", "hugging_face": "datasets", "safetensors": "safetensors"}


@pytest.fixture
def table(rng):
    return made.rows(rng)


def run(words):
    assert main(words.split()) == 0


def is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


@pytest.mark.parametrize(("name", "write", "column"), FORMATS)
def test_seven_shards_are_one_array(name, write, column, table, tmp_path):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    write(tmp_path, table)
    source = d2pyg.open(tmp_path, column)
    x = table["emb"].astype(source.dtype)
    assert source.shape == (made.N, made.DIM)
    assert source.dtype == (np.float64 if name == "json_lines" else np.float32)
    assert source.description["format"] == name
    assert np.array_equal(np.asarray(source), x)
    for start, stop in (0, 5), (8, 10), (20, 31), (29, 70), (33, 33), (69, 90):
        assert np.array_equal(source.rows(slice(start, stop)), x[start:stop])
    expected = d2pyg.select(table["emb"], table["loss"], keep=0.3)
    found = d2pyg.select(source, table["loss"], keep=0.3)
    assert found.index.tolist() == expected.index.tolist()
    assert found.scores.tolist() == expected.scores.tolist()
    read = found.settings["read"]["embeddings"]
    assert read["rows"] == made.N
    if "uid" in source.columns:
        assert found.ids.tolist() == table["uid"].tolist()
        assert source["loss"].tolist() == table["loss"].tolist()
        assert source["source"].tolist() == table["source"].tolist()
    else:
        assert found.ids is None
    if name not in ("lance", "hugging_face"):
        assert [rows for _, rows in source.shards] == list(made.SIZES)
        per_shard = {"datacomp": 2, "clip_retrieval": 3}.get(name, 1)
        assert len(read["files"]) == 7 * per_shard
        assert [file["rows"] for file in read["files"]][::per_shard] == list(made.SIZES)
    else:
        assert sum(file["bytes"] for file in read["files"]) > 70 * 4 * made.DIM


@pytest.mark.parametrize("kind", ["fixed", "list", "large_list"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_vectors_of_parquet_keep_their_type(kind, dtype, rng, tmp_path):
    table = made.rows(rng, dtype)
    made.write_parquet(tmp_path, table, kind)
    for source in d2pyg.open(tmp_path), d2pyg.open(tmp_path, work=tmp_path):
        array = np.asarray(source)
        assert array.dtype == dtype
        assert np.array_equal(array, table["emb"])
        assert d2pyg.select(source, budget=3).ids.tolist() == table["uid"].tolist()


@pytest.mark.parametrize("width", [1, 4])
def test_clip_retrieval_is_padded_or_not(width, table, tmp_path):
    made.write_clip_retrieval(tmp_path, table, width)
    source = d2pyg.open(tmp_path, "img_emb", ids="uid")
    assert np.array_equal(np.asarray(source), table["emb"])
    assert source.ids.tolist() == table["uid"].tolist()


@pytest.mark.parametrize(
    ("write", "towers"),
    [
        (made.write_datacomp, ["l14_img", "l14_txt"]),
        (made.write_clip_retrieval, ["img_emb", "text_emb"]),
    ],
)
def test_both_towers_count_together(write, towers, table, tmp_path, capsys):
    write(tmp_path, table)
    source = d2pyg.open(tmp_path, towers)
    x, y = table["emb"], table["emb"][:, ::-1]
    assert source.shape == (made.N, 2 * made.DIM)
    assert np.array_equal(source.rows(slice(3, 40)), np.hstack([x, y])[3:40])
    expected = d2pyg.select([x, y], table["loss"], keep=0.3, metric="cosine")
    found = d2pyg.select(source, source["loss"], keep=0.3, metric="cosine")
    assert found.index.tolist() == expected.index.tolist()
    with pytest.raises(ValueError, match=r"'path' to name one of the columns in .*: .*_emb|.*l14_txt"):
        d2pyg.open(tmp_path)
    graph = d2pyg.knn_graph(source, k=3)
    assert torch.equal(graph.edge_attr, d2pyg.knn_graph([x, y], k=3).edge_attr)
    listed = d2pyg.knn_graph([d2pyg.open(tmp_path, tower) for tower in towers], k=3)
    assert torch.equal(graph.edge_attr, listed.edge_attr)
    spec = f"{tmp_path}:{','.join(towers)}"
    out = tmp_path.parent / f"{towers[0]}.npz"
    assert (
        main(
            [
                "select",
                spec,
                "--scores",
                ":loss",
                "--metric",
                "cosine",
                "--keep",
                "0.3",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert d2pyg.Coreset.load(out).index.tolist() == expected.index.tolist()


def test_columns_on_the_command_line(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool").mkdir()
    made.write_parquet(tmp_path / "pool", table)
    words = "select pool --scores :loss --labels :source --keep 0.3 --out c.csv --removed r.txt"
    assert main(words.split()) == 0
    saved = d2pyg.Coreset.load("c.csv")
    expected = d2pyg.select(table["emb"], table["loss"], labels=table["source"], keep=0.3)
    assert saved.index.tolist() == expected.index.tolist()
    assert saved.ids.tolist() == table["uid"].tolist()
    assert (tmp_path / "r.txt").read_text().split() == table["uid"][expected.removed].tolist()
    assert saved.settings["files"]["scores"] == ":loss"
    assert list(saved.settings["read"]) == ["embeddings"]
    capsys.readouterr()
    name = str(table["uid"][expected.index[0]])
    assert main(["explain", "c.csv", name]) == 0
    assert f"({name}): pick" in capsys.readouterr().out
    run(f"{words} --ids none")
    assert d2pyg.Coreset.load("c.csv").ids is None
    assert main([*words.split(), "--ids", ":loss2"]) == 2
    assert "to have a column 'loss2' (got emb, loss, source, uid)" in capsys.readouterr().err
    (tmp_path / "two.txt").write_text("\n".join(table["uid"][[40, 7]]))
    run("select pool --initial two.txt --budget 3 --out i.npz")
    assert d2pyg.Coreset.load("i.npz").settings["initial"] == [40, 7]


def test_every_command_reads_shards(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool").mkdir()
    made.write_parquet(tmp_path / "pool", table)
    run("graph pool:emb --labels :source --k 3 --out g.pt")
    assert d2pyg.load_graph("g.pt").num_nodes == made.N
    run("duplicates pool/*.parquet --threshold 0.5 --out d.csv --kept k.txt")
    assert set((tmp_path / "k.txt").read_text().split()) <= set(table["uid"])
    run("score neighbor_distance --embeddings pool --k 3 --out s.npy")
    expected = d2pyg.scores.neighbor_distance(table["emb"], k=3)
    assert np.array_equal(np.load("s.npy"), expected)
    run("sweep pool --scores :loss --keep 0.1 --k 3 --out t.csv")
    run("select pool --scores :loss --keep 0.1 --out c.npz")
    run("compare c.npz --embeddings pool --scores pool:loss --labels pool:source")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", pytest.param(".csv.zst", marks=EXTENSIONS)])
def test_csv_beside_an_array(suffix, rng, tmp_path, monkeypatch):
    if suffix.endswith(".zst"):
        pytest.importorskip("zstandard")
    monkeypatch.chdir(tmp_path)
    x = rng.normal(size=(4, 3))
    np.save("x.npy", x)
    ids = ['one, "two"', "três\nlines", "0007", "猫"]
    made.packed(
        f"t{suffix}",
        made.csv_text({"id": ids, "loss": [3, 1, 2.5, "1e-3"], "class": ["7", "7", "3", "3"]}),
    )
    words = f"select x.npy --ids t{suffix}:id --scores t{suffix}:loss --labels t{suffix}:class --budget 3 --out c.json"
    assert main(words.split()) == 0
    saved = d2pyg.Coreset.load("c.json")
    assert saved.ids.tolist() == ids
    expected = d2pyg.select(x, [3, 1, 2.5, 1e-3], labels=[7, 7, 3, 3], budget=3)
    assert saved.index.tolist() == expected.index.tolist()
    assert saved.settings["read"]["scores"]["files"][0]["rows"] == 4


@pytest.mark.parametrize(
    "suffix", [".jsonl", ".jsonl.gz", pytest.param(".ndjson.zst", marks=EXTENSIONS)]
)
def test_json_lines_beside_an_array(suffix, rng, tmp_path, monkeypatch):
    if suffix.endswith(".zst"):
        pytest.importorskip("zstandard")
    monkeypatch.chdir(tmp_path)
    x = rng.normal(size=(5000, 3))
    np.save("x.npy", x)
    ids, loss = [f"r{i}, é" for i in range(5000)], rng.random(5000)
    made.packed(f"t{suffix}", made.json_lines({"id": np.array(ids), "loss": loss}) + "\n")
    assert (
        main(f"select x.npy --ids t{suffix}:id --scores t{suffix}:loss --budget 9 --out c.npz".split())
        == 0
    )
    saved = d2pyg.Coreset.load("c.npz")
    assert saved.ids.tolist() == ids
    assert saved.index.tolist() == d2pyg.select(x, loss, budget=9).index.tolist()


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((np.arange(made.N) - 35) * 2**57, None),
        (np.arange(made.N, dtype=np.uint64) + np.uint64(2**64 - 100), str),
        (np.arange(made.N, dtype=np.uint64) + np.uint64(2**62), int),
        (np.array([f"{i}," for i in range(made.N - 2)] + ['"quoted"', "名前\n"]), None),
        (np.array(["x" * 100_000, *map(str, range(1, made.N))], dtype=object), None),
    ],
    ids=["int64", "uint64", "small uint64", "text", "one long"],
)
def test_ids_come_back_as_they_are(ids, expected, table, tmp_path):
    table["uid"] = ids
    wanted = [expected(name) for name in ids.tolist()] if expected else ids.tolist()
    made.write_parquet(tmp_path, table)
    coreset = d2pyg.select(d2pyg.open(tmp_path), budget=5)
    assert coreset.ids.tolist() == wanted
    coreset.save(tmp_path / "c.npz")
    assert d2pyg.Coreset.load(tmp_path / "c.npz").kept_ids.tolist() == [wanted[i] for i in coreset]


def test_names_of_csv_stay_as_they_are_written(tmp_path):
    np.savez(tmp_path / "x.npz", emb=np.eye(3))
    for names, expected in (
        (["001", "2", "3"], ["001", "2", "3"]),
        (["1e5", "12", "13"], ["1e5", "12", "13"]),
        (["9" * 32, "8" * 32, "7" * 32], ["9" * 32, "8" * 32, "7" * 32]),
        (["-5", "0", str(2**63 - 1)], [-5, 0, 2**63 - 1]),
        ([str(2**63), "0", "1"], [str(2**63), "0", "1"]),
    ):
        made.packed(tmp_path / "t.csv", made.csv_text({"id": names, "x": [0, 1, 2]}))
        out = tmp_path / "c.json"
        assert (
            main(
                [
                    "select",
                    f"{tmp_path}/x.npz",
                    "--ids",
                    f"{tmp_path}/t.csv:id",
                    "--budget",
                    "1",
                    "--out",
                    str(out),
                ]
            )
            == 0
        )
        assert d2pyg.Coreset.load(out).ids.tolist() == expected


def test_a_mapped_file_stays_mapped(table, tmp_path):
    np.save(tmp_path / "x.npy", table["emb"])
    for work in None, tmp_path:
        assert is_mapped(np.asarray(d2pyg.open(tmp_path / "x.npy", work=work)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy"]


def test_shards_are_staged_once_in_a_file_that_goes(table, tmp_path):
    made.write_npz(tmp_path, table)
    work = tmp_path / "work"
    work.mkdir()
    source = d2pyg.open(tmp_path, work=work)
    array = np.asarray(source)
    assert is_mapped(array)
    assert np.shares_memory(np.asarray(source), array)
    assert np.array_equal(array, table["emb"])
    assert list(work.iterdir()) == []


def test_bfloat16(tmp_path):
    save = pytest.importorskip("safetensors.torch").save_file
    x = torch.linspace(-1, 1, 24).reshape(8, 3).bfloat16()
    for shard in range(2):
        save({"emb": x[4 * shard : 4 * shard + 4].contiguous()}, tmp_path / f"{shard}.safetensors")
    source = d2pyg.open(tmp_path)
    assert "8 rows of 3 x bfloat16 in 2 shards" in repr(source)
    graph = d2pyg.knn_graph(source, k=2)
    assert torch.equal(graph.edge_attr, d2pyg.knn_graph(x, k=2).edge_attr)
    assert torch.equal(
        d2pyg.select(d2pyg.open(tmp_path, work=tmp_path), budget=3).index,
        d2pyg.select(x, budget=3).index,
    )


def test_a_list_keeps_its_order_and_a_pattern_has_the_natural_one(table, tmp_path):
    made.write_npy(tmp_path, table)
    pattern = d2pyg.open(f"{tmp_path}/part-*.npy")
    assert np.array_equal(np.asarray(pattern), table["emb"])
    files = [tmp_path / f"{name}.npy" for name in reversed(made.NAMES)]
    listed = d2pyg.open(files)
    assert [path for path, _ in listed.shards] == list(map(str, files))
    assert np.array_equal(np.asarray(listed)[: made.SIZES[-1]], table["emb"][-made.SIZES[-1] :])
    assert [file["name"] for file in listed.description["files"]] == [path.name for path in files]


def test_folders_in_folders_and_files_of_no_format(table, tmp_path):
    for number, (_, part) in enumerate(made.parts(table)):
        folder = tmp_path / f"centroid={number}"
        folder.mkdir()
        np.save(folder / "x.npy", part["emb"])
        (folder / "x_stats.json").write_text("{}")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".cache").mkdir()
    np.save(tmp_path / ".cache/x.npy", table["emb"])
    assert np.array_equal(np.asarray(d2pyg.open(tmp_path)), table["emb"])


@EXTENSIONS
def test_hugging_face_in_python_with_any_format(table):
    datasets = pytest.importorskip("datasets")
    columns = {key: values.tolist() for key, values in table.items()}
    whole = datasets.Dataset.from_dict(columns)
    x = np.asarray(table["emb"], dtype=np.float64)
    for made_of in (
        whole,
        whole.with_format("torch"),
        whole.with_format("numpy"),
        whole.with_transform(lambda rows: {}),
    ):
        source = d2pyg.open(made_of)
        assert np.array_equal(np.asarray(source), x)
        assert source.ids.tolist() == table["uid"].tolist()
        assert source["source"].tolist() == table["source"].tolist()
    turned = d2pyg.open(whole.select(range(made.N - 1, -1, -1)))
    assert np.array_equal(turned.rows(slice(10, 20)), x[::-1][10:20])
    assert turned.ids.tolist() == table["uid"].tolist()[::-1]
    with pytest.raises(
        TypeError, match=r"'path' to be one split \(got train\). Pass one, such as dataset\['train'\]"
    ):
        d2pyg.open(datasets.DatasetDict(train=whole))
    with pytest.raises(
        TypeError, match=r"whose rows have numbers \(got IterableDataset\). Load it without"
    ):
        d2pyg.open(whole.to_iterable_dataset())


@EXTENSIONS
def test_a_folder_of_splits(table, tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_dict({key: values.tolist() for key, values in table.items()})
    datasets.DatasetDict(train=whole, test=whole).save_to_disk(tmp_path / "d")
    with pytest.raises(
        ValueError, match=r"to be one split of .*d' \(got test, train\). Name one, such as .*d/test"
    ):
        d2pyg.open(tmp_path / "d")
    assert len(d2pyg.open(tmp_path / "d" / "train")) == made.N


@EXTENSIONS
def test_row_ids_of_lance(rng, tmp_path):
    pytest.importorskip("lance")
    table = made.rows(rng, np.float16)
    made.write_lance(tmp_path, table)
    assert np.array_equal(np.asarray(d2pyg.open(tmp_path)), table["emb"])
    source = d2pyg.open(tmp_path / "rows.lance", ids="_rowid")
    fragment, row = np.divmod(source.ids, 2**32)
    assert np.bincount(fragment).tolist() == list(made.SIZES)
    assert row[:3].tolist() == [0, 1, 2]
    assert source.description["version"] == 7


def test_a_format_of_your_own(tmp_path):
    @d2pyg.register("source", "ours")
    class Ours(d2pyg.sources.Table):
        suffixes = (".ours",)
        columns = ("emb", "id")

        def length(self, column):
            return len(json.loads(gzip.decompress(self.path.read_bytes()))[column])

        def blocks(self, column, start, stop):
            yield np.array(json.loads(gzip.decompress(self.path.read_bytes()))[column])[start:stop]

    for shard in range(3):
        content = {"emb": [[shard, 0.5], [shard, 1.5]], "id": [f"{shard}a", f"{shard}b"]}
        (tmp_path / f"{shard}.ours").write_bytes(gzip.compress(json.dumps(content).encode()))
    source = d2pyg.open(tmp_path)
    assert np.asarray(source)[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert source.ids.tolist() == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert len(d2pyg.open(tmp_path, format="ours")) == len(d2pyg.open(tmp_path, format=Ours)) == 6
    d2pyg.register("source", "theirs")(type("Theirs", (Ours,), {}))
    with pytest.raises(ValueError, match=r"of one format \(got .*0.ours', which ours, theirs claim\)"):
        d2pyg.open(tmp_path)
    with pytest.raises(ValueError, match=r"'source' to be one of .* \(got 'our'\)"):
        d2pyg.open(tmp_path, format="our")


@EXTENSIONS
def test_frames_of_zst_one_after_the_other(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    frames = [zstandard.compress(f'{{"emb": [{i}, 1]}}\n'.encode()) for i in range(5)]
    (tmp_path / "x.jsonl.zst").write_bytes(b"".join(frames))
    assert np.asarray(d2pyg.open(tmp_path))[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_every_method_has_the_ids_of_a_source(table, tmp_path):
    made.write_npz(tmp_path, {**table, "uid": np.arange(made.N) + 1000})
    source = d2pyg.open(tmp_path)
    names = (np.arange(made.N) + 1000).tolist()
    assert d2pyg.baselines.k_center(source, budget=5).ids.tolist() == names
    assert d2pyg.baselines.random(embeddings=source, budget=5, seed=0).ids.tolist() == names
    found = d2pyg.duplicates(source, 0.1)
    assert found.ids.tolist() == names
    assert found.settings["read"]["embeddings"]["rows"] == made.N
    given = d2pyg.select(source, budget=5, ids=table["uid"])
    assert given.ids.tolist() == table["uid"].tolist()
    assert d2pyg.prune_dataset(names, source, source["loss"], budget=3) == [
        names[i] for i in sorted(d2pyg.select(source, table["loss"], budget=3))
    ]


@pytest.mark.parametrize("towers", [["l14_img"], ["l14_img", "l14_txt"]])
def test_a_graph_grows_and_shrinks_by_shards(towers, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "old", "new", "all":
        (tmp_path / name).mkdir()
    made.write_datacomp(tmp_path / "all", table)
    for path in (tmp_path / "all").iterdir():
        home = "new" if path.stem in made.NAMES[4:] else "old"
        (tmp_path / home / path.name).write_bytes(path.read_bytes())
    old, new, both = (d2pyg.open(name, towers) for name in ("old", "new", "all"))
    graph = d2pyg.knn_graph(old, k=4)
    if len(towers) == 1:  # of joined embeddings, the scales are those of the first samples
        grown = d2pyg.extend_graph(graph, old, new)
        assert torch.equal(grown.edge_attr, d2pyg.knn_graph(both, k=4).edge_attr)
        run(f"graph old:{towers[0]} --k 4 --out g.pt")
        run(f"extend g.pt old:{towers[0]} new:{towers[0]} --out more.pt")
        assert torch.equal(d2pyg.load_graph("more.pt").edge_attr, grown.edge_attr)
        (tmp_path / "keep.txt").write_text("\n".join(table["uid"][: len(old)]))
        run(f"shrink more.pt all:{towers[0]} keep.txt --out less.pt")
        assert torch.equal(d2pyg.load_graph("less.pt").edge_attr, graph.edge_attr)
    else:
        grown = d2pyg.extend_graph(graph, old, new)
        arrays = [[np.asarray(part) for part in source.parts] for source in (old, new)]
        assert torch.equal(grown.edge_attr, d2pyg.extend_graph(graph, *arrays).edge_attr)
