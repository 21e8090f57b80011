"""Tables that are aligned with the data set, and the pick that lowered each sample most."""

import csv
import io
import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import d2pyg
from d2pyg.coreset.coreset import row_columns
from d2pyg.coreset.row_tables import write_rows
from d2pyg.greedy.strongest import strongest
from d2pyg.nn import ReverseMessage


class Half(ReverseMessage):
    def message(self, pick_score, neighbor_score, distance):
        return (pick_score + neighbor_score) / 4


def check(coreset):
    """Held against the explanation of each sample, which follows its messages one by one."""
    found = strongest(coreset.trace, coreset.index, coreset.pick_scores)
    for sample in range(len(coreset.scores)):
        largest = max((m.loss for m in coreset.explain(sample).messages), default=0.0)
        senders = [m.sample for m in coreset.explain(sample).messages if m.loss == largest > 0]
        assert int(found.sample[sample]) == (senders[0] if senders else -1)
        assert math.isnan(found.distance[sample]) == (not senders)
    return found


@pytest.fixture(params=[1 << 22, 100, 1])
def together(request, monkeypatch):
    monkeypatch.setattr("d2pyg.greedy.strongest._EDGES", request.param)


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("flow", ["target_to_source", "both", "source_to_target"])
@pytest.mark.parametrize("reverse", ["weighted", "absolute", Half()])
def test_the_largest_message(clamp, flow, reverse, rng, device):
    x = torch.as_tensor(rng.normal(size=(120, 2)), device=device)
    check(d2pyg.select(x, rng.exponential(size=120), keep=0.7, clamp=clamp, flow=flow, reverse=reverse))


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("reverse", ["weighted", Half()])
def test_with_classes_cutoff_and_initial(rng, reverse):
    x, labels, scores = rng.normal(size=(120, 2)), rng.integers(0, 3, 120), rng.exponential(size=120)
    options = {"labels": labels, "cutoff": 0.1, "initial": rng.permutation(120)[:9], "reverse": reverse}
    found = check(d2pyg.select(x, scores, keep=0.5, **options))
    by = found.sample >= 0
    assert (labels[by.numpy()] == labels[found.sample[by].numpy()]).all()


def test_cutoff_auto_and_first_picks(rng):
    x, scores = rng.normal(size=(100, 2)), rng.exponential(size=100)
    dynamics = d2pyg.scores.TrainingDynamics(100)
    for _ in range(2):
        dynamics.update(
            torch.arange(100), torch.as_tensor(rng.normal(size=(100, 2))), rng.integers(0, 2, 100)
        )
        dynamics.end_epoch()
    coreset = d2pyg.select(x, dynamics, cutoff="auto", keep=0.9)
    assert coreset.pick_scores.isnan().any()
    check(coreset)
    check(d2pyg.select(x, scores, keep=0.5)[:20])


@pytest.mark.usefixtures("together")
def test_parallel_edges_and_groups():
    edge_index = torch.tensor([[1, 1, 2, 4], [0, 0, 0, 3]])
    graph = Data(edge_index=edge_index, edge_attr=torch.tensor([2.0, 1.0, 1.0, 3.0]), num_nodes=5)
    batch = [0, 0, 0, 1, 1]
    coreset = d2pyg.greedy_select([9.0, 2, 1, 8, 2], graph, budget=1, batch=batch, gamma_reverse=0.1)
    found = check(coreset)
    assert found.sample.tolist() == [-1, 0, 0, -1, 3]
    assert found.distance[1:3].tolist() == [1, 1]


def test_distances_are_those_of_the_graph(rng):
    """Not divided by the scale, unless that differs from edge to edge."""
    x, scores = rng.normal(size=(80, 3)), rng.exponential(size=80)
    for scale, metric in ("median", "euclidean"), (None, "cosine"), (7.0, "euclidean"):
        coreset = d2pyg.select(x, scores, keep=0.4, scale=scale, metric=metric)
        rows = table(coreset)
        some = [row for row in rows if row["lowered_by"]]
        assert len(some) > 20
        for row in some:
            a, b = x[int(row["index"])], x[int(row["lowered_by"])]
            cosine = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            expected = cosine if metric == "cosine" else np.linalg.norm(a - b)
            assert float(row["lowered_by_distance"]) == pytest.approx(expected, rel=1e-9)
    local = d2pyg.select(x, scores, keep=0.4, scale="local")
    found = strongest(local.trace, local.index, local.pick_scores)
    assert [row["lowered_by_distance"] for row in table(local)] == [
        "" if math.isnan(value) else str(value) for value in found.distance.tolist()
    ]


def table(coreset):
    buffer = io.BytesIO()
    write_rows(row_columns(coreset), buffer, ".csv")
    return [*csv.DictReader(io.StringIO(buffer.getvalue().decode()))]


NAMES = [f'{i}, "ünï" 名' for i in range(60)]


@pytest.fixture
def coreset(rng):
    return d2pyg.select(
        rng.normal(size=(60, 2)), rng.exponential(size=60), keep=0.3, cutoff=0.1, ids=NAMES
    )


def test_row_i_is_sample_i(coreset, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    coreset.save_rows(tmp_path / "rows.parquet")
    coreset.save_rows(tmp_path / "rows.csv")
    rows = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert list(rows[0]) == ["index", "id", "kept", "rank", "pick_score", "score",
                             "lowered_by", "lowered_by_id", "lowered_by_distance"]  # fmt: skip
    place = {sample: at for at, sample in enumerate(coreset.index.tolist())}
    found = strongest(coreset.trace, coreset.index, coreset.pick_scores)
    for i, row in enumerate(rows):
        assert (row["index"], row["id"], row["kept"], row["rank"]) == (
            i,
            NAMES[i],
            i in place,
            place.get(i),
        )
        assert row["pick_score"] == (float(coreset.pick_scores[place[i]]) if i in place else None)
        assert row["score"] == (None if coreset.scores[i].isnan() else float(coreset.scores[i]))
        by = int(found.sample[i])
        assert row["lowered_by"] == (None if by < 0 else by)
        assert row["lowered_by_id"] == (None if by < 0 else NAMES[by])
        assert (row["lowered_by_distance"] is None) == (by < 0)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        written = [*csv.DictReader(file)]
    assert written == [
        {key: "" if value is None else str(value) for key, value in row.items()} for row in rows
    ]


def test_shards_are_parts_of_the_table(coreset):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns, parts = row_columns(coreset), []
    for rows in slice(0, 25), slice(25, 25), slice(25, 60):
        buffer = io.BytesIO()
        write_rows(columns, buffer, ".parquet", rows)
        parts.append(parquet.read_table(io.BytesIO(buffer.getvalue())))
    whole = io.BytesIO()
    write_rows(columns, whole, ".parquet")
    assert [len(part) for part in parts] == [25, 0, 35]
    assert pa.concat_tables(parts).equals(parquet.read_table(io.BytesIO(whole.getvalue())))


def test_without_a_trace(coreset, tmp_path):
    coreset.save(tmp_path / "c.npz")
    loaded = d2pyg.Coreset.load(tmp_path / "c.npz")
    assert list(table(loaded)[0]) == ["index", "id", "kept", "rank", "pick_score", "score"]
    random = d2pyg.baselines.random(None, np.ones(9), budget=2, seed=0)
    assert [row["kept"] for row in table(random)].count("True") == 2


@pytest.mark.usefixtures("together")
def test_of_equal_messages_the_first_counts():
    """Duplicates that are picked one after the other, and lower a third equally."""
    graph = Data(edge_index=torch.tensor([[2, 2], [0, 1]]), edge_attr=torch.ones(2), num_nodes=3)
    coreset = d2pyg.greedy_select([8.0, 8, 1], graph, budget=2, reverse="absolute")
    assert check(coreset).sample.tolist() == [-1, -1, 0]
