"""The accuracy benchmark: networks trained side by side, what is held out, and a tiny grid."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import d2pyg
from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy import (
    cifar10,
    data,
    imdb,
    methods,
    mlp,
    patches,
    prepare,
    report,
    resnet,
    sampling,
    tune,
)
from benchmarks.accuracy.cells import Cells
from benchmarks.accuracy.harness import Study
from benchmarks.accuracy.order import Recorder, stream
from benchmarks.accuracy.splits import flip, hold_out

RECIPE = mlp.Recipe(widths=(4, 8, 3), batch=8, steps=60, rate=0.01, decay=1e-3, window=3)


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("D2PYG_CACHE", str(tmp_path / "cache"))


def blobs(total=120, seed=0):
    """Three classes around corners; the last column is the number of the sample."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(total) % 3
    x = torch.eye(3)[y] + 0.3 * torch.randn(total, 3, generator=generator)
    return torch.cat([x, torch.arange(total).unsqueeze(1) / total], dim=1), y


class Spy(mlp.Task):
    """A small task that counts its trainings and keeps what it was shown."""

    def __init__(self, fail_after=None):
        x, y = blobs()
        split = data.Split(x, y, *blobs(60, seed=1))
        super().__init__("spy", lambda: split, RECIPE, "Blobs.", together=4)
        self.trainings, self.seen, self.fail_after = 0, set(), fail_after

    def learn(self, x, y, seed, device, record):
        self.trainings += 1
        self._see(x)
        return super().learn(x, y, seed, device, record)

    def answers(self, split, members, device):
        for member, right in zip(members, super().answers(split, members, device), strict=True):
            if self.trainings == self.fail_after:
                raise KeyboardInterrupt
            self.trainings += 1
            self._see(split.train_x[member[0]])
            yield right

    def _see(self, x):
        self.seen |= set((x[:, -1] * 120).round().long().tolist())


class TestEnsemble:
    def test_one_is_a_plain_network(self, device, monkeypatch):
        x, y = blobs()
        index, seed = torch.arange(0, 120, 2), 5
        together = mlp.train(RECIPE, x, y, [(index, seed)], device)
        network = mlp.plain(RECIPE.widths, seed)
        optimizer = torch.optim.Adam(network.parameters(), RECIPE.rate, weight_decay=RECIPE.decay)
        for step in range(RECIPE.steps):
            for group in optimizer.param_groups:
                group["lr"] = RECIPE.rate * (1 + math.cos(math.pi * step / RECIPE.steps)) / 2
            place = stream(60, RECIPE.steps * RECIPE.batch, seed)[step * 8 : step * 8 + 8]
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[index[place]]), y[index[place]]).backward()
            optimizer.step()
        with torch.no_grad():
            expected = network(x)
            found = together.logits(x.to(device).unsqueeze(0))[0].cpu()
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
        monkeypatch.setattr(mlp, "ROWS_TOGETHER", 50)
        assert torch.equal(together.predict(x), expected.argmax(dim=1).unsqueeze(0))

    def test_members_do_not_depend_on_the_others(self, device):
        x, y = blobs()
        members = [(torch.arange(60), 1), (torch.arange(5), 2), (torch.arange(60, 120), 1)]
        together = mlp.train(RECIPE, x, y, members, device)
        every = together.logits(x.to(device).expand(3, -1, -1))
        for i, member in enumerate(members):
            alone = mlp.train(RECIPE, x, y, [member], device).logits(x.to(device).unsqueeze(0))[0]
            torch.testing.assert_close(every[i], alone, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(every[0], every[2], atol=0.1)  # the same seed, other samples

    def test_embedding_is_what_the_last_layer_reads(self):
        networks = mlp.Ensemble((4, 8, 6, 3), [0, 1])
        x = blobs()[0].expand(2, -1, -1)
        weight, bias = networks.layers[-1]
        assert networks.embed(x).shape == (2, 120, 6)
        torch.testing.assert_close(networks.embed(x) @ weight + bias, networks.logits(x))


class TestOrder:
    def test_every_pass_has_each_sample_once(self):
        order = stream(7, 24, seed=3)
        assert len(order) == 24
        for start in (0, 7, 14):
            assert sorted(order[start : start + 7].tolist()) == list(range(7))
        assert not torch.equal(order[:7], order[7:14])
        assert torch.equal(order, stream(7, 30, seed=3)[:24])

    def test_recorder_cuts_batches_into_epochs(self):
        order, target = stream(7, 24, seed=3), torch.tensor([0, 1, 2, 0, 1, 2, 0])
        logits = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
        found = d2pyg.scores.TrainingDynamics(7, window=2)
        recorder = Recorder(found, target)
        for rows, values in zip(order.split(5), logits.split(5), strict=True):
            recorder(rows, values)
        expected = d2pyg.scores.TrainingDynamics(7, window=2)
        for start in (0, 7, 14):
            rows = order[start : start + 7]
            expected.update(rows, logits[start : start + 7], target[rows])
            expected.end_epoch()
        assert found.epochs == 3
        assert torch.equal(found.dual(), expected.dual())
        assert torch.equal(found.aum(), expected.aum())


class TestSplits:
    @pytest.mark.parametrize(("share", "count"), [(0.1, 12), (0.25, 30), (0.0, 0), (1.0, 120)])
    def test_flip_changes_exactly_that_share(self, share, count):
        labels = blobs()[1]
        flipped = flip(labels, share)
        assert int((flipped != labels).sum()) == count
        assert set(flipped.tolist()) <= {0, 1, 2}
        assert torch.equal(flipped, flip(labels, share))

    def test_hold_out_takes_a_share_of_each_class(self):
        x, y = blobs()
        split = data.Split(x, y, *blobs(60, seed=1))
        held = hold_out(split)
        assert held.test_y.bincount().tolist() == [4, 4, 4]
        assert held.train_y.bincount().tolist() == [36, 36, 36]
        rows = torch.cat([held.train_x, held.test_x])[:, -1].mul(120).round().long()
        assert sorted(rows.tolist()) == list(range(120))


class TestGrid:
    GRID = (["everything", "random", "d2"], [0.5, 0.8], [1, 2])

    def test_finished_trainings_are_not_run_twice(self, tmp_path):
        first = Spy(fail_after=5)  # the fifth is the network that scores
        with pytest.raises(KeyboardInterrupt):
            Study(first, Cells(tmp_path / "cells.jsonl")).run(*self.GRID)
        with (tmp_path / "cells.jsonl").open("a") as file:
            file.write('{"cell": {"task": "s')  # killed in the middle of a line
        second = Spy()
        found = Study(second, Cells(tmp_path / "cells.jsonl")).run(*self.GRID)
        third = Spy()
        again = Study(third, Cells(tmp_path / "cells.jsonl")).run(*self.GRID)
        alone = Study(Spy(), Cells(tmp_path / "other.jsonl")).run(*self.GRID)
        assert (first.trainings, second.trainings, third.trainings) == (5, 6, 0)
        assert found == again
        assert len(found) == 2 + 4 + 4
        assert [r["accuracy"] for r in found] == pytest.approx([r["accuracy"] for r in alone], abs=2)
        assert [r["kept"] for r in found] == [120, 120] + 2 * [60, 60, 24, 24]

    @pytest.mark.parametrize("name", [name for name in methods.ROWS if name != "everything"])
    def test_one_selection_for_all_rates_is_each_rates_own(self, name, tmp_path, monkeypatch):
        trained, calls = [], []
        task, rates, seeds = Spy(), (0.8, 0.5, 0.7), (1, 2)
        study = Study(task, Cells(tmp_path / "cells.jsonl"))
        select = methods.select
        monkeypatch.setattr(methods, "select", lambda *given: calls.append(given) or select(*given))
        monkeypatch.setattr(
            task,
            "answers",
            lambda split, members, device: trained.extend(members) or [torch.ones(1)] * 6,
        )
        study.run([name], rates, seeds)
        row = methods.parse(name)
        cells = [(prune, seed) for prune in rates for seed in seeds]
        for (prune, seed), (index, _) in zip(cells, trained, strict=True):
            expected, _ = select(row, study.prepared, prune, seed)
            assert torch.equal(index, expected)
        if name in ("d2", "random", "k_center"):
            assert len(calls) == 1 + (2 if name == "random" else 1)  # the first is not timed

    def test_rows_of_a_tuned_method_that_differ_in_their_score_alone(self, tmp_path, monkeypatch):
        task, trained = Spy(), []
        tuned = {"d2-tuned": {"0.5": "d2 score=el2n", "0.7": "d2", "0.8": "d2 classes=false"}}
        study = Study(task, Cells(tmp_path / "cells.jsonl"), tuned=tuned)
        monkeypatch.setattr(
            task,
            "answers",
            lambda split, members, device: trained.extend(members) or [torch.ones(1)] * 3,
        )
        study.run(["d2-tuned"], (0.5, 0.7, 0.8), (1,))
        for (rate, name), (index, _) in zip(tuned["d2-tuned"].items(), trained, strict=True):
            expected, _ = methods.select(methods.parse(name), study.prepared, float(rate), 1)
            assert torch.equal(index, expected)

    def test_other_settings_are_other_trainings(self, tmp_path):
        cells, task = Cells(tmp_path / "cells.jsonl"), Spy()
        Study(task, cells).run(["random"], [0.5], [1])
        before = task.trainings
        Study(task, cells).run(["random"], [0.5], [1, 2])
        Study(task, cells, flipped=0.1).run(["random"], [0.5], [1])
        Study(task, cells, evaluate="validation").run(["random"], [0.5], [1])
        task.recipe = replace(RECIPE, steps=61)
        Study(task, cells).run(["random"], [0.5], [1])
        assert task.trainings - before >= 4
        assert len((tmp_path / "cells.jsonl").read_text().splitlines()) == 5

    def test_validation_samples_are_in_no_coreset_and_no_preparation(self, tmp_path):
        task = Spy()
        study = Study(task, Cells(tmp_path / "cells.jsonl"), evaluate="validation")
        found = study.run(["everything", "random", "k_center-free"], [0.3], [1, 2])
        held = set((study.split.test_x[:, -1] * 120).round().long().tolist())
        assert len(held) == 12
        assert task.seen == set(range(120)) - held
        assert found[0]["kept"] == 108

    def test_evaluated_labels_stay_right(self, tmp_path):
        task = Spy()
        for evaluate in ("test", "validation"):
            clean, wrong = (
                Study(task, Cells(tmp_path / "cells.jsonl"), evaluate=evaluate, flipped=share).split
                for share in (0.0, 0.5)
            )
            assert torch.equal(clean.test_y, wrong.test_y)
            assert (clean.train_y != wrong.train_y).double().mean() == 0.5

    @pytest.mark.parametrize("name", list(methods.ROWS))
    def test_every_row_selects_its_share(self, name):
        prepared = _prepared()
        for prune in (0.3, 0.9):
            index, _ = methods.select(methods.parse(name), prepared, prune, seed=1)
            kept = 120 if name == "everything" else round((1 - prune) * 120)
            assert len(index.unique()) == len(index) == kept
            row = methods.parse(name)
            if row.classes and name != "everything" and "cutoff" not in row.settings:
                assert index.remainder(3).bincount(minlength=3).tolist() == [kept // 3] * 3

    def test_rows_with_settings(self):
        row = methods.parse("d2 k=7 clamp=true score=el2n classes=false kernel=laplacian")
        assert row == methods.Row(
            "d2", "el2n", classes=False, settings={"k": 7, "clamp": True, "kernel": "laplacian"}
        )
        prepared = _prepared()
        _, settings = methods.select(methods.parse("d2-aum-margin"), prepared, 0.9, seed=1)
        assert settings["cutoff"] == (prepared.scores["aum_raw"] < 0).double().mean()
        got = [methods.select(methods.parse("ccs-paper"), prepared, p, 1)[1] for p in (0.5, 0.8, 0.9)]
        assert [settings["cutoff"] for settings in got] == [0, 0.1, 0.3]
        _, settings = methods.select(methods.parse("ccs cutoff=0.5"), prepared, 0.3, seed=1)
        assert settings["cutoff"] == 0.3

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("d3", "Expected a method of everything, .*got 'd3'"),
            ("d2 k", "as key=value .got 'k' in 'd2 k'"),
        ],
    )
    def test_a_wrong_row_says_so(self, text, message):
        with pytest.raises(SystemExit, match=message):
            methods.parse(text)


class TestTune:
    def test_takes_the_best_on_validation(self, tmp_path, monkeypatch):
        study = Study(Spy(), Cells(tmp_path / "cells.jsonl"), evaluate="validation")
        best = {0.5: "d2 k=2", 0.8: "d2 k=1"}

        def run(names, rates, seeds):
            return [
                _result(name, prune, seed, 50 + (name == best[prune]))
                for name in names
                for prune in rates
                for seed in seeds
            ]

        monkeypatch.setattr(study, "run", run)
        assert tune.tune(study, "d2", [0.5, 0.8], [1, 2], ["d2 k=1", "d2 k=2", "d2 k=3"]) == {
            "0.5": "d2 k=2",
            "0.8": "d2 k=1",
        }

    def test_every_candidate_is_a_row_of_its_method(self):
        for name, rows in tune.CANDIDATES.items():
            assert len(set(rows)) == len(rows)
            assert {methods.parse(row).method for row in rows} == {methods.parse(name).method}

    def test_never_on_the_test_set(self, tmp_path):
        with pytest.raises(ValueError, match="Expected a study on 'validation'"):
            tune.tune(Study(Spy(), Cells(tmp_path / "c")), "d2", [0.5], [1])

    def test_rows_that_are_not_tuned_yet(self, tmp_path):
        study = Study(Spy(), Cells(tmp_path / "c"), tuned={"d2-tuned": {"0.5": "d2 k=2"}})
        assert study.row("d2-tuned", 0.5) == methods.parse("d2 k=2")
        study.tuned["d2-tuned"]["0.9"] = "d2 k=1"
        k = {rate: study.row("d2-tuned", rate).settings["k"] for rate in (0.3, 0.7, 0.8, 0.95)}
        assert k == {0.3: 2, 0.7: 1, 0.8: 1, 0.95: 1}
        with pytest.raises(SystemExit, match=r"Expected settings of ccs-tuned \(got none"):
            study.row("ccs-tuned", 0.9)


class TestReport:
    def test_paired_difference_by_hand(self):
        accuracy = {"d2": [80, 82, 87], "random": [79, 83, 84]}
        rows = report.summary(
            [_result(name, 0.5, seed, a) for name, v in accuracy.items() for seed, a in enumerate(v)]
        )
        assert rows[0]["mean"] == 83
        assert rows[0]["standard_error"] == pytest.approx((13 / 3) ** 0.5)  # (9 + 1 + 16) / 2 / 3
        mean, error, seeds = report.paired(rows, "d2", "random")[0.5]
        assert (mean, seeds) == (1, 3)  # 1, -1, 3
        assert error == pytest.approx((4 / 3) ** 0.5)
        with pytest.raises(SystemExit, match="Expected results of d2 and ccs"):
            report.paired(rows, "d2", "ccs")

    def test_what_is_required(self):
        worse = [
            _result(n, 0.5, s, a + 0.1 * s) for n, a in (("d2", 80), ("random", 90)) for s in (1, 2)
        ]
        worse[0]["accuracy"] += 0.01
        with pytest.raises(SystemExit, match="Expected d2 to be no worse than random"):
            command._require(report.summary(worse), "d2", "random")
        command._require(report.summary(worse), "random", "d2")

    def test_command(self, tmp_path, monkeypatch, capsys):
        pytest.importorskip("matplotlib")
        monkeypatch.setitem(command.TASKS, "digits", Spy())
        arguments = ["--seeds", "2", "--methods", "everything", "random", "d2 k=3", "random-free"]
        arguments += [
            "--prune",
            "50",
            "80",
            "--paired",
            "d2 k=3",
            "random",
            "--out",
            str(tmp_path / "o" / "t"),
        ]
        command.main(["digits", *arguments])
        saved = json.loads((tmp_path / "o" / "t.json").read_text())
        assert saved["recipe"]["steps"] == 60
        assert [row["name"] for row in saved["rows"]] == ["everything"] + [
            name for name in ("random", "d2 k=3", "random-free") for _ in range(2)
        ]
        table = (tmp_path / "o" / "t.md").read_text()
        assert table in capsys.readouterr().out
        (line,) = (line for line in table.splitlines() if line.startswith("| d2 k=3 |"))
        assert [cell.strip() for cell in line.split("|")][2:4] == [
            f"{row['mean']:.1f} ± {row['standard_error']:.1f}"
            for row in saved["rows"]
            if row["name"] == "d2 k=3"
        ]
        assert "d2 k=3 minus random" in table
        assert (tmp_path / "o" / "t.png").stat().st_size > 1000

    def test_command_tunes(self, tmp_path, monkeypatch):
        monkeypatch.setitem(command.TASKS, "digits", Spy())
        monkeypatch.setitem(command.CANDIDATES, "ccs", ["ccs cutoff=0", "ccs cutoff=0.5"])
        common = ["digits", "--seeds", "1", "--prune", "50", "--out", str(tmp_path / "t")]
        command.main([*common, "--tune", "ccs"])
        tuned = json.loads((tmp_path / "spy-tuned.json").read_text())
        assert tuned["ccs-tuned"]["0.5"] in ("ccs cutoff=0", "ccs cutoff=0.5")
        command.main([*common, "--tune", "ccs", "--candidates", "ccs cutoff=0.25"])
        tuned = json.loads((tmp_path / "spy-tuned.json").read_text())
        assert tuned["ccs-tuned"] == {"0.5": "ccs cutoff=0.25"}
        for wrong in [], ["--tune", "ccs", "d2"]:
            with pytest.raises(SystemExit, match=r"--candidates with one method to --tune \(got "):
                command.main([*common, *wrong, "--candidates", "ccs cutoff=0.25"])


class TestImages:
    def test_crop_against_a_loop(self):
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(256, (5, 32, 32, 3), generator=generator, dtype=torch.uint8)
        padded = resnet.padded_images(images)
        assert torch.equal(padded[:, 4:-4, 4:-4], images)
        assert torch.equal(padded[:, 3, 4:-4], images[:, 1])  # mirrored at the border
        rows, shift = torch.tensor([3, 0]), torch.tensor([[0, 8], [5, 2]])
        found = resnet.crop(padded, rows, shift, torch.tensor([False, True]))
        expected = [padded[3, 0:32, 8:40], padded[0, 5:37, 2:34].flip(1)]
        assert torch.equal(found, torch.stack(expected).permute(0, 3, 1, 2))
        assert found.is_contiguous(memory_format=torch.channels_last)

    def test_a_small_network_learns(self, device):
        y = torch.arange(60) % 3
        images = torch.full((60, 32, 32, 3), 100, dtype=torch.uint8)
        images[torch.arange(60), :, :, y] = 160
        # Of 40 seeds none gives an image less than 0.97 for its class. With fewer channels or steps some
        # lose a color, and the last bit of a product decides which.
        recipe = resnet.Recipe(
            widths=(8, 8, 16, 16), stride=2, batch=20, steps=60, rate=0.1, bfloat16=False
        )
        dynamics = d2pyg.scores.TrainingDynamics(60, window=2)
        network = resnet.train(recipe, images, y, 1, device, Recorder(dynamics, y))
        logits = resnet.outputs(network, images, recipe, device)
        assert dynamics.epochs == 20
        assert logits.argmax(dim=1).equal(y)
        embedded = resnet.outputs(network, images, recipe, device, "embed")
        assert embedded.shape == (60, 16)
        torch.testing.assert_close(network.cpu().head(embedded) / 8, logits, rtol=1e-3, atol=1e-3)

    def test_patch_features_tell_textures_apart(self, monkeypatch):
        monkeypatch.setattr(patches, "CENTROIDS", 8)
        monkeypatch.setattr(patches, "SAMPLED", 2000)
        generator = torch.Generator().manual_seed(0)
        noise = torch.randint(40, (20, 32, 32, 3), generator=generator, dtype=torch.uint8)
        stripes = (torch.arange(32) % 4 < 2).to(torch.uint8) * 150
        images = noise.clone()
        images[:10] += stripes.view(1, 32, 1, 1)
        images[10:] += stripes.view(1, 1, 32, 1)
        x = patches.features(images)
        assert x.shape == (20, 32)
        group = torch.arange(20) < 10
        spread = (x[group].mean(dim=0) - x[~group].mean(dim=0)).norm()
        assert spread > 2 * (x[group] - x[group].mean(dim=0)).norm(dim=1).mean()


class TestData:
    def test_digits(self):
        split = data.digits()
        assert [len(part) for part in split] == [1198, 1198, 599, 599]
        assert split.train_x.max() == 1

    def test_no_folder_is_one_line(self, monkeypatch):
        for value in ("", "no/such/folder"):
            monkeypatch.setenv("D2PYG_DATA", value)
            with pytest.raises(
                SystemExit, match=r"Set D2PYG_DATA to a folder .* cifar-10-batches-bin/"
            ) as error:
                data.cifar10()
            assert "\n" not in str(error.value)

    def test_originals(self, monkeypatch, tmp_path):
        monkeypatch.setenv("D2PYG_DATA", str(tmp_path))
        for load in (data.cifar10, data.imdb):
            with pytest.raises(SystemExit, match=r"in D2PYG_DATA \(got neither\)"):
                load()
        rows = torch.randint(
            256, (6, 3073), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
        )
        rows[:, 0] = torch.arange(6)
        folder = tmp_path / "cifar-10-batches-bin"
        folder.mkdir()
        for i in range(5):
            (folder / f"data_batch_{i + 1}.bin").write_bytes(rows[i].numpy().tobytes())
        (folder / "test_batch.bin").write_bytes(rows[5].numpy().tobytes())
        split = data.cifar10()
        assert split.train_y.tolist() == [0, 1, 2, 3, 4]
        assert split.train_x.shape == (5, 32, 32, 3)
        assert split.test_x[0, 2, 7, 1] == rows[5, 1 + 1024 + 2 * 32 + 7]  # green, row 2, column 7

    def test_the_small_task_is_tuned_on_images_that_it_never_trains_on(self, monkeypatch):
        total = 25_000
        x = torch.arange(total).view(-1, 1, 1, 1).expand(-1, 1, 1, 3)
        y = torch.arange(total) % 10
        monkeypatch.setattr(data, "cifar10", lambda: data.Split(x, y, x[:1] - 1, y[:1]))
        test, validation = cifar10.SMALL.load(), cifar10.SMALL.validation()
        assert torch.equal(test.train_x, validation.train_x)
        assert test.test_x.flatten().tolist() == [-1] * 3
        parts = [set(part[:, 0, 0, 0].tolist()) for part in (validation.train_x, validation.test_x)]
        assert [len(part) for part in parts] == [10_000, 10_000]
        assert not parts[0] & parts[1]
        assert validation.test_y.bincount().tolist() == [1000] * 10
        assert torch.equal(validation.test_y, y[validation.test_x[:, 0, 0, 0]])

    def test_embedded_images(self, monkeypatch):
        images = torch.zeros(300, 32, 32, 3, dtype=torch.uint8)
        split = data.Split(images, torch.zeros(300), images[:20] + 1, torch.zeros(20))
        made = []

        def embeddings(images):
            made.append(len(images))
            generator = torch.Generator().manual_seed(int(images[0, 0, 0, 0]))
            return 3 * torch.randn(len(images), 300, generator=generator)

        monkeypatch.setattr(data, "cifar10", lambda: split)
        monkeypatch.setattr(data, "embeddings", embeddings)
        found = cifar10.HEAD.load()
        assert found.train_x.shape == (300, 256)
        assert found.test_x.shape == (20, 256)
        assert found.train_x.square().mean() == pytest.approx(1)
        assert torch.equal(cifar10.HEAD.load().test_x, found.test_x)
        assert made == [300, 20]  # the second time they are in the cache

    def test_reviews(self, monkeypatch, tmp_path):
        monkeypatch.setenv("D2PYG_DATA", str(tmp_path))
        for part in ("train", "test"):
            for name in ("neg", "pos"):
                (tmp_path / "aclImdb" / part / name).mkdir(parents=True)
                (tmp_path / "aclImdb" / part / name / "0_1.txt").write_text(f"{part} {name}")
        monkeypatch.setattr(
            data, "_sentence_embeddings", lambda texts: torch.eye(4)[: len(texts)].half().numpy()
        )
        split = imdb.load()
        assert split.train_y.tolist() == [0, 1]
        torch.testing.assert_close(split.train_x.square().mean(dim=1), torch.ones(2))
        monkeypatch.setattr(data, "_sentence_embeddings", None)  # they are in the cache now
        assert torch.equal(imdb.load().test_x, split.test_x)
        made = tmp_path / "cache" / "imdb_test_minilm.npz"
        data.store(made, embedding=torch.zeros(3, 4).numpy())
        with pytest.raises(ValueError, match=r"as many embeddings as reviews \(got 3 and 2 in test\)"):
            imdb.load()


def _prepared():
    task = Spy()
    return prepare.prepare(task, task.load())


def _result(name, prune, seed, accuracy):
    cell = {**vars(methods.parse(name)), "prune": prune, "seed": seed}
    return {
        "name": name,
        "cell": cell,
        "accuracy": accuracy,
        "kept": 1,
        "got": {},
        "selection_seconds": 0.0,
    }


class TestHardness:
    def test_shares_of_what_is_kept(self):
        from benchmarks.accuracy import hardness

        prepared = _prepared()
        assert hardness.count(prepared, "everything")["30%"] == pytest.approx((1 / 3, 1 / 3))
        hardest = hardness.count(prepared, "hardest classes=false")
        assert hardest["80%"] == (1, 0)
        assert hardest["50%"] == pytest.approx((2 / 3, 0))
        assert hardness.count(prepared, "easiest classes=false")["90%"] == (0, 1)

    def test_table(self, tmp_path, monkeypatch, capsys):
        from benchmarks.accuracy import hardness

        monkeypatch.setenv("D2PYG_CACHE", str(tmp_path))
        hardness.main(["--tasks", "digits", "--methods", "borderline", "--out", str(tmp_path / "out")])
        (row,) = json.loads((tmp_path / "out.json").read_text())["rows"]
        assert row["90%"][0] > row["30%"][0] > 1 / 3 > row["30%"][1] > row["90%"][1]
        assert "| digits | borderline | " in (tmp_path / "out.md").read_text()


class TestSampling:
    def test_standard_errors_by_hand(self):
        """Two seeds, four samples: +1, +1/2, 0, -1/2 a sample; +1/2, 0 a seed."""
        one = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0]]).bool()
        other = torch.tensor([[0, 0, 1, 0], [0, 0, 1, 1]]).bool()
        found = sampling.difference(one, other)
        assert found["mean"] == pytest.approx(25)
        variance = (75**2 + 25**2 + 25**2 + 75**2) / 3
        assert found["over samples"] == pytest.approx((variance / 4) ** 0.5)
        assert found["over seeds"] == pytest.approx(25)

    def test_table(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(command.TASKS, "digits", Spy())
        common = ["digits", "--seeds", "2", "--prune", "50", "90", "--out", str(tmp_path / "out")]
        sampling.main([*common, "--methods", "everything", "random"])
        result = json.loads((tmp_path / "out.json").read_text())
        study = Study(Spy(), Cells(tmp_path / "cells.jsonl"))
        rows = report.summary(study.run(["random"], [0.5, 0.9], [1, 2]))
        (everything,) = report.summary(study.run(["everything"], [], [1, 2]))
        for found, row in zip(result["rows"], rows, strict=True):
            assert found["prune"] == row["prune"]
            assert found["mean"] == pytest.approx(everything["mean"] - row["mean"], abs=2)
        assert "| pruned | everything less random |" in (tmp_path / "out.md").read_text()
        assert "--prune 50 90 " in (tmp_path / "out.md").read_text()
        (tmp_path / "spy-tuned.json").write_text('{"d2-tuned": {"0.5": "random"}}')
        sampling.main([*common, "--methods", "d2-tuned", "random"])
        assert [row["mean"] for row in json.loads((tmp_path / "out.json").read_text())["rows"]] == [0, 0]
        with pytest.raises(SystemExit):
            sampling.main([*common, "--methods", "d2", "random", "--seeds", "1"])
        assert "--seeds has to be at least 2" in capsys.readouterr().err


class TestCutoff:
    def test_rules_on_a_hand_made_case(self):
        """Twenty wrong ones at -2, eighty right ones at 3."""
        from benchmarks.accuracy import cutoff

        generator = torch.Generator().manual_seed(0)
        center = torch.cat([torch.full((20,), -2.0), torch.full((80,), 3.0)])
        margin = center + 0.1 * torch.randn(100, generator=generator)
        for rule in cutoff.RULES.values():
            assert rule(margin).nonzero().flatten().tolist() == list(range(20))

    def test_flipped_digits_are_found(self, tmp_path, monkeypatch, capsys):
        from benchmarks.accuracy import cutoff

        monkeypatch.setenv("D2PYG_CACHE", str(tmp_path))
        cutoff.main(["--tasks", "digits", "--flip", "0.1", "--out", str(tmp_path / "out")])
        rows = json.loads((tmp_path / "out.json").read_text())["rows"]
        by_margin = next(row for row in rows if row["rule"] == "negative margin")
        assert by_margin["of these flipped"] > 0.8
        assert by_margin["of the flipped dropped"] > 0.8
        assert "| digits | 10.0 | negative margin |" in (tmp_path / "out.md").read_text()
