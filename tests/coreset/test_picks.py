"""A coreset as a sequence of picks, as an array, and as a key of data frames."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch

import d2pyg
from d2pyg import Coreset, baselines
from d2pyg._base.registry import choices, look_up

TOTAL = 40


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(TOTAL, 3)), rng.random(TOTAL), rng.integers(0, 3, TOTAL)


@pytest.fixture
def coreset(inputs):
    x, scores, _ = inputs
    ids = [f"img {i}" for i in range(TOTAL)]
    return d2pyg.select(x, scores, budget=12, cutoff=0.1, initial=[5, 2], ids=ids)


def test_a_sequence_of_picks(coreset):
    picks = coreset.index.tolist()
    assert list(coreset) == picks
    assert all(type(pick) is int for pick in coreset)
    assert [coreset[i] for i in range(-12, 12)] == picks * 2
    assert picks[3] in coreset
    assert 5 not in coreset
    with pytest.raises(IndexError):
        coreset[12]
    data = torch.utils.data.Subset([f"sample {i}" for i in range(TOTAL)], coreset)
    assert [data[i] for i in range(12)] == [f"sample {i}" for i in picks]


def test_removed_is_what_is_neither_kept_nor_initial(coreset, tmp_path):
    assert coreset.removed.tolist() == sorted({*range(TOTAL)} - {*coreset, 5, 2})
    coreset.save(tmp_path / "c.npz")
    assert Coreset.load(tmp_path / "c.npz").removed.tolist() == coreset.removed.tolist()
    assert Coreset(coreset.index, coreset.pick_scores, coreset.scores).removed.tolist() == sorted(
        {*range(TOTAL)} - {*coreset}
    )


def test_kept_ids(coreset, inputs):
    assert coreset.kept_ids.tolist() == [f"img {i}" for i in coreset]
    with pytest.raises(ValueError, match=r"names of its samples .got one without.\. Pass ids= when"):
        d2pyg.select(inputs[0], budget=3).kept_ids  # noqa: B018


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize("name", choices("method"))
def test_the_first_picks_are_the_smaller_coreset(name, with_labels, inputs):
    x, scores, labels = inputs
    options = {"labels": labels, "min_per_class": 2} if with_labels else {}
    if name == "dual":
        options["confidence"] = 1 - scores
    run = look_up("method", name)
    large, small = (run(x, scores, budget=budget, **options) for budget in (20, 9))
    if name == "dual":
        assert large.index[:9].tolist() != small.index.tolist()
        with pytest.raises(
            ValueError, match=r"of dual, whose picks depend on the budget.*budget=9, or take"
        ):
            large[:9]
        return
    first = large[:9]
    assert first == small
    np.testing.assert_array_equal(first.scores, small.scores)
    for settings in first.settings, small.settings:
        settings.pop("engine_report", None)
    assert first.settings == small.settings


def test_draws_of_the_stochastic_optimizer_depend_on_the_budget(inputs):
    large = baselines.facility_location(inputs[0], budget=20, optimizer="stochastic", seed=0)
    with pytest.raises(ValueError, match="of facility_location, whose picks depend on the budget"):
        large[:9]


def test_a_part_is_saved_explained_and_repeated(coreset, inputs, tmp_path):
    x, scores, _ = inputs
    first = coreset[:4]
    assert len(first) == 4
    assert first.explain(int(coreset.index[6])).fate == "left"
    first.save(tmp_path / "c.json")
    assert Coreset.load(tmp_path / "c.json") == first
    assert d2pyg.repeat(Coreset.load(tmp_path / "c.json"), x, scores) == first
    whole = d2pyg.select(x, scores, keep=0.5)
    assert d2pyg.repeat(whole[:7], x, scores) == whole[:7]
    assert whole[0:20:1] == whole


@pytest.mark.parametrize(
    ("part", "match"),
    [
        (slice(2, 5), r"'coreset\[:b\]', the first b picks .got slice\(2, 5, None"),
        (slice(None, 6, 2), r"'coreset\[:b\]', the first b picks"),
        (slice(None), r"'coreset\[:b\]', the first b picks"),
        (
            slice(13),
            r"'b' to be between 1 and 12, the number of picks .got 13.\. Select again with a la",
        ),
        (slice(0), "'b' to be between 1 and 12"),
        (slice(-1), "'b' to be between 1 and 12"),
    ],
)
def test_other_parts_are_no_coreset(part, match, coreset):
    with pytest.raises(ValueError, match=match):
        coreset[part]


def test_equal_are_the_same_picks_with_the_same_scores(coreset, inputs):
    x, scores, _ = inputs
    again = d2pyg.select(x, scores, budget=12, cutoff=0.1, initial=[5, 2])
    assert coreset == again
    assert hash(coreset) == hash(again)
    assert len({coreset, again, coreset[:3]}) == 2
    assert coreset != coreset[:11]
    for change in (
        {"index": coreset.index.flip(0)},
        {"pick_scores": coreset.pick_scores + 1},
        {"scores": coreset.scores[:-1]},
    ):
        parts = {"index": coreset.index, "pick_scores": coreset.pick_scores, "scores": coreset.scores}
        assert coreset != Coreset(**{**parts, **change})
    assert coreset != coreset.index.tolist()
    nan = torch.full((12,), torch.nan, dtype=torch.float64)
    assert Coreset(coreset.index, nan, coreset.scores) == Coreset(
        coreset.index, nan.clone(), coreset.scores
    )
    assert copy.deepcopy(again) == pickle.loads(pickle.dumps(again)) == again


def test_as_an_array(coreset):
    picks = coreset.index.tolist()
    array = np.asarray(coreset)
    assert (array.dtype, array.tolist()) == (np.int64, picks)
    array[0] = -1
    assert coreset.index.tolist() == picks
    assert np.asarray(coreset, dtype="int32").dtype == np.int32
    assert coreset.__array__(copy=False).tolist() == picks
    assert np.shares_memory(coreset.__array__(copy=False), coreset.index.numpy())
    with pytest.raises(ValueError, match=r"'copy' to be None or True .*got False for cpu and float32"):
        coreset.__array__("float32", copy=False)
    assert d2pyg.metrics.class_counts(np.zeros(TOTAL, dtype=int), coreset) == {0: 12}
    assert np.arange(TOTAL)[coreset].tolist() == torch.arange(TOTAL)[coreset].tolist() == picks


def test_a_data_frame(coreset):
    pandas = pytest.importorskip("pandas")
    frame = coreset.to_pandas()
    assert list(frame) == ["index", "id", "rank", "kept", "pick_score", "score"]
    assert sorted(frame["index"]) == list(range(TOTAL))
    assert frame["index"][frame["kept"]].tolist() == coreset.index.tolist()
    assert frame["rank"][:12].tolist() == list(range(12))
    assert frame["rank"][12:].isna().all()
    assert frame["kept"].dtype == bool
    assert frame["id"].tolist() == [f"img {i}" for i in frame["index"]]
    np.testing.assert_array_equal(frame["pick_score"][:12], coreset.pick_scores)
    np.testing.assert_array_equal(frame["score"], coreset.scores[frame["index"].tolist()])
    data = pandas.DataFrame({"name": [f"img {i}" for i in range(TOTAL)]})
    assert data[coreset.mask.numpy()]["name"].tolist() == sorted(
        coreset.kept_ids, key=lambda n: int(n[4:])
    )
    assert data.iloc[coreset]["name"].tolist() == coreset.kept_ids.tolist()


def test_a_polars_frame(coreset):
    polars = pytest.importorskip("polars")
    data = polars.DataFrame({"name": [f"img {i}" for i in range(TOTAL)]})
    assert data.filter(coreset.mask.numpy())["name"].to_list() == [f"img {i}" for i in sorted(coreset)]
    assert data[coreset.index.numpy()]["name"].to_list() == coreset.kept_ids.tolist()


def test_without_pandas(coreset, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        coreset.to_pandas()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_say_what_is_kept_and_older_ones_are_read(suffix, coreset, tmp_path):
    path = tmp_path / f"c{suffix}"
    coreset.save(path)
    if suffix == ".csv":
        rows = path.read_text().splitlines()
        assert rows[0] == "index,id,rank,kept,pick_score,score,d2pyg"
        assert [row.split(",")[3] for row in rows[1:]] == ["True"] * 12 + ["False"] * 28
        without = [
            row.replace(",kept,", ",", 1).replace(",True,", ",", 1).replace(",False,", ",", 1)
            for row in rows
        ]
        path.write_text("\n".join(without))
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        assert table.column("kept").to_pylist() == [True] * 12 + [False] * 28
        parquet.write_table(table.drop_columns("kept"), path)
    loaded = Coreset.load(path)
    assert loaded == coreset
    assert loaded.settings == coreset.settings


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_in_which_kept_was_changed_by_hand_is_refused(suffix, coreset, tmp_path):
    path = tmp_path / f"c{suffix}"
    coreset.save(path)
    if suffix == ".csv":
        path.write_text(path.read_text().replace(",True,", ",TRUE,").replace(",False,", ",FALSE,"))
        assert Coreset.load(path) == coreset  # as a spreadsheet writes it
        path.write_text(path.read_text().replace(",FALSE,", ",TRUE,", 1))
    else:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(path)
        kept = arrow.array([True] * 13 + [False] * 27)
        parquet.write_table(table.set_column(table.column_names.index("kept"), "kept", kept), path)
    with pytest.raises(ValueError, match="its columns 'kept' and 'rank' differ in row 12"):
        Coreset.load(path)


@pytest.mark.parametrize("initial", ["3", [40], [-1], [1.0], [True]])
def test_load_refuses_initial_samples_that_are_none(initial, coreset, tmp_path):
    path = tmp_path / "c.json"
    coreset.save(path)
    content = json.loads(path.read_text())
    del content["checksum"]
    content["settings"]["initial"] = initial
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="the 'initial' of its settings is not a list of its samples"):
        Coreset.load(path)
